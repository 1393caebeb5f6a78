"""The words that a limiter and a provider share: costs, limits and what a response says of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Bucket(StrEnum):
    """What providers meter per minute."""

    REQUESTS = "requests"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    TOKENS = "tokens"
    """Input and output counted together (OpenAI's TPM)."""


class LimitedBy(StrEnum):
    """What keeps the next call from starting. The bucket names are those of `Bucket`."""

    NOTHING = "nothing"
    CONCURRENCY = "concurrency"
    REQUESTS = "requests"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    TOKENS = "tokens"
    RETRY_AFTER = "retry_after"
    """The provider answered 429 and the wait it asked for is not over."""
    OVERLOAD = "overload"
    """The provider is overloaded: the breaker holds calls back."""
    LOADING = "loading"
    """The provider loads its model: a gate holds calls back."""
    PROMPT_CACHE = "prompt_cache"
    """Another call with the same prefix writes it to the provider's cache just now."""
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call is expected to use: raw estimates, which the limiter learns to scale.

    `max_output_tokens` is what the request allows; `output_tokens` what is expected of it.
    Calls with the same `like` (a rubric's fingerprint) share one learned output length, and begin
    with the same `prefix_tokens`, which the provider may cache.
    """

    input_tokens: int
    output_tokens: int
    max_output_tokens: int = 0
    like: str = ""
    prefix_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call did use, as the provider counted it. Cache figures are part of the input."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """What is configured for a pool. None: not configured, learned from response headers."""

    concurrency: int = 5
    """Calls in flight at most; where `auto` is set, what it starts with."""
    requests_per_minute: float | None = None
    input_tokens_per_minute: float | None = None
    output_tokens_per_minute: float | None = None
    reserves_output: bool = False
    """True where the provider charges `max_tokens` against the token limit at admission."""
    tokens_per_minute: float | None = None
    """Input and output together, where the provider counts them so."""
    counts_cache_reads: bool = False
    """True where input read from a prompt cache counts against the input limit like any other."""
    auto: bool = False
    """True where the concurrency is to be found, between 1 and `max_concurrency`."""
    max_concurrency: int = 256
    keeps_pace: bool = False
    """True where the limits are a wish of the user's, kept from the first second: no provider is
    there whose buckets could be full."""
    caches_prompts: bool = False
    """True where calls that share a prefix should let one of them write it to a cache first."""


@dataclass(frozen=True, slots=True)
class Level:
    """One bucket as a response's headers tell it.

    `limit` is per minute unless `per_seconds` says otherwise; `rounding` is how coarse
    `remaining` is (Anthropic rounds tokens to the nearest 1000).
    """

    bucket: Bucket
    limit: float | None = None
    remaining: float | None = None
    per_seconds: float = 60.0
    rounding: float = 0.0


@dataclass(frozen=True, slots=True)
class Signals:
    """What a response says about limits. `retry_after` in seconds, already read from any form."""

    levels: tuple[Level, ...] = ()
    retry_after: float | None = None
    should_retry: bool | None = None
    names_calls_at_once: bool = False
    """True where a refusal says that too many calls were in flight, not too many in a time."""
