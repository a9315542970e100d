"""No key reaches a file or a stream: real programs, an endpoint that echoes every key that it is sent, and a search of every byte."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from synth.content.shelves import Shelves
from synth.errors import BadRequest
from synth.models.base import OFFLINE, Contract, Parameters, Request
from synth.offline.embedded import OfflineModel, find_brief
from synth.records.schema import Message

ROOT = Path(__file__).resolve().parents[2]
PIECE = 12

KEYS = {
    "PLAIN_KEY": "sk-plain-Qx7Lr2Vt9Zb4Nw8Kd1Hs6Jf3Gp5Mc0Ya2Ue7Xi4Ro9",
    "REGEX_KEY": r'sk-(?:x.*y+|[z]{2})^$\d"' + "'/Tm5Wq8Bn1Cv4Xz7Lk0Jh3",
    "FAILING_KEY": "sk-failing-Po9Iu8Yt7Re6Wq5As4Df3Gh2",
    "REFUSED_KEY": "sk-refused-Zx1Cv2Bn3Mq4We5Rt6Yu7Io8",
    "RESPONSES_KEY": 'sk-responses\\"-Lp0Ok9Ij8Uh7Yg6Tf5Rd4Es3',
    "ROUTER_KEY": "sk-router-Mn1Bv2Cx3Zl4Kj5Hg6Fd7Sa8",
    "UNUSED_KEY": "sk-unused-Qa1Ws2Ed3Rf4Tg5Yh6Uj7Ik8",
}
MISPLACED = "sk-misplaced-Ol9Ik8Uj7Yh6Tg5Rf4Ed3Ws2"
ALL = [*KEYS.values(), MISPLACED]

RECIPE = "recipe: tiny\nlanguages: [en]\nfamilies: [burial_day_taken_back]\nquota: {{records: 3}}\ntries: 1\npartition: 3\nreplies: {{under: 1}}\n{more}"
MODELS = "models: {{writer: {writer}, annotators: [{annotator}]}}\n"

SITECUSTOMIZE = "import logging\nlogging.basicConfig(level=logging.DEBUG)\n"
LISTENER = """
import sys, synth

def listener(event):
    if type(event).__name__ == "EventLived":
        raise RuntimeError("the listener failed")

synth.build(sys.argv[1], sys.argv[2], on_event=listener)
"""
PLUG_IN = """
from synth.filters.base import Parameters, Stage, filter

@filter(name="acme-sieves:broken", stage=Stage.SCENARIO, needs="none", parameters=Parameters, api=1)
def broken(candidate, resources, parameters):
    raise RuntimeError(f"no idea what to do with {candidate.scenario}")
