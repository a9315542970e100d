from __future__ import annotations

import json
from fractions import Fraction

import prices as maker
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.models.base import Endpoint, Usage
from synth.models.price_table import HOSTS, PriceTable, is_own_machine, provider_of
from synth.models.prices import FREE, Price

MONEY = st.integers(0, 10**9)
TOKENS = st.integers(0, 10**7)
PRICES = st.builds(Price, MONEY, MONEY, st.none() | MONEY)
USAGES = st.builds(Usage, TOKENS, TOKENS, TOKENS)


def endpoint(url: str | None = None, **more) -> Endpoint:
    return Endpoint("mine", url, "", None, **more)


OPENAI = endpoint("https://api.openai.com/v1")


# -- one price


def exactly(price: Price, usage: Usage) -> Fraction:
    """Give what a call costs, with fractions of a micro-unit."""
    cached = min(usage.tokens_cached, usage.tokens_in)
    each = price.read if price.cached is None else price.cached
    whole = (usage.tokens_in - cached) * price.read + cached * each + usage.tokens_out * price.written
    return Fraction(whole, 1_000_000)


@given(PRICES, USAGES)
def test_a_cost_is_rounded_up_and_by_less_than_one(price, usage):
    cost = price.cost(usage)
    assert type(cost) is int
    assert 0 <= cost - exactly(price, usage) < 1


@given(PRICES, USAGES, TOKENS, TOKENS)
def test_more_tokens_never_cost_less(price, usage, more_in, more_out):
    more = Usage(usage.tokens_in + more_in, usage.tokens_out + more_out, min(usage.tokens_cached, usage.tokens_in))
    assert price.cost(more) >= price.cost(usage)


@given(PRICES, USAGES)
def test_no_call_costs_more_than_the_most(price, usage):
    assert price.most(usage.tokens_in, usage.tokens_out) >= price.cost(usage)


@given(PRICES, TOKENS, TOKENS)
def test_the_most_can_be_reached(price, tokens_in, tokens_out):
    reached = {price.cost(Usage(tokens_in, tokens_out, cached)) for cached in (0, tokens_in)}
    assert price.most(tokens_in, tokens_out) == max(reached)


@given(PRICES, st.lists(USAGES, max_size=20))
def test_the_sum_of_calls_is_never_below_the_cost_of_all(price, usages):
    assert sum(map(price.cost, usages)) >= sum(exactly(price, usage) for usage in usages)


def test_a_known_bill():
    """gpt-4o-mini as of its day: 0.15, 0.60 and, cached, 0.075 USD a million; 1,000 read, 400 of them cached, 500 written."""
    assert Price(150_000, 600_000, 75_000).cost(Usage(1_000, 500, 400)) == 420
    assert FREE.cost(Usage(10**7, 10**7)) == 0


# -- the table


def test_the_shipped_table_is_whole_numbers_with_its_origin():
    text = (maker.TABLE).read_text(encoding="utf-8")
    read = json.loads(text, parse_float=lambda number: pytest.fail(f"{number} is no whole number"))
    assert PriceTable.shipped().version == read["version"]
    assert read["version"].startswith("litellm ")
    assert len(read["sha256"]) == 64
    assert list(read["models"]) == sorted(read["models"])
    for name, row in read["models"].items():
        assert len(row) == len(read["columns"]) == 6, name
        assert row[0] > 0, name
        assert row[1] > 0, name
        assert all(one is None or type(one) is int for one in row), name


def test_the_shipped_table_is_what_its_command_makes():
    read = json.loads(maker.TABLE.read_text(encoding="utf-8"))
    version, _, date = read["version"].removeprefix("litellm ").partition(", ")
    if version != maker.installed():
        pytest.skip(f"the table is of litellm {version}, and {maker.installed()} is installed")
    assert maker.TABLE.read_text(encoding="utf-8") == maker.made(date)


@pytest.mark.parametrize("provider", sorted(set(HOSTS.values())))
def test_every_provider_has_models(provider):
    assert any(name.startswith(f"{provider}/") for name in PriceTable.shipped().models)


def test_a_model_is_priced_by_the_host_of_its_endpoint():
    table = PriceTable.shipped()
    assert table.of("mine/gpt-4o-mini", OPENAI) == Price(150_000, 600_000, 75_000)
    assert table.of("mine/gpt-4o-mini", endpoint("https://API.OpenAI.com:443/v1")) == Price(150_000, 600_000, 75_000)
    assert table.of("mine/gpt-4o-mini", endpoint(lane="router", provider="openai")) == Price(150_000, 600_000, 75_000)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("mine/gpt-4o-mini", None),
        ("mine/gpt-4o-mini", endpoint("https://proxy.example.org/v1")),
        ("mine/gpt-4o-mini", endpoint("https://api.openai.com.example.org/v1")),
        ("mine/gpt-4o-mini", endpoint("https://127.0.0.1.example.org/v1")),
        ("mine/gpt-4o-mini", endpoint("https://api.mistral.ai/v1")),
        ("mine/gpt-4o-mini-2099-01-01", OPENAI),
        ("mine/gpt-4o-min", OPENAI),
        ("mine/GPT-4o-mini", OPENAI),
        ("mine/no-such-model", endpoint(lane="router", provider="nobody")),
        ("mine/m", endpoint("https://[broken/v1")),
    ],
)
def test_what_nobody_knows_has_no_price(name, where):
    assert PriceTable.shipped().of(name, where) is None


