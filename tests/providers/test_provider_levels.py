"""Rate-limit headers, as Anthropic and OpenAI (and those who copy them) send them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeq.limiter.base import Bucket, Level
from gradeq.providers.levels import anthropic_levels, google_level, openai_levels


def claude(**values: str) -> dict[str, str]:
    return {f"anthropic-ratelimit-{name.replace('_', '-')}": each for name, each in values.items()}


def gpt(**values: str) -> dict[str, str]:
    return {f"x-ratelimit-{name.replace('_', '-')}": each for name, each in values.items()}


FULL = claude(
    requests_limit="1000",
    requests_remaining="999",
    requests_reset="2026-11-01T00:00:00Z",
    tokens_limit="90000",
    tokens_remaining="90000",
    input_tokens_limit="450000",
    input_tokens_remaining="449000",
    output_tokens_limit="90000",
    output_tokens_remaining="90000",
)


def test_anthropic():
    assert anthropic_levels(FULL) == (
        Level(Bucket.REQUESTS, 1000, 999),
        Level(Bucket.INPUT_TOKENS, 450_000, 449_000, rounding=1000),
        Level(Bucket.OUTPUT_TOKENS, 90_000, 90_000, rounding=1000),
    )


def test_anthropic_tokens_count_only_where_nothing_finer_is_told():
    headers = claude(tokens_limit="40000", tokens_remaining="0")
    assert anthropic_levels(headers) == (Level(Bucket.TOKENS, 40_000, 0, rounding=1000),)


def test_openai():
    headers = gpt(
        limit_requests="500",
        remaining_requests="499",
        reset_requests="120ms",
        limit_tokens="30000",
        remaining_tokens="29000",
        reset_tokens="2s",
    )
    assert openai_levels(headers) == (
        Level(Bucket.REQUESTS, 500, 499),
        Level(Bucket.TOKENS, 30_000, 29_000),
    )


def test_a_reset_far_over_a_minute_is_a_limit_per_day():
    headers = gpt(limit_requests="14400", remaining_requests="14370", reset_requests="2m59.56s")
    assert openai_levels(headers) == (Level(Bucket.REQUESTS, 14_400, 14_370, per_seconds=86_400),)


def test_a_limit_per_day_of_which_nothing_remains_known_is_none():
    assert openai_levels(gpt(limit_requests="14400", reset_requests="2m59.56s")) == ()


def test_tokens_are_per_minute_however_long_their_reset():
    headers = gpt(limit_tokens="150000", remaining_tokens="0", reset_tokens="6m0s")
    assert openai_levels(headers) == (Level(Bucket.TOKENS, 150_000, 0),)


def test_a_project_with_fewer_tokens_left_binds():
    headers = gpt(
        limit_tokens="30000",
        remaining_tokens="29000",
        limit_project_tokens="10000",
        remaining_project_tokens="500",
    )
    assert openai_levels(headers) == (Level(Bucket.TOKENS, 10_000, 500),)


def test_azure_tells_what_remains_of_an_unknown_limit():
    assert openai_levels(gpt(remaining_requests="9")) == (Level(Bucket.REQUESTS, None, 9),)


@pytest.mark.parametrize("limit", ["0", "-1", "-0.5"])
def test_a_limit_of_nothing_is_unknown(limit):
    assert openai_levels(gpt(limit_requests=limit, remaining_requests="5")) == ()
    assert anthropic_levels(claude(requests_limit=limit)) == ()


def test_less_than_nothing_remaining_is_unknown():
    headers = gpt(limit_requests="60", remaining_requests="-1")
    assert openai_levels(headers) == (Level(Bucket.REQUESTS, 60, None),)


@pytest.mark.parametrize(
    ("quota_id", "amount", "level"),
    [
        ("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "10", Level(Bucket.REQUESTS, 10)),
        ("GenerateContentInputTokensPerModelPerMinute", "250000",
         Level(Bucket.INPUT_TOKENS, 250_000)),
        ("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "250", None),
        ("GenerateRequestsPerMinutePerProjectPerModel", "0", None),
        ("GenerateRequestsPerMinutePerProjectPerModel", "", None),
        ("GenerateRequestsPerMinutePerProjectPerModel", "many", None),
        ("SomethingElsePerMinute", "10", None),
        ("", "10", None),
    ],
)  # fmt: skip
def test_google(quota_id, amount, level):
    assert google_level(quota_id, amount) == level


@pytest.mark.parametrize("read", [anthropic_levels, openai_levels])
def test_no_headers(read):
    assert read({}) == ()


@given(st.dictionaries(st.sampled_from([*FULL, *gpt(limit_tokens="", reset_tokens="")]), st.text()))
def test_no_header_is_read_as_nonsense(headers):
    for level in (*anthropic_levels(headers), *openai_levels(headers)):
        assert level.limit is None or 0 < level.limit < math.inf
        assert level.remaining is None or 0 <= level.remaining < math.inf


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "", "many", "1e400"])
def test_no_number(value):
    assert openai_levels(gpt(limit_requests=value, remaining_requests=value)) == ()
