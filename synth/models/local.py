"""The local lane: a GGUF file in a folder of the person's own, answered by llama.cpp in this process (xllamacpp).

The first attempt starts xllamacpp's server on a free port of the loopback; from there on it is an endpoint like any other,
asked by the wire lane. The recipe names the file and may come from a stranger, so only a plain name in the person's folder
is opened.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final
from weakref import WeakKeyDictionary

from synth.errors import UsageError, nearest
from synth.models.base import Endpoint, Request, Response, identity_of
from synth.models.endpoints import endpoint_of
from synth.models.wire import WireModel

CONTEXT: Final = 8192
"""The longest question with its answer, in the model's tokens: our longest prompts have about half of that."""

SLOTS: Final = 1
"""Questions that are answered at once: on a processor, two at once take as long as two in a row."""

_SUFFIX: Final = ".gguf"
_MISSING: Final = "pip install 'humane-synth[local]'"


def open_model(name: str, endpoints: Mapping[str, Endpoint]) -> LocalModel:
    """Give the model of that name, `<alias>/<file.gguf>`, in its endpoint's folder; nothing is loaded yet.

    Raises:
        UsageError: The endpoint is unknown or has no folder, the file is none of its GGUF files, or xllamacpp is missing.
    """
    endpoint = endpoint_of(name, endpoints)
    file = model_file(endpoint, identity_of(name, endpoints).model)
    if importlib.util.find_spec("xllamacpp") is None:
        raise UsageError(f"the model {name!r} needs xllamacpp, which is not installed", hint=_MISSING)
    return LocalModel(name, endpoint, file)


def model_file(endpoint: Endpoint, file: str) -> Path:
    """Give the path of a GGUF file by its plain name; what it stands for must lie in the endpoint's folder itself.

    Raises:
        UsageError: The endpoint names no folder that is there, or the file is none of those in it.
    """
    folder = _folder(endpoint)
    there = [one.name for one in folder.iterdir() if one.suffix.lower() == _SUFFIX and _lies_in(one, folder)]
    plain = file == PurePosixPath(file).name == PureWindowsPath(file).name
    # compared with what is there, not opened to see: a stranger's name is never handed to the file system
    if not plain or file not in there:
        raise UsageError(
            f"the folder of endpoint {endpoint.alias!r} holds no GGUF file {file!r}",
            hint=f"write the name of a file that lies in it; {nearest(file, there)}",
        )
    return folder / file


class LocalModel:
    """A GGUF file behind a server of this process; `close` stops the server, and another attempt starts it again."""

    pure: Final = False

    def __init__(self, name: str, endpoint: Endpoint, file: Path) -> None:
        """Keep what to load."""
        self._name = name
        self._endpoint = endpoint
        self._file = file
        self._lock = threading.Lock()
        self._server: Any = None
        self._wire: WireModel | None = None
        self._slots: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()

    @property
    def name(self) -> str:
        """The name under which it was opened."""
        return self._name

    async def attempt(self, request: Request) -> Response:
        """Ask once; the time-out begins when the model is free.

        Raises:
            Transient: The server broke off.
            BadRequest: The question is longer than the context.
            UsageError: The file cannot be loaded.
        """
        async with self._slots.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(SLOTS)):
            wire = await asyncio.to_thread(self._started)
            return await wire.attempt(_seeded(request))

    async def close(self) -> None:
        """Stop the server and free the model."""
        wire, self._wire = self._wire, None
        servers, self._server = [self._server], None
        if wire is not None:
            await wire.close()
        # the server stops when nothing refers to it any more, which waits for its threads
        await asyncio.to_thread(servers.clear)

    def _started(self) -> WireModel:
        with self._lock:
            if self._wire is None:
                self._server = _serve(self._file)
                url = f"{self._server.listening_address}/v1"
                endpoint = replace(self._endpoint, url=url, key_variable=None, lane="wire")
                self._wire = WireModel(self._name, endpoint)
            return self._wire


def _folder(endpoint: Endpoint) -> Path:
    where = f"the folder of endpoint {endpoint.alias!r}"
    hint = "folder: an absolute path, where your GGUF files lie"
    if not endpoint.folder:
        raise UsageError(f"{where} is not set", hint=hint)
    folder = Path(endpoint.folder).expanduser()
    if not folder.is_absolute() or not folder.is_dir():
        raise UsageError(f"{where} is no folder that is there: {endpoint.folder!r}", hint=hint)
    return folder.resolve()


def _lies_in(file: Path, folder: Path) -> bool:
    """Say whether a file, and what it links to, lies in the folder itself."""
    return file.is_file() and file.resolve().parent == folder


def _seeded(request: Request) -> Request:
    """Give a question that leaves its seed open the one that its ledger key stands for: asked anew, the same is drawn."""
    if request.parameters.seed is not None or not request.key:
        return request
    seed = int(request.key[:7], 16)
    return replace(request, parameters=replace(request.parameters, seed=seed))


def _serve(file: Path) -> Any:
    """Give a running server of that file, on the loopback and silent.

    Raises:
        UsageError: llama.cpp cannot load the file.
    """
    import xllamacpp

    given = xllamacpp.CommonParams()
    given.model.path = str(file)
    # it is reported beside every answer, where a path has no place
    given.model_alias = {file.name}
    given.n_ctx, given.n_parallel = CONTEXT, SLOTS
    given.cpuparams.n_threads = given.cpuparams_batch.n_threads = _threads()
    given.hostnames, given.port = ["127.0.0.1"], 0
    given.ui = given.endpoint_slots = given.warmup = False
    given.verbosity = -1
    try:
        return xllamacpp.Server(given)
    except Exception as error:  # noqa: BLE001 (the binding raises bare kinds)
        fault = type(error).__name__
    raise UsageError(f"llama.cpp cannot load {file.name!r} ({fault})", hint="is it a whole GGUF file of a chat model?")


def _threads() -> int:
    """Give how many threads compute: half of what this process may use.

    Its threads wait for one another by spinning: two on one core, or beside other work, take many times as long as one.
    """
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, usable // 2)