"""


# -- the endpoint


class Echo(BaseHTTPRequestHandler):
    """Answers as the embedded model does, with the key that it was sent wherever there is room."""

    server: EchoServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        return None

    def do_GET(self):
        self._send(401 if self._way == "refuse" else 200, {"data": [{"id": "m"}, {"id": self._key}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.echoed[self._key] += 1
        if self._way == "refuse":
            self._send(401, self._error(f"Incorrect API key provided: {self._key}"))
        elif self._way == "fail" and (fault := self.server.next_fault()):
            fault(self)
        else:
            self._answer(body)

    def _answer(self, body):
        shape = self._response if self.path.endswith("/responses") else self._completion
        try:
            self._send(200, shape(body))
        except BadRequest as error:  # the embedded model was never meant to write this cell
            self._send(400, self._error(f"{self._key}: {error}"))

    @property
    def _way(self):
        return self.path.split("/")[1]

    @property
    def _key(self):
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _error(self, message, **more):
        return {"error": {"message": message, "type": self._key, "code": self._key, "param": self._key} | more}

    def _send(self, status, body, **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status, self._key)
        for name in ("x-request-id", "request-id", "openai-organization", "x-echo"):
            self.send_header(name, self._key)
        self.send_header("Set-Cookie", f"session={self._key}; Path=/")
        self.send_header("Set-Cookie", f"{self._key}(=;;")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _text(self, messages):
        """Give the embedded model's answer: a reply says the key, and an annotator sends nothing but words and the key."""
        brief = find_brief(tuple(Message(one["role"], one["content"]) for one in messages))
        if brief["program"] == "annotate":
            return f"I was sent {self._key}, and what shall I do with it?"
        brief = {"draw": {"seed": 1, "sequence": 0}} | brief  # which only the embedded model is told
        question = (Message("user", f"```brief\n{json.dumps(brief)}\n```"),)
        request = Request("m", OFFLINE, "", "", Contract("", 0), question, Parameters(), 0, "")
        text = self.server.model.answer(request).text
        if brief["program"] != "reply":
            return text
        answer = json.loads(text)
        answer["beats"][0]["text"] += f" {self._key}"
        return json.dumps(answer)

    def _completion(self, body):
        choice = {"index": 0, "finish_reason": "stop", "logprobs": None}
        choice["message"] = {"role": "assistant", "content": self._text(body["messages"]), "refusal": None}
        return {
            "id": self._key,
            "object": "chat.completion",
            "created": 0,
            "model": f"m of {self._key}",
            "system_fingerprint": self._key,
            "choices": [choice],
            "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20, "echo": self._key},
        }

    def _response(self, body):
        part = {"type": "output_text", "text": self._text(body["input"]), "annotations": []}
        message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
        return {
            "id": self._key,
            "object": "response",
            "created_at": 0,
            "status": "completed",
            "error": None,
            "incomplete_details": None,
            "model": f"m of {self._key}",
            "output": [message],
            "usage": {"input_tokens": 10, "output_tokens": 10, "total_tokens": 20},
            "metadata": {"echo": self._key},
        }

    # -- faults, each once

    def bad_question(self):
        self._send(400, self._error(f"{'x' * 290} {self._key} is not understood"))

    def bad_form(self):
        self._send(400, self._error(f"{self._key}: response_format is not supported", param="response_format"))

    def too_many(self):
        self._send(429, self._error(f"slow down, {self._key}"), Retry_After="0")

    def broken(self):
        self._send(500, self._error(self._key))

    def proxy_page(self):
        self._send(502, f"<html>{self._key}</html>".encode())

    def no_json(self):
        self._send(200, f"{self._key} {{".encode())

    def no_choice(self):
        self._send(200, {"choices": self._key})

    def redirect(self):
        self._send(307, b"", Location=f"/elsewhere?{self._key}")

    def cut(self):
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + self._key.encode())

    def no_http(self):
        self.close_connection = True
        self.wfile.write(f"HTTP/1.1 {self._key}\r\n\r\n".encode())

    def no_header(self):
        self.close_connection = True
        self.wfile.write(f"HTTP/1.1 200 OK\r\n{self._key}\x00 no header\r\n\r\n".encode())

    def long_header(self):
        self.close_connection = True
        self.wfile.write(f"HTTP/1.1 200 OK\r\nx-long: {self._key * 1000}\r\n\r\n".encode())


FAULTS = (
    Echo.bad_form,
    Echo.too_many,
    Echo.broken,
    Echo.proxy_page,
    Echo.no_json,
    Echo.no_choice,
    Echo.cut,
    Echo.no_http,
    Echo.no_header,
    Echo.long_header,
    Echo.bad_question,
    Echo.redirect,
)


class EchoServer(ThreadingHTTPServer):
    """The endpoint in threads of its own; `echoed` counts the questions by key."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Echo)
        self.model = OfflineModel(Shelves())
        self.echoed = Counter()
        self.told = []
        self._asked = 0
        self._faults = iter(FAULTS)
        self._lock = threading.Lock()

    def next_fault(self):
        """Give the next fault to every second question, None to the others and once all were told."""
        with self._lock:
            self._asked += 1
            fault = next(self._faults, None) if self._asked % 2 else None
            if fault is not None:
                self.told.append(fault.__name__)
            return fault

    def handle_error(self, *_):
        """Pass over clients that hang up."""


@pytest.fixture(scope="module")
def echo():
    with EchoServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


# -- the search


def pieces(keys):
    """Give every piece of every key that must be nowhere."""
    return sorted({key[n : n + PIECE].encode() for key in keys for n in range(len(key) - PIECE + 1)})


def found_in(data, keys):
    """Give the pieces of keys that some bytes hold."""
    return [piece.decode() for piece in pieces(keys) if piece in data]


def contents(path):
    """Give the bytes of a file, and once more what they say where they are a table or a ledger."""
    yield path.read_bytes()
    if path.suffix == ".parquet":
        rows = pq.ParquetFile(path).read().to_pylist()
        yield "\n".join(_strings(rows)).encode()
    elif path.suffix == ".sqlite":
        yield from _ledger(path)


def _strings(value):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
    else:
        yield str(value)


def _ledger(path):
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        tables = [name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            for row in connection.execute(f"select * from {table}"):
                for value in row:
                    yield value if isinstance(value, bytes) else str(value).encode()
                    with contextlib.suppress(TypeError, zlib.error):  # whatever is packed
                        yield zlib.decompress(value)
    finally:
        connection.close()


def leaks(folder, keys):
    """Give what holds a piece of a key: file -> pieces."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        for data in contents(path):
            if held := found_in(data, keys):
                found.setdefault(path.relative_to(folder).as_posix(), []).extend(held)
    return found


# -- the programs


