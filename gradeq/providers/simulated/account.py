"""What a provider keeps for one key and model: buckets, calls, prompt cache, waits told."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gradeq.providers.simulated.buckets import DailyBucket, TokenBucket
from gradeq.providers.simulated.settings import SimulatorSettings

ON_THE_WIRE = 0.1
"""Seconds after a 429 in which another call may have been sent before its sender read the 429."""
MIN_CACHED_TOKENS = 1024
"""Shorter prefixes are not cached, and nobody says so (Anthropic, "Prompt caching")."""
_MAX_PREFIXES = 1000


class Meter(StrEnum):
    """What is limited; the values are the words of the providers' messages."""

    REQUESTS = "requests"
    SECOND = "requests per second"
    INPUT = "input tokens"
    OUTPUT = "output tokens"
    TOKENS = "tokens"
    DAY = "requests per day"


@dataclass(frozen=True, slots=True)
class Charge:
    """`need` must be in the bucket for a call to be let in; then `take` is taken out of it."""

    meter: Meter
    need: float
    take: float


@dataclass(frozen=True, slots=True)
class Shortage:
    """Why a call is not let in. `wait` in seconds, infinite where `need` never fits."""

    meter: Meter
    need: float
    level: float
    wait: float


@dataclass(frozen=True, slots=True)
class Prefix:
    """The prompt up to a block marked with cache_control; `lifetime` in seconds."""

    digest: bytes
    tokens: int
    lifetime: float


@dataclass(frozen=True, slots=True)
class CacheUse:
    """Input tokens that the prompt cache spares, and those written to it."""

    read: int = 0
    written: int = 0


NO_CACHE = CacheUse()


class PromptCache:
    """Prefixes by digest. One can be read only after the call that wrote it was answered."""

    def __init__(self) -> None:
        self._expires: dict[bytes, float] = {}

    def use(self, prefixes: tuple[Prefix, ...], now: float) -> CacheUse:
        """What a call with `prefixes` reads and will write."""
        if not prefixes:
            return NO_CACHE
        alive = (each.tokens for each in prefixes if self._expires.get(each.digest, 0.0) > now)
        read = max(alive, default=0)
        longest = max(each.tokens for each in prefixes)
        return CacheUse(read, longest - read)

    def write(self, prefixes: Iterable[Prefix], now: float) -> None:
        """Keep `prefixes`, or keep them longer."""
        for each in prefixes:
            self._expires[each.digest] = now + each.lifetime
        if len(self._expires) > _MAX_PREFIXES:
            self._expires = {key: end for key, end in self._expires.items() if end > now}


class Account:
    """One key's standing with one model. Times are monotonic seconds.

    `day_ends` is when a limit per day begins anew. Accounts that are given the same `buckets` draw
    on the same limits.
    """

    def __init__(
        self,
        now: float,
        day_ends: float = math.inf,
        buckets: dict[Meter, TokenBucket] | None = None,
    ) -> None:
        self.in_flight = 0
        self.requests = 0
        self.refused_429 = 0
        self.arrived_inside_retry_after = 0
        self._day_ends = day_ends
        self.cache = PromptCache()
        self.buckets: dict[Meter, TokenBucket] = {} if buckets is None else buckets
        self.limits: Mapping[Meter, float] = {}
        self._told_at = now
        self._told_until = now

    def adopt(
        self, limits: Mapping[Meter, float | None], settings: SimulatorSettings, now: float
    ) -> None:
        """Take on limits; a bucket that was there before keeps what is in it."""
        self.limits = {meter: limit for meter, limit in limits.items() if limit}
        sizes = {meter: _size(limit, settings) for meter, limit in self.limits.items()}
        if settings.enforce_per_second and Meter.REQUESTS in sizes:
            rate = sizes[Meter.REQUESTS][0]
            sizes[Meter.SECOND] = (rate, max(1.0, rate))
        sized = {
            meter: self._bucket(meter, size, settings.start_seconds, now)
            for meter, size in sizes.items()
        }
        self.buckets.clear()
        self.buckets.update(sized)

    def _bucket(
        self, meter: Meter, size: tuple[float, float], start_seconds: float | None, now: float
    ) -> TokenBucket:
        bucket = self.buckets.get(meter)
        if bucket is None:
            return self._new_bucket(meter, size, start_seconds, now)
        if meter is Meter.DAY:
            size = (0.0, self.limits[meter])
        bucket.resize(*size, now)
        return bucket

    def _new_bucket(
        self, meter: Meter, size: tuple[float, float], start_seconds: float | None, now: float
    ) -> TokenBucket:
        if meter is Meter.DAY:
            return DailyBucket(self.limits[meter], self._day_ends, now)
        bucket = TokenBucket(*size, now)
        if start_seconds is not None:
            bucket.drain(bucket.capacity - start_seconds * bucket.rate, now)
        return bucket

    def admit(self, charges: Iterable[Charge], now: float) -> Shortage | None:
        """Charge a call, or tell what it has to wait for longest and charge nothing."""
        worst: Shortage | None = None
        for charge in charges:
            bucket = self.buckets.get(charge.meter)
            wait = bucket.wait(charge.need, now) if bucket is not None else 0.0
            if bucket is not None and wait > (worst.wait if worst else 0.0):
                worst = Shortage(charge.meter, charge.need, bucket.level(now), wait)
        if worst is None:
            self._take(charges, now)
        return worst

    def _take(self, charges: Iterable[Charge], now: float) -> None:
        for charge in charges:
            bucket = self.buckets.get(charge.meter)
            if bucket is not None:
                bucket.take(charge.take, now)

    def settle(self, meter: Meter, difference: float, now: float) -> None:
        """Charge what a call used beyond its reservation, or give back what it did not use."""
        bucket = self.buckets.get(meter)
        if bucket is None:
            return
        if difference > 0:
            bucket.take(difference, now)
        else:
            bucket.give(-difference, now)

    def count_failure(self, now: float) -> None:
        """Charge a refused call's request."""
        for meter in (Meter.REQUESTS, Meter.SECOND):
            if meter in self.buckets:
                self.buckets[meter].drain(1.0, now)

    def tell_to_wait(self, seconds: float, now: float) -> None:
        """A 429 with `retry-after` goes out: open a wait, or prolong the one that is open."""
        if now >= self._told_until:
            self._told_at = now
        self._told_until = max(self._told_until, now + seconds)

    def is_told_to_wait(self, now: float) -> bool:
        """True for a call that arrives inside a wait and could have known of it."""
        return self._told_at + ON_THE_WIRE <= now < self._told_until


def _size(limit: float, settings: SimulatorSettings) -> tuple[float, float]:
    rate = limit / 60.0
    return rate, max(1.0, rate * settings.burst_seconds)
