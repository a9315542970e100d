"""Which endpoint stands behind a model's name, and its address: told alike by every lane."""

from __future__ import annotations

import pytest

from synth.errors import UsageError
from synth.models import batch, direct, local, router, wire
from synth.models.base import Endpoint
from synth.models.endpoints import address_of, endpoint_of, served_endpoint_of

URL = "http://127.0.0.1:9/v1"
ASKED_BY_URL = [wire.open_model, direct.open_model, batch.open_model]


@pytest.mark.parametrize("open_model", [*ASKED_BY_URL, router.open_model, local.open_model])
def test_an_alias_that_nobody_has_is_named_with_its_nearest(open_model):
    with pytest.raises(UsageError, match=r"has the alias 'locla' \(model 'locla/m'\)") as caught:
        open_model("locla/m", {"local": Endpoint("local", URL, "", None)})
    assert caught.value.hint == "did you mean 'local'? valid: local"


@pytest.mark.parametrize("open_model", ASKED_BY_URL)
def test_a_lane_that_asks_by_url_wants_an_endpoint_with_one(open_model):
    with pytest.raises(UsageError, match="no endpoint with a URL has the alias 'here'"):
        open_model("here/m", {"here": Endpoint("here", None, "", None)})


@pytest.mark.parametrize("open_model", [*ASKED_BY_URL, router.open_model])
@pytest.mark.parametrize("url", ["ftp://host/v1", "https://me:hunter2@host/v1", "https://h/v1?key=hunter2"])
def test_an_address_is_plain_and_is_not_quoted(open_model, url):
    with pytest.raises(UsageError, match="the URL of endpoint 'here' is not a plain http or https address") as caught:
        open_model("here/m", {"here": Endpoint("here", url, "", "PLANTED_KEY", provider="openai")})
    assert "https://host/v1" in caught.value.hint
    assert "hunter2" not in str(caught.value)


def test_an_endpoint_is_found_by_its_alias_and_asked_without_a_slash_at_the_end():
    served, folder = Endpoint("here", f"{URL}/", "", None), Endpoint("there", None, "", None, lane="local")
    endpoints = {"here": served, "there": folder}
    assert served_endpoint_of("here/org/m", endpoints) is served
    assert endpoint_of("there/m.gguf", endpoints) is folder
    assert address_of(served) == URL


def test_a_name_that_is_none_is_told_how_to_be_written():
    for look in (endpoint_of, served_endpoint_of):
        with pytest.raises(UsageError, match="'here' is not a model name"):
            look("here", {"here": Endpoint("here", URL, "", None)})


def test_an_endpoint_without_a_url_has_no_address():
    with pytest.raises(UsageError, match="the URL of endpoint 'there'"):
        address_of(Endpoint("there", None, "", None))