@pytest.fixture(scope="module")
def place(tmp_path_factory, echo):
    """Give a folder of recipes, settings and code; what the programs write goes into its folder `out`."""
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "out").mkdir()
    where = f"http://127.0.0.1:{echo.server_port}"
    ways = {
        "plain": ("echo", "wire"),
        "regex": ("echo", "wire"),
        "failing": ("fail", "wire"),
        "refused": ("refuse", "wire"),
        "responses": ("echo", "responses"),
        "router": ("echo", "router, provider: openai"),
    }
    lines = [
        f"  {alias}: {{url: '{where}/{way}/v1', key: {alias.upper()}_KEY, lane: {lane}, timeout: 20}}"
        for alias, (way, lane) in ways.items()
    ]
    (folder / "settings.yaml").write_text("\n".join(["endpoints:", *lines]) + "\n", encoding="utf-8")
    mistakes = {
        "password": f"url: 'https://me:{MISPLACED}@example.org/v1'",
        "field": f"url: 'https://example.org/v1', api_key: '{MISPLACED}'",
    }
    for name, text in mistakes.items():
        (folder / f"{name}.yaml").write_text(f"endpoints:\n  plain: {{{text}}}\n", encoding="utf-8")
    for writer in ways:
        text = RECIPE.format(more=MODELS.format(writer=f"{writer}/m", annotator="regex/m"))
        (folder / f"{writer}.recipe.yaml").write_text(text, encoding="utf-8")
    _with_broken_filter(folder)
    return folder


def _with_broken_filter(folder):
    text = RECIPE.format(
        more=MODELS.format(writer="plain/m", annotator="regex/m") + "suite: broken\noverlays: [overlay]\n"
    )
    (folder / "filter.recipe.yaml").write_text(text, encoding="utf-8")
    suites = folder / "overlay/filters/suites"
    suites.mkdir(parents=True)
    suite = "suite: broken\nversion: 1\nfilters:\n- {filter: 'acme-sieves:broken', evidence: none}\n"
    (suites / "broken.yaml").write_text(suite, encoding="utf-8")
    info = folder / "site/acme_sieves-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-sieves\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[synth.filters]\nbroken = acme_broken:broken\n", encoding="utf-8")
    (folder / "site/acme_broken.py").write_text(PLUG_IN, encoding="utf-8")
    (folder / "site/sitecustomize.py").write_text(SITECUSTOMIZE, encoding="utf-8")
    (folder / "listener.py").write_text(LISTENER, encoding="utf-8")


BUILDS = {
    # name: exit codes, words
    "plain": ({0, 3}, ("build", "plain.recipe.yaml", "-o", "out/plain", "--json")),
    "failing": ({0, 3}, ("build", "failing.recipe.yaml", "-o", "out/failing")),
    "refused": ({4}, ("build", "refused.recipe.yaml", "-o", "out/refused")),
    "responses": ({0, 3}, ("build", "responses.recipe.yaml", "-o", "out/responses")),
    "router": ({0, 3}, ("build", "router.recipe.yaml", "-o", "out/router")),
    "filter": ({2}, ("build", "filter.recipe.yaml", "-o", "out/filter")),
    "missing key": ({4}, ("build", "plain.recipe.yaml", "-o", "out/missing")),
    "listener": ({1}, ("listener.py", "plain.recipe.yaml", "out/listener")),
}
READS = {
    "status": ({0}, ("status", "out/plain")),
    "status as json": ({0}, ("status", "out/failing", "--json")),
    "inspect": ({0}, ("inspect", "out/plain")),
    "verify": ({0, 1}, ("verify", "out/plain")),
    "ledger": ({0}, ("ledger", "out/failing", "stats", "--json")),
    "plan": ({0, 2}, ("plan", "plain.recipe.yaml", "--json")),
    "doctor": ({1}, ("doctor", "refused.recipe.yaml")),
    "doctor as json": ({0, 1}, ("doctor", "--json")),
    "doctor asks": ({0, 1}, ("doctor", "plain.recipe.yaml", "--ask")),
    "password": ({2}, ("build", "plain.recipe.yaml", "-o", "out/none")),
    "field": ({1}, ("doctor", "plain.recipe.yaml")),
    "given password": ({2}, ("doctor", "--endpoint", f"plain=https://me:{MISPLACED}@example.org/v1")),
    "given variable": ({2}, ("build", "plain.recipe.yaml", "--endpoint", f"plain=https://example.org/v1,{MISPLACED}")),
}
MISTAKES = ("password", "field")


