"""`synth serve` in a process of its own, and a build against it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from urllib.request import urlopen

import pytest


@pytest.fixture
def served(child_environment):
    server = subprocess.Popen(
        [sys.executable, "-m", "synth", "serve"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment,
    )
    try:
        yield server, server.stdout.readline().strip()
    finally:
        server.kill()
        server.communicate()


def test_it_prints_its_url_serves_a_build_and_stops_on_ctrl_c(served, run, tiny, tiny_recipe, tmp_path, parts_of):
    server, url = served
    assert url.startswith("http://127.0.0.1:")
    assert url.endswith("/v1")
    made = run("build", tiny_recipe, "-o", tmp_path / "b", "--endpoint", f"offline={url}")
    assert made.returncode == 0, made.stderr
    assert parts_of(tmp_path / "b") == parts_of(tiny)
    with urlopen(url.removesuffix("/v1") + "/stats") as answer:
        assert json.load(answer)["ok"] > 100
    server.send_signal(signal.SIGINT)
    rest, said = server.communicate(timeout=30)
    assert (server.returncode, rest, said) == (0, "", "")


def test_a_port_that_is_taken_is_exit_2(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = run("serve", "--port", port)
    assert answer.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in answer.stderr
    assert "port 0 takes a free one" in answer.stderr