@pytest.mark.parametrize(
    "where",
    [
        endpoint("http://127.0.0.1:8000/v1"),
        endpoint("http://127.8.9.10/v1"),
        endpoint("http://[::1]:8000/v1"),
        endpoint("http://localhost:1234/v1"),
        endpoint(lane="local", folder="/models"),
    ],
)
def test_the_own_machine_is_free(where):
    assert PriceTable.shipped().of("mine/gpt-4o-mini", where) == FREE
    assert is_own_machine(where)


def test_the_embedded_model_is_free():
    assert PriceTable.shipped().of("offline", None) == FREE
    assert PriceTable.shipped().of("offline", endpoint("https://models.example.org/v1")) == FREE
    assert PriceTable.shipped().of("offline", Endpoint("offline", None, "", None)) == FREE


def test_batches_cost_what_the_table_says_of_batches():
    table = PriceTable.shipped()
    assert table.of("mine/gpt-4o-mini", endpoint(OPENAI.url, lane="batch")) == Price(75_000, 300_000)
    only_direct = next(
        name for name, row in table.models.items() if name.startswith("mistral/") and row[3] is None
    ).removeprefix("mistral/")
    mistral = "https://api.mistral.ai/v1"
    assert table.of(f"mine/{only_direct}", endpoint(mistral)) is not None
    assert table.of(f"mine/{only_direct}", endpoint(mistral, lane="batch")) is None


def test_the_persons_prices_go_first():
    one, rest = Price(1, 2), Price(3, 4, 5)
    table = PriceTable.shipped().with_own({"mine": {"gpt-4o-mini": one, "*": rest}, "offline": {"*": one}})
    assert table.version == PriceTable.shipped().version
    assert table.of("mine/gpt-4o-mini", OPENAI) == one
    assert table.of("mine/gpt-4o", OPENAI) == rest
    assert table.of("mine/gpt-4o", endpoint("http://127.0.0.1/v1")) == rest
    assert table.of("mine/vendor/model:free", None) == rest
    assert table.of("offline", None) == one
    assert table.of("other/gpt-4o-mini", OPENAI) == Price(150_000, 600_000, 75_000)
    assert PriceTable.shipped().own == {}


@given(st.text(), st.text(), st.sampled_from(["wire", "batch", "router", "local"]))
def test_any_name_at_any_url_has_a_price_or_none(name, url, lane):
    found = PriceTable.shipped().of(name, endpoint(url, lane=lane))
    assert found is None or found.read >= 0


def test_a_provider_is_the_one_stated_else_that_of_the_host():
    assert provider_of(endpoint("https://api.openai.com/v1", provider="groq")) == "groq"
    assert provider_of(endpoint(provider="cohere_chat")) == "cohere"
    assert provider_of(OPENAI) == "openai"
    assert provider_of(endpoint("https://example.org/v1")) == ""


# -- how the table is made


PLAIN = {
    "litellm_provider": "openai",
    "mode": "chat",
    "input_cost_per_token": maker.Decimal("1.5e-7"),
    "output_cost_per_token": maker.Decimal("6e-7"),
}


def test_a_plain_entry_is_taken():
    assert maker.priced({"m": PLAIN}) == {"openai/m": [150_000, 600_000, None, None, None, None]}


@pytest.mark.parametrize(
    "change",
    [
        {"mode": "embedding"},
        {"litellm_provider": "azure"},
        {"input_cost_per_token": 0},
        {"output_cost_per_token": None},
        {"output_cost_per_reasoning_token": maker.Decimal("2e-6")},
    ],
)
def test_what_has_no_plain_price_is_left_out(change):
    assert maker.priced({"m": PLAIN | change}) == {}


def test_entries_that_disagree_are_left_out():
    other = PLAIN | {"input_cost_per_token": maker.Decimal("2e-7")}
    assert maker.priced({"m": PLAIN, "openai/m": other}) == {}
    assert list(maker.priced({"m": PLAIN, "openai/m": PLAIN})) == ["openai/m"]


def test_the_lowest_tier_is_taken_where_our_prompts_stay_in_it():
    tiers = [{"range": [0, 128_000], "input_cost_per_token": maker.Decimal("1e-6")}]
    assert maker.priced({"m": PLAIN | {"tiered_pricing": tiers}})["openai/m"][0] == 1_000_000
    short = [{"range": [0, 8_000], "input_cost_per_token": maker.Decimal("1e-6")}]
    without = {name: value for name, value in PLAIN.items() if name != "input_cost_per_token"}
    assert maker.priced({"m": without | {"tiered_pricing": short}}) == {}


def test_a_cache_that_fills_itself_is_priced_as_filling_it():
    filling = PLAIN | {"cache_creation_input_token_cost": maker.Decimal("1.9e-7")}
    assert maker.priced({"m": filling})["openai/m"][0] == 190_000
    asked = filling | {"litellm_provider": "anthropic"}
    assert maker.priced({"m": asked})["anthropic/m"][0] == 150_000


def test_a_fraction_of_a_micro_unit_is_rounded_up_and_float_dust_is_not():
    entry = {"price": maker.Decimal("1.5e-13"), "dust": maker.Decimal("1.3200000000000002e-07")}
    assert (maker.whole(entry, "price"), maker.whole(entry, "dust")) == (1, 132_000)


def test_a_model_that_was_forgotten_beside_its_neighbour_is_not_free_for_standing_on_this_machine():
    table = PriceTable.shipped().with_own({"mine": {"gpt-4o-mini": Price(1, 2)}})
    here = endpoint("http://127.0.0.1:4000/v1")
    assert table.of("mine/gpt-4o-mini", here) == Price(1, 2)
    assert table.of("mine/gpt-4o", here) is None
    assert table.of("other/gpt-4o", here) == FREE
