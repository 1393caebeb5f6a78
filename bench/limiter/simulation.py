"""A strict provider and a dispatcher in virtual time: what a pool is measured against."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from gradeq.clock import ManualClock
from gradeq.limiter.base import Bucket, Cost, Level, Signals, Usage
from gradeq.limiter.permit import Denied, Permit
from gradeq.limiter.pool import Pool


@dataclass(frozen=True, slots=True)
class Paper:
    """One call: `cost` is the raw estimate, the rest what it really takes."""

    cost: Cost
    usage: Usage
    seconds: float


def papers(
    count: int,
    rng: Random,
    *,
    tokens: tuple[int, int] = (2000, 400),
    seconds: float = 5.0,
    bias: float = 1.0,
) -> list[Paper]:
    """Papers whose raw estimates are wrong by `bias` and by some noise."""

    def one() -> Paper:
        spread = rng.uniform(0.6, 1.4)
        used = Usage(round(tokens[0] * spread), round(tokens[1] * rng.uniform(0.6, 1.4)))
        guess = Cost(round(used.input_tokens * bias * rng.uniform(0.9, 1.1)), tokens[1], 1024)
        return Paper(guess, used, seconds * rng.uniform(0.6, 1.4))

    return [one() for _ in range(count)]


class ServerBucket:
    """A token bucket that starts full; the level falls below zero by what is charged late."""

    def __init__(self, rate: float, capacity: float) -> None:
        self.rate = rate
        self.capacity = capacity
        self._level = capacity
        self._at = 0.0

    def level(self, now: float) -> float:
        self._level = min(self.capacity, self._level + self.rate * (now - self._at))
        self._at = now
        return self._level

    def take(self, amount: float, now: float) -> None:
        self._level = self.level(now) - amount


@dataclass
class StrictServer:
    """Limits per minute. `headers` tells when the server looks at its buckets, if it says so.

    Requests and input are charged at admission, output when the answer is there; a call is let
    in while any output is left.
    """

    requests: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None
    per_second: bool = False
    headers: Literal["start", "end", "none"] = "end"
    rounding: float = 1000.0
    refusals_count: bool = False
    down: tuple[float, float] = (math.inf, math.inf)
    buckets: dict[Bucket, ServerBucket] = field(init=False)

    def __post_init__(self) -> None:
        limits = {
            Bucket.REQUESTS: self.requests,
            Bucket.INPUT_TOKENS: self.input_tokens,
            Bucket.OUTPUT_TOKENS: self.output_tokens,
        }
        self.buckets = {b: ServerBucket(limit / 60, limit) for b, limit in limits.items() if limit}
        if self.requests is not None:
            rate = self.requests / 60
            self.second = ServerBucket(rate, max(1.0, rate) if self.per_second else self.requests)

    def is_down(self, now: float) -> bool:
        return self.down[0] <= now < self.down[1]

    def admit(self, paper: Paper, now: float) -> float:
        """Charge the call and return 0.0, or the seconds after which it may come again."""
        waits = [(need - bucket.level(now)) / bucket.rate for bucket, need in self._needs(paper)]
        wait = max(waits, default=0.0)
        if wait > 1e-9:
            if self.refusals_count:
                self._charge_request(now)
            return wait
        self._charge_request(now)
        self._charge(Bucket.INPUT_TOKENS, paper.usage.input_tokens, now)
        return 0.0

    def finish(self, paper: Paper, now: float) -> None:
        self._charge(Bucket.OUTPUT_TOKENS, paper.usage.output_tokens, now)

    def levels(self, now: float) -> tuple[Level, ...]:
        if self.headers == "none":
            return ()
        return tuple(self._level(bucket, now) for bucket in self.buckets)

    def _level(self, bucket: Bucket, now: float) -> Level:
        meter = self.buckets[bucket]
        left = max(0.0, meter.level(now))
        if bucket is Bucket.REQUESTS:
            return Level(bucket, meter.capacity, math.floor(left))
        rounded = round(left / self.rounding) * self.rounding
        return Level(bucket, meter.capacity, rounded, rounding=self.rounding)

    def _needs(self, paper: Paper) -> Iterator[tuple[ServerBucket, float]]:
        needs = {Bucket.REQUESTS: 1, Bucket.INPUT_TOKENS: paper.usage.input_tokens}
        for bucket, meter in self.buckets.items():
            yield meter, needs.get(bucket, 1e-6)
        if self.requests is not None:
            yield self.second, 1

    def _charge_request(self, now: float) -> None:
        self._charge(Bucket.REQUESTS, 1, now)
        if self.requests is not None:
            self.second.take(1, now)

    def _charge(self, bucket: Bucket, amount: float, now: float) -> None:
        if bucket in self.buckets:
            self.buckets[bucket].take(amount, now)


@dataclass
class Run:
    """What came of a run."""

    seconds: float = 0.0
    requests: int = 0
    refused: int = 0
    overloaded: int = 0
    most_in_flight: int = 0

    @property
    def refused_share(self) -> float:
        return self.refused / self.requests


class Simulation:
    """Papers through a pool to a server; `go` with another pool is a restart."""

    def __init__(
        self, clock: ManualClock, server: StrictServer, work: Sequence[Paper], rng: Random
    ) -> None:
        self.clock = clock
        self.server = server
        self.pending = deque(work)
        self.run = Run()
        self._rng = rng
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._out: dict[Permit, Paper] = {}

    def go(self, pool: Pool, *, until: float = math.inf) -> Run:
        """Until all papers are answered, or `until`."""
        self.pool = pool
        while self.clock.monotonic() < until and (self.pending or self._out):
            due = min(self._dispatch(), *(event[0] for event in self._events[:1]), until)
            assert due < math.inf, f"dead-lock at {self.clock.monotonic()}"
            self.clock.advance(max(0.0, due - self.clock.monotonic()))
            self._happen()
        self.run.seconds = self.clock.monotonic()
        return self.run

    def crash(self) -> None:
        """The process dies: what it had in flight goes on at the server, and is asked again."""
        self.pending.extendleft(self._out.values())
        self._out.clear()

    def _dispatch(self) -> float:
        """Start what can start; return when it is worth trying again."""
        while self.pending and self.pool.room() > 0:
            got = self.pool.acquire(self.pending[0].cost)
            if isinstance(got, Denied):
                return math.inf if got.ready_at is None else got.ready_at
            self._send(got, self.pending.popleft())
        ready_at = self.pool.ready_at() if self.pending else None
        return math.inf if ready_at is None else ready_at

    def _happen(self) -> None:
        while self._events and self._events[0][0] <= self.clock.monotonic():
            heapq.heappop(self._events)[2]()

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        at = self.clock.monotonic() + seconds
        heapq.heappush(self._events, (at, next(self._order), what))

    def _wire(self) -> float:
        return self._rng.uniform(0.02, 0.06)

    def _send(self, permit: Permit, paper: Paper) -> None:
        self.run.requests += 1
        self.run.most_in_flight = max(self.run.most_in_flight, self.pool.in_flight)
        self._out[permit] = paper
        self._later(self._wire(), lambda: self._arrive(permit, paper))

    def _arrive(self, permit: Permit, paper: Paper) -> None:
        now = self.clock.monotonic()
        if self.server.is_down(now):
            self._later(self._wire(), lambda: self._overloaded(permit))
            return
        wait = self.server.admit(paper, now)
        levels = self.server.levels(now)
        if wait > 0:
            signals = Signals(levels, retry_after=float(math.ceil(wait)))
            self._later(self._wire(), lambda: self._refused(permit, signals))
            return
        self._later(paper.seconds, lambda: self._finish(permit, paper, levels))

    def _finish(self, permit: Permit, paper: Paper, levels: tuple[Level, ...]) -> None:
        now = self.clock.monotonic()
        self.server.finish(paper, now)
        if self.server.headers == "end":
            levels = self.server.levels(now)
        self._later(self._wire(), lambda: self._answered(permit, Signals(levels)))

    def _answered(self, permit: Permit, signals: Signals) -> None:
        if paper := self._out.pop(permit, None):
            self.pool.answered(permit, paper.usage, signals)

    def _refused(self, permit: Permit, signals: Signals) -> None:
        self.run.refused += 1
        if paper := self._out.pop(permit, None):
            self.pending.appendleft(paper)
            self.pool.refused(permit, signals)

    def _overloaded(self, permit: Permit) -> None:
        self.run.overloaded += 1
        if paper := self._out.pop(permit, None):
            self.pending.appendleft(paper)
            self.pool.overloaded(permit, Signals())


def bound(
    work: Sequence[Paper], server: StrictServer, concurrency: int, *, starts_full: bool = True
) -> float:
    """Seconds below which nobody can finish: the time in flight, and what each bucket lets in."""
    seconds = [paper.seconds for paper in work]
    outputs = sorted((paper.usage.output_tokens for paper in work), reverse=True)
    needs = {
        Bucket.REQUESTS: len(work),
        Bucket.INPUT_TOKENS: sum(paper.usage.input_tokens for paper in work),
        Bucket.OUTPUT_TOKENS: sum(outputs[concurrency:]),
    }
    by_rate = [
        max(0.0, needs[bucket] - meter.capacity * starts_full) / meter.rate + min(seconds)
        for bucket, meter in server.buckets.items()
    ]
    return max(sum(seconds) / concurrency, *seconds, *by_rate)