def run(place, name, words):
    """Run one program as a person would who looks for a fault, and keep what it says beside what it writes."""
    environment = {
        **os.environ,
        **KEYS,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(place / "site")]),
        "SYNTH_SETTINGS": str(place / (f"{name}.yaml" if name in MISTAKES else "settings.yaml")),
        "SYNTH_DEBUG": "1",
        "OPENAI_LOG": "debug",
        "LITELLM_LOG": "DEBUG",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONIOENCODING": "utf-8",
    }
    if name == "missing key":
        del environment["PLAIN_KEY"]
    program = [words[0]] if words[0].endswith(".py") else ["-m", "synth", words[0]]
    command = [sys.executable, "-X", "dev", *program, *words[1:]]
    with (place / "out" / f"{name}.stdout").open("wb") as out, (place / "out" / f"{name}.stderr").open("wb") as err:
        done = subprocess.run(command, cwd=place, env=environment, stdout=out, stderr=err, timeout=300, check=False)
    return done.returncode


@pytest.fixture(scope="module")
def ended(place):
    """Run every program, and give their exit codes by name."""
    found = {}
    for programs in (BUILDS, READS):
        with ThreadPoolExecutor(2) as pool:
            codes = pool.map(lambda one: run(place, one[0], one[1][1]), programs.items())
            found |= dict(zip(programs, codes, strict=True))
    return found


def said(place, name):
    """Give all that a program said."""
    return "".join((place / "out" / f"{name}.{stream}").read_text(encoding="utf-8") for stream in ("stdout", "stderr"))


# -- the proof


@pytest.mark.parametrize("name", [*BUILDS, *READS])
def test_the_program_ended_as_it_should(place, ended, name):
    expected = (BUILDS | READS)[name][0]
    assert ended[name] in expected, said(place, name)[-3000:]


def test_no_piece_of_a_key_is_anywhere(place, ended):
    assert leaks(place / "out", ALL) == {}


def test_keys_were_really_echoed(echo, ended):
    del ended
    sent = set(KEYS.values()) - {KEYS["UNUSED_KEY"]}
    assert sent == set(echo.echoed)
    assert echo.told == [fault.__name__ for fault in FAULTS]


def test_what_was_struck_out_stands_as_struck_out(place, ended):
    """The echo went through everything: rows, ledger and errors say [key] where it was."""
    del ended
    rows = [data for path in (place / "out/plain").rglob("replies.parquet") for data in contents(path)]
    assert any(b"[key]" in data for data in rows)
    for name in ("plain", "responses", "router"):
        ledger = [data for path in (place / "out" / name / "ledger").glob("*.sqlite") for data in contents(path)]
        assert any(b"[key]" in data for data in ledger), name
    assert "[key]" in "".join(
        data.decode("utf-8", "replace")
        for path in (place / "out/failing/ledger").glob("*.sqlite")
        for data in contents(path)
    )


def test_the_programs_spoke_at_length(place, ended):
    """Logging, development mode and tracebacks were really on."""
    del ended
    assert "DEBUG:asyncio" in said(place, "plain")
    assert "Traceback (most recent call last)" in said(place, "refused")
    assert "the listener failed" in said(place, "listener")
    assert "acme-sieves:broken" in said(place, "filter")
    assert re.search(r"DEBUG:openai", said(place, "responses"))


def test_wrong_settings_are_refused_without_quoting(place, ended):
    for name in MISTAKES:
        assert f"{name}.yaml:2" in said(place, name), name
    del ended


# -- the search finds what is there


def test_the_search_finds_a_planted_key(tmp_path):
    key = KEYS["PLAIN_KEY"]
    (tmp_path / "log.txt").write_text(f"... {key[5 : 5 + PIECE]} ...", encoding="utf-8")
    (tmp_path / "clean.txt").write_text(key[: PIECE - 1], encoding="utf-8")
    assert leaks(tmp_path, ALL) == {"log.txt": [key[5 : 5 + PIECE]]}


def test_the_search_finds_a_key_in_a_table(tmp_path):
    import pyarrow as pa

    table = pa.table({"a": [["x", KEYS["REGEX_KEY"]]], "b": [1]})
    pq.write_table(table, tmp_path / "t.parquet", compression="zstd")
    assert "t.parquet" in leaks(tmp_path, ALL)


def test_the_search_finds_a_key_in_a_ledger(tmp_path):
    connection = sqlite3.connect(tmp_path / "l.sqlite")
    connection.execute("create table answers (text blob)")
    connection.execute("insert into answers values (?)", (zlib.compress(f"the key {KEYS['PLAIN_KEY']}".encode(), 1),))
    connection.commit()
    connection.close()
    assert found_in((tmp_path / "l.sqlite").read_bytes(), ALL) == []
    assert "l.sqlite" in leaks(tmp_path, ALL)


def test_every_key_has_many_pieces_and_none_is_in_the_code_of_another():
    assert len(KEYS["PLAIN_KEY"]) == 51
    assert all(len(key) > 2 * PIECE for key in ALL)
    assert all(not found_in(one.encode(), [other]) for one in ALL for other in ALL if one != other)
