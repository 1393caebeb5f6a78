"""What a pool leaves behind for the next process, in wall time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Self

import msgspec

from gradeq.clock import Clock
from gradeq.limiter.base import Bucket, LimitedBy
from gradeq.limiter.opening import OVER

_Positive = Annotated[float, msgspec.Meta(gt=0)]


@dataclass(frozen=True, slots=True)
class Setup:
    """What a pool was configured as: the providers that use it, by their names, and a fingerprint
    of everything that a parking may be the fault of. None where nothing is configured.
    """

    providers: tuple[str, ...] = ()
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class BucketState:
    """One bucket: `limit` in force per `per_seconds`, and when it will be full again."""

    bucket: Bucket
    limit: _Positive
    full_at_ms: int
    per_seconds: _Positive = 60.0
    learned_limit: _Positive | None = None
    """The limit that responses told; None where it is only configured."""
    is_lasting: bool = True
    """False where only a refusal told the limit: no answer would tell of a higher one."""
    factor: _Positive = 1.0
    """The share of the limit's rate that was counted on."""

    @property
    def rate(self) -> float:
        """Per second."""
        return self.limit / self.per_seconds * self.factor


@dataclass(frozen=True, slots=True)
class PoolState:
    """A pool as it was at `at_ms`. Times are wall milliseconds; calls in flight count as spent."""

    at_ms: int
    buckets: tuple[BucketState, ...] = ()
    short_window: bool = False
    """True where the provider was seen to enforce its limits over a second or so."""
    margin_seconds: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    """What lies between two calls beyond their share of the minute, where it takes one a second."""
    rate_factor: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    """What is left of `full_rate` after the provider asked to slow down."""
    full_rate: _Positive | None = None
    """Requests a second when it asked."""
    learned_factor: _Positive = 1.0
    """The share of the limits that is ours, by what refusals taught."""
    failed_at: _Positive | None = None
    """The share at which calls were refused last."""
    patience: Annotated[float, msgspec.Meta(ge=1)] = 1.0
    calls_known: Annotated[int, msgspec.Meta(ge=3, le=30)] = 3
    """How many calls `learned_factor` rests on."""
    headroom_seconds: _Positive = 0.25
    opened: Annotated[int, msgspec.Meta(ge=0, le=OVER)] = OVER
    """How far the opening has come."""
    is_guessed: bool = False
    """True where nobody told a limit and refusals alone show one."""
    most_at_once: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """How many calls the provider takes at once, where it was seen to refuse more."""
    auto_level: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """How many calls in flight were found to be worth it, where no rate is known."""
    gate_until_ms: int | None = None
    gate_reason: LimitedBy = LimitedBy.RETRY_AFTER
    breaker_cap: Annotated[int, msgspec.Meta(ge=1)] | None = None
    breaker_trips: Annotated[int, msgspec.Meta(ge=0)] = 0
    breaker_until_ms: int | None = None
    parked_reason: str | None = None
    parked_cause: str | None = None
    """The word of the failure that parked it, as in `gradeq.outcome.ErrorClass`, if one did."""
    parked_until_ms: int | None = None
    parked_for: str | None = None
    """The fingerprint of the setup that was at fault; None for a stop by a person."""
    providers: tuple[str, ...] = ()
    """Whose pool it is, by the names that people know."""

    def is_parked(self, now_ms: int) -> bool:
        is_over = self.parked_until_ms is not None and self.parked_until_ms <= now_ms
        return self.parked_reason is not None and not is_over

    def unparked(self) -> Self:
        return replace(
            self, parked_reason=None, parked_cause=None, parked_until_ms=None, parked_for=None
        )

    def to_dict(self) -> dict[str, Any]:
        """Only what JSON knows."""
        return dict(msgspec.to_builtins(self))

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Raise ValueError where `stored` is not what `to_dict` made; unknown keys are ignored."""
        return msgspec.convert(dict(stored), cls)


@dataclass(frozen=True, slots=True)
class Anchor:
    """One instant on both clocks, so that stored wall times survive a clock that jumps.

    Durations are measured from the instant of storing; only the time since then is taken from
    the wall clock, and never as less than nothing.
    """

    wall_ms: int
    monotonic: float

    @classmethod
    def now(cls, clock: Clock) -> Self:
        return cls(clock.now_ms(), clock.monotonic())

    @classmethod
    def of(cls, state: PoolState, clock: Clock) -> Self:
        elapsed = max(0, clock.now_ms() - state.at_ms) / 1000
        return cls(state.at_ms, clock.monotonic() - elapsed)

    def to_wall(self, monotonic: float) -> int:
        """Rounded up: what is restored never grants more than what was stored."""
        return self.wall_ms + math.ceil((monotonic - self.monotonic) * 1000)

    def to_monotonic(self, wall_ms: int) -> float:
        return self.monotonic + (wall_ms - self.wall_ms) / 1000


def outdated(states: Mapping[str, PoolState], setups: Mapping[str, Setup]) -> list[str]:
    """The pools whose parking is the fault of a setup that is no more.

    Their provider has another key, address, model or limit now; a stop by a person stays.
    """
    configured = {provider for setup in setups.values() for provider in setup.providers}
    return [
        name
        for name, state in states.items()
        if state.parked_for is not None
        and (
            setups[name].fingerprint != state.parked_for
            if name in setups
            else not configured.isdisjoint(state.providers)
        )
    ]
