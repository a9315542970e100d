"""Race the call path against raw aiohttp and the openai client, on a loopback server with a fixed latency, in one run.

Usage: python benchmarks/race.py [--records 4000] [--concurrency 256] [--latency 0.2] [--rounds 3] [--quick]. Prints one JSON
line: medians of the rounds, in which the contestants take turns. `fraction` is throughput against the ideal, concurrency
divided by latency; `of_raw` and `of_openai` are ratios of this project's throughput to theirs in the same run; CPU is that of
the contestant's process while it asks. This project's answers are durable in its ledger; the others keep nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PROMPT = "rec-{}: Write a short scenario in which a junior nurse disagrees with a senior surgeon. Answer as JSON."
TEXT = (
    "She says the deadline hurt because nobody had asked the night team, and she would rather argue about it now. " * 6
)
CONTESTANTS = ("aiohttp", "openai", "synth")


class Served(asyncio.Protocol):
    """One connection of the loopback server: every POST is answered alike after the latency; no framework, so it is no bottleneck."""

    latency = 0.2
    answer = b""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        """Keep where to answer."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Take what came, and answer every whole request in it."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.buffer[:end]).lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if len(self.buffer) < end + 4 + length:
                return
            del self.buffer[: end + 4 + length]
            asyncio.get_running_loop().call_later(self.latency, self._answer)

    def _answer(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(self.answer)


def body() -> bytes:
    """Give the one answer, as an OpenAI-compatible endpoint spells it."""
    content = json.dumps({"scenario": TEXT, "intent": "confront", "affect": "anger"})
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 120, "completion_tokens": 150, "total_tokens": 270}
    whole = {"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
    return json.dumps(whole).encode()


def serve(port: Any, latency: float) -> None:
    """Serve until killed, in a process of its own."""
    said = body()
    told = b"x-ratelimit-limit-requests: 1000000\r\nx-ratelimit-remaining-requests: 999999\r\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + told
    Served.answer = head + b"Content-Length: %d\r\n\r\n" % len(said) + said
    Served.latency = latency

    async def live() -> None:
        server = await asyncio.get_running_loop().create_server(Served, "127.0.0.1", 0, backlog=4096)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(live())


async def ask_aiohttp(url: str, numbers: Iterator[int], concurrency: int) -> None:
    """Ask with nothing but aiohttp."""
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency)) as session:

        async def work() -> None:
            for number in numbers:
                message = {"role": "user", "content": PROMPT.format(number)}
                asked = {"model": "m", "messages": [message], "temperature": 0.7}
                async with session.post(f"{url}/chat/completions", json=asked) as answer:
                    told = await answer.json()
                json.loads(told["choices"][0]["message"]["content"])

        await asyncio.gather(*(work() for _ in range(concurrency)))


async def ask_openai(url: str, numbers: Iterator[int], concurrency: int) -> None:
    """Ask with the openai client over its aiohttp transport, the faster of its two."""
    import openai

    client = openai.AsyncOpenAI(
        base_url=url, api_key="none", max_retries=0, http_client=openai.DefaultAioHttpClient(), timeout=600
    )

    async def work() -> None:
        for number in numbers:
            answer = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": PROMPT.format(number)}], temperature=0.7
            )
            json.loads(answer.choices[0].message.content or "")

    await asyncio.gather(*(work() for _ in range(concurrency)))
    await client.close()


def contend(name: str, url: str, records: int, concurrency: int) -> None:
    """Run a contestant of this file in this process, and print what it took."""
    ask = {"aiohttp": ask_aiohttp, "openai": ask_openai}[name]
    __import__(name)
    began, used = time.time(), time.process_time()
    asyncio.run(ask(url, iter(range(records)), concurrency))
    told = {
        "run_s": time.time() - began,
        "run_cpu_s": time.process_time() - used,
        "ok": records,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print("\nRESULT " + json.dumps(told), flush=True)


def one(name: str, url: str, given: argparse.Namespace) -> dict[str, float]:
    """Run a contestant in a process of its own and give its figures."""
    asked = ["-n", str(given.records), "-c", str(given.concurrency), "--base-url", url]
    with tempfile.TemporaryDirectory(prefix="synth-race-") as out:
        script = HERE / ("call_path.py" if name == "synth" else "race.py")
        own = ["--out", out] if name == "synth" else ["--contestant", name]
        command = [sys.executable, str(script), *asked, *own]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    result: dict[str, float] = json.loads(told.rpartition("RESULT ")[2])
    if result["ok"] != given.records:
        raise SystemExit(f"{name} has {result['ok']} good answers of {given.records}")
    result["records_per_s"] = given.records / result["run_s"]
    result["cpu_ms"] = 1000 * result["run_cpu_s"] / given.records
    return result


def race(given: argparse.Namespace) -> dict[str, Any]:
    """Give the medians of every contestant, and the ratios."""
    port: Any = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(port, given.latency), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{port.get()}/v1"
    found: dict[str, list[dict[str, float]]] = {name: [] for name in CONTESTANTS}
    for _ in range(given.rounds):
        for name in CONTESTANTS:
            found[name].append(one(name, url, given))
    server.kill()
    ideal = given.concurrency / given.latency
    shown: dict[str, Any] = {}
    for name, runs in found.items():
        figures = ("records_per_s", "cpu_ms", "rss_mb", *(("first_durable_s",) if name == "synth" else ()))
        middle = {figure: round(statistics.median(run[figure] for run in runs), 3) for figure in figures}
        shown[name] = middle | {"fraction": round(middle["records_per_s"] / ideal, 3)}
    speed = {name: figures["records_per_s"] for name, figures in shown.items()}
    ratios = {
        "of_raw": round(speed["synth"] / speed["aiohttp"], 3),
        "of_openai": round(speed["synth"] / speed["openai"], 2),
    }
    setting = {name: getattr(given, name) for name in ("records", "concurrency", "latency", "rounds")}
    return setting | {"load": round(os.getloadavg()[0], 2)} | ratios | shown


def main() -> int:
    """Race as the command line asks for; 1 where the call path is slower than promised."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", "-n", type=int, default=4_000)
    parser.add_argument("--concurrency", "-c", type=int, default=256)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round of 2,000 records")
    parser.add_argument("--contestant", choices=CONTESTANTS[:2])
    parser.add_argument("--base-url", default="")
    given = parser.parse_args()
    if given.contestant:
        contend(given.contestant, given.base_url, given.records, given.concurrency)
        return 0
    if given.quick:
        given.records, given.rounds = 2_000, 1
    found = race(given)
    print(json.dumps(found))
    kept = found["of_raw"] >= 0.85 and found["synth"]["cpu_ms"] <= 0.5 and found["synth"]["rss_mb"] <= 150
    return 0 if kept and found["synth"]["first_durable_s"] <= 1.0 else 1


if __name__ == "__main__":
    raise SystemExit(main())
