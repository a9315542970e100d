"""`synth serve`: the embedded model over HTTP."""

from __future__ import annotations

import asyncio
import errno
import signal
import threading
from typing import Any

import click

from synth.cli.options import overlay_option, shelves_of
from synth.errors import UsageError


@click.command("serve", short_help="Serve the embedded model as an OpenAI-compatible endpoint.")
@click.option("--host", metavar="NAME", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", metavar="N", type=click.IntRange(0, 65535), default=0, help="Which port; 0 takes a free one.")
@overlay_option
def command(host: str, port: int, overlays: tuple[str, ...]) -> None:
    """Serve the embedded model as an OpenAI-compatible endpoint, and print its URL.

    Rehearse a build over HTTP for nothing: synth build RECIPE --endpoint offline=URL. Ctrl-C stops it.
    """
    from synth.offline.embedded import OfflineModel
    from synth.offline.serve import serve

    model = OfflineModel(shelves_of(overlays))
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        asyncio.run(serve(model.answer, host, port, name=model.name, ready=click.echo))
    except KeyboardInterrupt:
        return  # the way in which a server ends
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES) or port:
            hint = "name another --host or --port; port 0 takes a free one"
            raise UsageError(f"cannot listen on {host}:{port}: {error.strerror or error}", hint=hint) from None
        raise


def _interrupt(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt
