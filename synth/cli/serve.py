"""`synth serve`: the embedded model over HTTP, with faults on request."""

from __future__ import annotations

import asyncio
import errno
import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from synth.cli.options import Prices, overlay_option, shelves_of
from synth.errors import UsageError

if TYPE_CHECKING:
    from synth.models.prices import Price
    from synth.offline.conduct import Options

F = TypeVar("F", bound=Callable[..., Any])


class _Outage(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """From which request on a server is dead, and for how many seconds."""

    name = "from,seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, float]:
        """Give both numbers."""
        if isinstance(value, tuple):
            return value
        try:
            first, seconds = value.split(",")
            return int(first), float(seconds)
        except ValueError:
            self.fail(f"{value!r} is no outage; write 500,10 (from request 500 on, for 10 seconds)", param, ctx)


def _conduct_options(function: F) -> F:
    """Add what makes the server behave like one that costs, limits and fails."""
    share, many = click.FloatRange(0, 1), click.IntRange(min=1)
    seconds = click.FloatRange(min=0)
    for add in (
        click.option("--seed", metavar="N", type=int, default=0, help="Draws other faults for the same questions."),
        click.option("--outage", metavar="FROM,SECONDS", type=_Outage(), help="Dead from a request on, for so long."),
        click.option("--key-variable", metavar="NAME", help="Ask for the key that this environment variable holds."),
        click.option("--heeds", is_flag=True, help="Answers depend on the instruction, to rehearse `synth tune`."),
        click.option("--prompt-cache", is_flag=True, help="Count messages that came before as read from a cache."),
        click.option("--price", metavar="READ,WRITTEN", type=Prices(), help="US dollars a million tokens, to count."),
        click.option("--tokens-per-minute", metavar="N", type=many, help="Answer 429 beyond it."),
        click.option("--requests-per-minute", metavar="N", type=many, help="Answer 429 beyond it."),
        click.option("--reasoning", is_flag=True, help="Refuse max_tokens, as reasoning models do."),
        click.option("--no-json-mode", is_flag=True, help="Refuse the response format json_object too."),
        click.option("--no-schema", is_flag=True, help="Refuse the response format json_schema."),
        click.option(
            "--retry-after",
            metavar="SECONDS",
            type=seconds,
            default=1.0,
            show_default=True,
            help="What the fault rate-limit asks to wait.",
        ),
        click.option("--jitter", metavar="SHARE", type=share, default=0.0, help="How far latency varies, 0 to 1."),
        click.option("--latency", metavar="SECONDS", type=seconds, default=0.0, help="How long each answer takes."),
        click.option(
            "--fault", "faults", metavar="NAME=RATE", multiple=True, help="A share of questions fails (repeatable)."
        ),
    ):
        function = add(function)
    return function


@click.command("serve", short_help="Serve the embedded model as an OpenAI-compatible endpoint.")
@click.option("--host", metavar="NAME", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", metavar="N", type=click.IntRange(0, 65535), default=0, help="Which port; 0 takes a free one.")
@_conduct_options
@overlay_option
def command(host: str, port: int, overlays: tuple[str, ...], **given: Any) -> None:
    """Serve the embedded model as an OpenAI-compatible endpoint, and print its URL.

    Rehearse a build over HTTP for nothing: synth build RECIPE --endpoint offline=URL. Ctrl-C stops it. GET /stats tells what was asked and answered,
    GET /met which answer went out with which fault; POST /reset sets both to zero.

    With --fault the endpoint fails as real ones do. The same questions fail at each run; --seed draws others.

    With --heeds the writer leaves something out of each answer unless its instruction says "leave nothing out", and a model that is asked for a better
    instruction adds these words: `synth tune` can be rehearsed, and nothing is learned about real models.

    \b
    Drawn anew each time a question is asked:
      rate-limit, rate-limit-date, rate-limit-ms, rate-limit-long,
      unauthorised, server-error, reset, stalled-body, cut-body
    For good, instead of an answer:
      content-filter, bad-parameter
    For good, in the answer:
      cut-json, wrong-json, wrong-schema, wrong-language, refusal, empty,
      huge, surrogate, nan, deep, wrong-label, wrong-span, duplicate,
      truncated, wrong-length, no-cues, yes-saying, no-saying
    """  # noqa: D301 (click reads the backspace, and keeps the lines as they are)
    from synth.offline.embedded import OfflineModel
    from synth.offline.serve import serve

    options = _options(**given)
    model = OfflineModel(shelves_of(overlays))
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
    try:
        asyncio.run(serve(model.answer, host, port, name=model.name, ready=click.echo, **options))
    except KeyboardInterrupt:
        return  # the way in which a server ends
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES) or port:
            hint = "name another --host or --port; port 0 takes a free one"
            raise UsageError(f"cannot listen on {host}:{port}: {error.strerror or error}", hint=hint) from None
        raise


def _options(
    faults: tuple[str, ...],
    price: Price | None,
    outage: tuple[int, float] | None,
    no_schema: bool,
    no_json_mode: bool,
    **plain: Any,
) -> Options:
    """Give the flags as the server takes them."""
    from synth.models.prices import FREE
    from synth.offline.conduct import Outage
    from synth.offline.faults import Faults

    options = {
        "faults": Faults.parse(faults),
        "price": price or FREE,
        "outage": Outage(*outage) if outage else None,
        "schema": not no_schema,
        "json_mode": not no_json_mode,
    }
    return cast("Options", options | plain)


def _interrupt(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt
