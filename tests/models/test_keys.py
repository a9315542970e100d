"""A key is struck out however it is spelled, of bodies and of logs, and nothing else is."""

from __future__ import annotations

import io
import json
import logging
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.models.keys import keep_from_logs, without_key

KEYS = st.text(string.ascii_letters + string.digits + string.punctuation, min_size=16, max_size=60).filter(
    # what ends in a backslash cannot be told from an escape of what follows
    lambda key: key[0].isalnum() and key[-1].isalnum()
)
SPELLINGS = {
    "plain": lambda key: key,
    "json": json.dumps,
    "php": lambda key: json.dumps(key).replace("/", "\\/"),
    "numbers": lambda key: "".join(f"\\u{ord(letter):04X}" for letter in key),
    "quoted twice": lambda key: json.dumps(json.dumps({"error": key})),
    "python": lambda key: repr([key]),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@given(key=KEYS, before=st.text(max_size=20), after=st.text(max_size=20))
def test_a_key_is_struck_out_however_it_is_spelled(spelling, key, before, after):
    told = f"{before} {SPELLINGS[spelling](key)} {after}".encode("utf-8", "replace")
    struck = without_key(told, key)
    assert b"[key]" in struck
    assert SPELLINGS[spelling](key).encode() not in struck
    assert key.encode() not in struck


@given(KEYS, st.binary(max_size=200))
def test_what_holds_no_key_is_left_as_it_is(key, body):
    if key[:8].encode() not in body:
        assert without_key(body.replace(b"\\", b"/"), key) == body.replace(b"\\", b"/")


def test_json_stays_json():
    key = 'sk-"quoted\\key/0123456789'
    assert json.loads(without_key(json.dumps({"a": f"x {key} y"}).encode(), key)) == {"a": "x [key] y"}


def test_a_placeholder_is_no_key():
    assert without_key(b"EMPTY is a word", "EMPTY") == b"EMPTY is a word"


@pytest.mark.parametrize("name", ["openai._base_client", "httpx", "LiteLLM"])
def test_client_libraries_log_no_key(name):
    key = "sk-logged-\\'0123456789abcdef"
    logger, said = logging.getLogger(name), io.StringIO()
    handler, level = logging.StreamHandler(said), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        keep_from_logs(key)
        logger.debug("headers %s", [("x-request-id", key)])
        logger.debug("failed", exc_info=ValueError(f"400 {key} for url"))
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert "[key]" in said.getvalue()
    assert "ValueError: 400 [key] for url" in said.getvalue()
    assert "0123456789" not in said.getvalue()
