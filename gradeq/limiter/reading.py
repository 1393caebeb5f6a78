"""What limits the speed now, for people and for gauges."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import msgspec

from gradeq.limiter.base import Bucket, LimitedBy

_SECONDS = 60
_MINUTES = 60
_COLUMNS = 5


@dataclass(frozen=True, slots=True)
class Gauge:
    """One bucket: what could be taken now, of how much per `per_seconds`."""

    bucket: Bucket
    level: float
    limit: float
    per_seconds: float


@dataclass(frozen=True, slots=True)
class LastMinute:
    """What happened in the last 60 seconds. Answers and tokens count when their call ends.

    `seconds` is how long ago the first of these calls started, 1 to 60.
    """

    requests: int = 0
    refused: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    answered: int = 0
    seconds: int = _SECONDS

    @property
    def answered_per_second(self) -> float:
        """Since the first of the calls. One that failed brings the work no nearer to its end."""
        return self.answered / self.seconds

    def used(self, bucket: Bucket) -> int:
        tokens = self.input_tokens + self.output_tokens
        return {
            Bucket.REQUESTS: self.requests,
            Bucket.INPUT_TOKENS: self.input_tokens,
            Bucket.OUTPUT_TOKENS: self.output_tokens,
            Bucket.TOKENS: tokens,
        }[bucket]


@dataclass(frozen=True, slots=True)
class Reading:
    """A pool at one instant.

    `concurrency` is how many calls may be in flight now, `concurrency_needed` how many the
    provider's rate would keep busy (Little's law: rate times mean duration), None while unknown.
    `room` is how many calls could start, `wait_seconds` how long a gate, the breaker or a parking
    still lasts (infinite while only a person can end it), `limited_for` the seconds that each
    cause has held calls back so far. `at_ms` is the wall time of the instant; totals count since
    the process started.
    """

    limited_by: LimitedBy
    in_flight: int
    room: int
    concurrency: int
    concurrency_needed: int | None
    wait_seconds: float
    last_minute: LastMinute
    levels: tuple[Gauge, ...]
    limited_for: Mapping[LimitedBy, float]
    parked_reason: str | None = None
    parked_cause: str | None = None
    is_auto: bool = False
    """True where `concurrency` is found and not configured."""
    refused_last_hour: int = 0
    refused_total: int = 0
    requests_total: int = 0
    at_ms: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Only what JSON knows: a wait without an end is None."""
        told: dict[str, Any] = msgspec.to_builtins(self, str_keys=True)
        return {**told, "wait_seconds": finite(self.wait_seconds)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Raise ValueError where `stored` is not what `to_dict` made; unknown keys are ignored."""
        wait = stored.get("wait_seconds")
        return msgspec.convert({**stored, "wait_seconds": math.inf if wait is None else wait}, cls)

    def aged(self, now_ms: int) -> Self:
        """The same reading at a later time, as far as time alone changes it."""
        seconds = self.seconds_old(now_ms)
        last = LastMinute() if seconds >= _SECONDS else self.last_minute
        return replace(self, wait_seconds=max(0.0, self.wait_seconds - seconds), last_minute=last)

    def seconds_old(self, now_ms: int) -> float:
        return max(0.0, (now_ms - self.at_ms) / 1000)

    def eta_seconds(self, calls: int) -> float | None:
        """Seconds until `calls` more are answered, at the pace of the last minute, but no sooner
        than the provider's limits let calls like those of that minute through.

        None while there is no pace, or while only a person can help.
        """
        pace = self.last_minute.answered_per_second
        if pace <= 0 or math.isinf(self.wait_seconds):
            return None
        allowed = (self._seconds_to_allow(calls, gauge) for gauge in self.levels)
        return round(max(0.0, self.wait_seconds) + max(calls / pace, *allowed, 0.0), 1)

    def _seconds_to_allow(self, calls: int, gauge: Gauge) -> float:
        """What a burst has saved up is soon used; then calls come as the bucket is filled."""
        each = self.last_minute.used(gauge.bucket) / self.last_minute.answered
        return (calls * each - gauge.level) * gauge.per_seconds / gauge.limit

    @property
    def text(self) -> str:
        """One line that says what limits the speed, and by how much."""
        match self.limited_by:
            case LimitedBy.PARKED:
                return f"parked: {self.parked_reason}{self._until()}"
            case LimitedBy.RETRY_AFTER:
                return f"rate limit: the provider asked to wait, {self._left()} left"
            case LimitedBy.OVERLOAD | LimitedBy.LOADING:
                return self._unready()
            case LimitedBy.CONCURRENCY:
                return f"concurrency: {self.in_flight} of {self._slots()}{self._allowed()}"
            case LimitedBy.NOTHING:
                return f"nothing: {self.in_flight} in flight, {self.room} more could start"
            case bucket:
                return f"{self._usage(Bucket(bucket.value))}{self._sufficient()}"

    def _until(self) -> str:
        if math.isinf(self.wait_seconds):
            return " (until resumed)"
        return f" ({self._left()} left)"

    def _left(self) -> str:
        return duration(self.wait_seconds)

    def _slots(self) -> str:
        return f"{self.concurrency} (auto)" if self.is_auto else f"{self.concurrency}"

    def _unready(self) -> str:
        if self.limited_by is LimitedBy.LOADING:
            return f"loading: the model is not loaded yet, next try in {self._left()}"
        return f"overload: the provider is overloaded or down{self._overload()}"

    def _overload(self) -> str:
        if self.wait_seconds > 0:
            return f", next try in {self._left()}"
        return f", {self.in_flight} of {self._slots()} in flight"

    def _allowed(self) -> str:
        if self.concurrency_needed is None or self.concurrency_needed <= self.concurrency:
            return " in flight"
        return f" in flight; the provider allows about {self.concurrency_needed}"

    def _sufficient(self) -> str:
        if self.concurrency_needed is None:
            return ""
        return f"; {self.concurrency_needed} in flight would suffice"

    def _usage(self, bucket: Bucket) -> str:
        name = bucket.value.replace("_", " ")
        gauges = [gauge for gauge in self.levels if gauge.bucket is bucket]
        if not gauges:
            return f"{name}: slowed down"
        gauge = min(gauges, key=lambda gauge: gauge.level / gauge.limit)
        if gauge.per_seconds == _SECONDS:
            return f"{name}: {self.last_minute.used(bucket):,} of {gauge.limit:,.0f}/min used"
        return f"{name}: {gauge.level:,.0f} of {gauge.limit:,.0f} per {gauge.per_seconds:g} s left"


class Minute:
    """Sums over the last 60 seconds, in slots of one second."""

    def __init__(self, now: float) -> None:
        self._began = now
        self._second = math.floor(now)
        self._slots = [[0] * _COLUMNS for _ in range(_SECONDS)]
        self._sums = [0] * _COLUMNS

    def count(
        self,
        now: float,
        *,
        requests: int = 0,
        refused: int = 0,
        input: int = 0,
        output: int = 0,
        answered: int = 0,
    ) -> None:
        slot = self._slot(now)
        for column, more in enumerate((requests, refused, input, output, answered)):
            slot[column] += more
            self._sums[column] += more

    def read(self, now: float) -> LastMinute:
        self._slot(now)
        requests, refused, input_tokens, output_tokens, answered = (
            max(0, count) for count in self._sums
        )
        return LastMinute(requests, refused, input_tokens, output_tokens, answered, self._seconds())

    def requests_per_second(self, now: float) -> float:
        """At least the rate of one a minute."""
        seconds = min(float(_SECONDS), max(1.0, now - self._began))
        return max(1, self.read(now).requests) / seconds

    def _seconds(self) -> int:
        """Since the oldest slot that counted a call."""
        for ago in range(_SECONDS, 1, -1):
            if self._slots[(self._second - ago + 1) % _SECONDS][0] > 0:
                return ago
        return 1

    def _slot(self, now: float) -> list[int]:
        second = math.floor(now)
        for passed in range(max(self._second + 1, second - _SECONDS + 1), second + 1):
            self._clear(self._slots[passed % _SECONDS])
        self._second = max(self._second, second)
        return self._slots[second % _SECONDS]

    def _clear(self, slot: list[int]) -> None:
        for column, count in enumerate(slot):
            self._sums[column] -= count
            slot[column] = 0


class Hour:
    """How many there were in the last 60 minutes, in slots of one minute."""

    __slots__ = ("_slots",)

    def __init__(self) -> None:
        self._slots: deque[list[int]] = deque()

    def count(self, now: float) -> None:
        minute = math.floor(now / _SECONDS)
        if not self._slots or self._slots[-1][0] < minute:
            self._slots.append([minute, 0])
        self._slots[-1][1] += 1
        self._forget(minute)

    def read(self, now: float) -> int:
        self._forget(math.floor(now / _SECONDS))
        return sum(count for _, count in self._slots)

    def _forget(self, minute: int) -> None:
        while self._slots and self._slots[0][0] <= minute - _MINUTES:
            self._slots.popleft()


class Tally:
    """How long each cause has held calls back: the time from one look to the next."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._cause = LimitedBy.NOTHING
        self._seconds: dict[LimitedBy, float] = {}

    def note(self, cause: LimitedBy, now: float) -> None:
        """From `now` on it is `cause`."""
        before = self._seconds.get(self._cause, 0.0)
        self._seconds[self._cause] = before + now - self._since
        self._cause = cause
        self._since = now

    def seconds(self, now: float) -> dict[LimitedBy, float]:
        self.note(self._cause, now)
        return dict(self._seconds)


def finite(seconds: float) -> float | None:
    """JSON has no infinity: None while only a person can end a wait."""
    return None if math.isinf(seconds) else seconds


def duration(seconds: float) -> str:
    """`12 s`, `3 min`, `2 h 05 min`, `3 d 2 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    if hours < 48:
        return f"{hours} h {minutes % 60:02d} min"
    return f"{hours // 24} d {hours % 24} h"
