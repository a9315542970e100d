"""`synth serve` in a process of its own, and builds against it."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from synth.offline.faults import NAMES


@contextlib.contextmanager
def serving(environment, *options):
    """Run the server; gives its process and its URL."""
    server = subprocess.Popen(
        [sys.executable, "-m", "synth", "serve", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        yield server, server.stdout.readline().strip()
    finally:
        server.kill()
        server.communicate()


def stats(url):
    with urlopen(url.removesuffix("/v1") + "/stats") as answer:
        return json.load(answer)


def refusal(url, **headers):
    """Give status, headers and body of a question that is refused."""
    body = json.dumps({"model": "offline", "messages": [{"role": "user", "content": "hello"}]}).encode()
    with pytest.raises(HTTPError) as caught:
        urlopen(Request(url + "/chat/completions", body, headers))
    with caught.value as answer:
        return answer.code, answer.headers, json.load(answer)


def test_it_prints_its_url_serves_a_build_and_stops_on_ctrl_c(
    child_environment, run, tiny, tiny_recipe, tmp_path, parts_of
):
    with serving(child_environment) as (server, url):
        assert url.startswith("http://127.0.0.1:")
        assert url.endswith("/v1")
        made = run("build", tiny_recipe, "-o", tmp_path / "b", "--endpoint", f"offline={url}")
        assert made.returncode == 0, made.stderr
        assert parts_of(tmp_path / "b") == parts_of(tiny)
        assert stats(url)["ok"] > 100
        server.send_signal(signal.SIGINT)
        rest, said = server.communicate(timeout=30)
        assert (server.returncode, rest, said) == (0, "", "")


def test_a_build_comes_through_faults_that_pass(child_environment, run, tiny, tiny_recipe, tmp_path, parts_of):
    faults = ("--fault", "server-error=0.05", "--fault", "reset=0.03", "--fault", "rate-limit=0.05")
    conduct = ("--retry-after", "0.01", "--price", "0.15,0.6", "--latency", "0.001", "--jitter", "0.5", "--seed", "4")
    with serving(child_environment, *faults, *conduct) as (_, url):
        made = run("build", tiny_recipe, "-o", tmp_path / "b", "--endpoint", f"offline={url}")
        assert made.returncode == 0, made.stderr
        told = stats(url)
    assert parts_of(tmp_path / "b") == parts_of(tiny)
    failed = sum(told["faults"][name] for name in ("server-error", "reset", "rate-limit"))
    assert 0 < failed == told["requests"] - told["ok"]
    assert told["distinct"] == told["ok"]
    assert told["micro_units"] > 0


def test_every_option_reaches_the_server(child_environment):
    options = ("--no-schema", "--no-json-mode", "--reasoning", "--prompt-cache", "--outage", "9,60")
    limits = ("--requests-per-minute", "5", "--tokens-per-minute", "5000", "--key-variable", "REHEARSAL_KEY")
    environment = child_environment | {"REHEARSAL_KEY": "sk-planted-0123456789abcdef"}
    with serving(environment, *options, *limits, "--fault", "content-filter=1") as (server, url):
        assert refusal(url)[0] == 401
        status, headers, body = refusal(url, Authorization="Bearer sk-planted-0123456789abcdef")
        assert (status, body["error"]["code"]) == (400, "content_filter")
        assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("5", "4")
        assert headers["x-ratelimit-limit-tokens"] == "5000"
        told = stats(url)
        assert (told["faults"]["key-variable"], told["faults"]["content-filter"]) == (1, 1)
        server.send_signal(signal.SIGINT)
        assert "planted" not in "".join(server.communicate(timeout=30))


def test_a_port_that_is_taken_is_exit_2(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = run("serve", "--port", port)
    assert answer.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in answer.stderr
    assert "port 0 takes a free one" in answer.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--fault", "rate-limits=0.1"), "did you mean 'rate-limit'?"),
        (("--fault", "reset"), "write reset=RATE"),
        (("--fault", "reset=2"), "a share of the questions from 0 to 1"),
        (("--outage", "10"), "write 500,10"),
        (("--outage", "0,10"), "begins at request 1"),
        (("--price", "1"), "write 0.5,1.5"),
        (("--latency", "-1"), "--latency"),
        (("--key-variable", "NOBODY_SET_THIS"), "key variable"),
    ],
)
def test_what_cannot_be_served_is_exit_2_with_the_way_out(invoke, options, says):
    answer = invoke("serve", *options)
    assert answer.exit_code == 2
    assert says in answer.stderr


def test_the_help_names_every_fault(invoke):
    listed = invoke("serve", "--help").stdout.replace(",", " ").split()
    assert set(NAMES) <= set(listed)
