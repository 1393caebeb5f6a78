"""What responses say of a provider's buckets: most in headers, Google in its refusals.

A bucket whose limit is 0 or less is unknown (Azure), and so is one that no header names. `reset`
tells when a bucket is full again, never when to ask again; of requests, and only of those, it
shows a limit per day (Groq; OpenAI's smallest plans).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gradeq.limiter.base import Bucket, Level
from gradeq.providers.retry_after import duration, number

TOKEN_ROUNDING = 1000.0
"""Anthropic rounds the tokens that remain to the nearest thousand."""

_DAY = 86_400.0
_LONGEST_MINUTE_RESET = 120.0
"""A bucket filled per minute is full after 60 s; twice that can only be one filled per day."""


def anthropic_levels(headers: Mapping[str, str]) -> tuple[Level, ...]:
    """Levels from `anthropic-ratelimit-*`.

    `…-tokens-*` repeats whichever token limit binds, so it counts only where neither the input
    nor the output bucket is named.
    """
    requests = _anthropic(headers, "requests", Bucket.REQUESTS, 0.0)
    tokens = _anthropic(headers, "input-tokens", Bucket.INPUT_TOKENS, TOKEN_ROUNDING)
    tokens += _anthropic(headers, "output-tokens", Bucket.OUTPUT_TOKENS, TOKEN_ROUNDING)
    return requests + (tokens or _anthropic(headers, "tokens", Bucket.TOKENS, TOKEN_ROUNDING))


def openai_levels(headers: Mapping[str, str]) -> tuple[Level, ...]:
    """Levels from `x-ratelimit-*`; of an organisation's and a project's tokens the scarcer."""
    tokens = _openai(headers, "tokens", Bucket.TOKENS)
    tokens += _openai(headers, "project-tokens", Bucket.TOKENS)
    requests = _openai(headers, "requests", Bucket.REQUESTS)
    if _are_per_day(headers):
        known = (each for each in requests if each.remaining is not None)
        requests = tuple(replace(each, per_seconds=_DAY) for each in known)
    return requests + tuple(sorted(tokens, key=_room)[:1])


def google_level(quota_id: str, amount: str) -> Level | None:
    """The limit per minute that a refusal of Google's names, as in
    `GenerateContentInputTokensPerModelPerMinute-FreeTier` and "250000"; None for any other."""
    limit = number(amount)
    if limit is None or limit < 1 or "PerMinute" not in quota_id:
        return None
    if "InputTokens" in quota_id:
        return Level(Bucket.INPUT_TOKENS, limit)
    return Level(Bucket.REQUESTS, limit) if "Requests" in quota_id else None


def _anthropic(
    headers: Mapping[str, str], name: str, bucket: Bucket, rounding: float
) -> tuple[Level, ...]:
    limit = _amount(headers, f"anthropic-ratelimit-{name}-limit")
    remaining = _amount(headers, f"anthropic-ratelimit-{name}-remaining")
    return _level(bucket, limit, remaining, rounding)


def _openai(headers: Mapping[str, str], name: str, bucket: Bucket) -> tuple[Level, ...]:
    limit = _amount(headers, f"x-ratelimit-limit-{name}")
    remaining = _amount(headers, f"x-ratelimit-remaining-{name}")
    return _level(bucket, limit, remaining, 0.0)


def _are_per_day(headers: Mapping[str, str]) -> bool:
    reset = duration(headers.get("x-ratelimit-reset-requests", ""))
    return reset is not None and reset > _LONGEST_MINUTE_RESET


def _level(
    bucket: Bucket,
    limit: float | None,
    remaining: float | None,
    rounding: float,
) -> tuple[Level, ...]:
    """At most one level; none where nothing is known."""
    if limit is not None and limit <= 0:
        return ()
    if remaining is not None and remaining < 0:
        remaining = None
    if limit is None and remaining is None:
        return ()
    return (Level(bucket, limit, remaining, rounding=rounding),)


def _amount(headers: Mapping[str, str], name: str) -> float | None:
    value = headers.get(name)
    if value is None:
        return None
    try:
        amount = float(value)
    except ValueError:
        return None
    return amount if abs(amount) < 1e15 else None  # neither infinite nor NaN


def _room(level: Level) -> float:
    known = [value for value in (level.remaining, level.limit) if value is not None]
    return known[0]
