"""A strict provider and a dispatcher in virtual time: what a pool is measured against."""

from __future__ import annotations

import heapq
import itertools
import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Generic, Literal, TypeVar

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
    """A token bucket; the level falls below zero by what is charged late."""

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

    def scale(self, factor: float, now: float) -> None:
        """Another limit from now on, with what there is."""
        self.level(now)
        self.rate *= factor
        self.capacity *= factor
        self._level = min(self._level, self.capacity)


@dataclass
class Others:
    """Somebody else with the same key: `share` of each limit, call by call, at random moments.

    They always get in: what is left of the limits is the rest.
    """

    share: float
    usage: Usage
    rng: Random
    next_at: float = 0.0
    calls: int = 0


@dataclass
class StrictServer:
    """Limits per minute. `headers` tells when the server looks at its buckets, if it says so.

    Requests and input are charged at admission. Output is charged when the answer is there, and a
    call is let in while any is left; with `reserves_output` the most that the answer may take is
    charged at admission, and what was not used comes back. `concurrency` refuses more calls at
    once than that; `asks` is how it tells when to come again. With `slots`, a model on this
    machine, calls beyond those wait in a line.
    """

    requests: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None
    per_second: bool = False
    headers: Literal["start", "end", "none"] = "end"
    rounding: float = 1000.0
    refusals_count: bool = False
    reserves_output: bool = False
    concurrency: int | None = None
    slots: int | None = None
    asks: Literal["whole seconds", "nothing"] = "whole seconds"
    down: tuple[float, float] = (math.inf, math.inf)
    starts_full: bool = True
    others: Others | None = None
    buckets: dict[Bucket, ServerBucket] = field(init=False)
    slots_free_at: list[float] = field(default_factory=list)
    in_flight: int = 0

    def __post_init__(self) -> None:
        limits = {
            Bucket.REQUESTS: self.requests,
            Bucket.INPUT_TOKENS: self.input_tokens,
            Bucket.OUTPUT_TOKENS: self.output_tokens,
        }
        self.buckets = {b: ServerBucket(limit / 60, limit) for b, limit in limits.items() if limit}
        self.second: ServerBucket | None = None
        if self.requests is not None and self.per_second:
            rate = self.requests / 60
            self.second = ServerBucket(rate, max(1.0, rate))
        if not self.starts_full:
            for bucket in self.buckets.values():
                bucket.take(bucket.capacity, 0.0)

    def is_down(self, now: float) -> bool:
        return self.down[0] <= now < self.down[1]

    def scale(self, factor: float, now: float) -> None:
        for meter in (*self.buckets.values(), *([self.second] if self.second else [])):
            meter.scale(factor, now)

    def admit(self, paper: Paper, now: float) -> float:
        """Charge the call and return 0.0, or the seconds after which it may come again."""
        self._let_others_in(now)
        wait = self._wait(paper.usage, paper.cost.max_output_tokens, now)
        if self.concurrency is not None and self.in_flight >= self.concurrency:
            wait = max(wait, 0.5)
        if wait > 1e-9:
            if self.refusals_count:
                self._charge_request(now)
            return wait
        self.in_flight += 1
        self._charge_request(now)
        self._charge(Bucket.INPUT_TOKENS, paper.usage.input_tokens, now)
        if self.reserves_output:
            self._charge(Bucket.OUTPUT_TOKENS, paper.cost.max_output_tokens, now)
        return 0.0

    def seconds_in_line(self, paper: Paper, now: float) -> float:
        """Until a slot is free for the paper, which takes it."""
        if self.slots is None:
            return 0.0
        if len(self.slots_free_at) < self.slots:
            self.slots_free_at.append(now + paper.seconds)
            return 0.0
        free_at = max(now, heapq.heappop(self.slots_free_at))
        heapq.heappush(self.slots_free_at, free_at + paper.seconds)
        return free_at - now

    def finish(self, paper: Paper, now: float) -> None:
        self.in_flight -= 1
        reserved = paper.cost.max_output_tokens if self.reserves_output else 0
        self._charge(Bucket.OUTPUT_TOKENS, paper.usage.output_tokens - reserved, now)

    def levels(self, now: float) -> tuple[Level, ...]:
        if self.headers == "none":
            return ()
        return tuple(self._level(bucket, now) for bucket in self.buckets)

    def retry_after(self, wait: float) -> float | None:
        return float(math.ceil(wait)) if self.asks == "whole seconds" else None

    def _level(self, bucket: Bucket, now: float) -> Level:
        meter = self.buckets[bucket]
        left = max(0.0, meter.level(now))
        if bucket is Bucket.REQUESTS:
            return Level(bucket, meter.capacity, math.floor(left))
        rounded = round(left / self.rounding) * self.rounding
        return Level(bucket, meter.capacity, rounded, rounding=self.rounding)

    def _wait(self, usage: Usage, max_output: int, now: float) -> float:
        waits = [
            (need - bucket.level(now)) / bucket.rate
            for bucket, need in self._needs(usage, max_output)
        ]
        return max(waits, default=0.0)

    def _needs(self, usage: Usage, max_output: int) -> Iterator[tuple[ServerBucket, float]]:
        output = max_output if self.reserves_output else 1e-6
        needs = {Bucket.REQUESTS: 1.0, Bucket.INPUT_TOKENS: float(usage.input_tokens)}
        for bucket, meter in self.buckets.items():
            yield meter, needs.get(bucket, output)
        if self.second is not None:
            yield self.second, 1

    def _charge_request(self, now: float) -> None:
        self._charge(Bucket.REQUESTS, 1, now)
        if self.second is not None:
            self.second.take(1, now)

    def _charge(self, bucket: Bucket, amount: float, now: float) -> None:
        if bucket in self.buckets:
            self.buckets[bucket].take(amount, now)

    def _let_others_in(self, now: float) -> None:
        others = self.others
        while others is not None and others.next_at <= now:
            others.calls += 1
            self._charge_request(others.next_at)
            self._charge(Bucket.INPUT_TOKENS, others.usage.input_tokens, others.next_at)
            self._charge(Bucket.OUTPUT_TOKENS, others.usage.output_tokens, others.next_at)
            others.next_at += others.rng.expovariate(self._others_rate(others))

    def share_taken(self, seconds: float) -> float:
        """Of whatever binds the others, what they really took until then."""
        if self.others is None:
            return 0.0
        expected = self._others_rate(self.others) * seconds
        return self.others.share * self.others.calls / expected

    def _others_rate(self, others: Others) -> float:
        """Calls a second: their share of whatever binds them."""
        needs = {
            Bucket.REQUESTS: 1,
            Bucket.INPUT_TOKENS: others.usage.input_tokens,
            Bucket.OUTPUT_TOKENS: others.usage.output_tokens,
        }
        return others.share * min(m.rate / needs[b] for b, m in self.buckets.items() if needs[b])


@dataclass
class Run:
    """What came of a run."""

    seconds: float = 0.0
    requests: int = 0
    refused: int = 0
    overloaded: int = 0
    most_in_flight: int = 0
    inside_windows: int = 0
    """Calls sent after the client had read a refusal, and that arrived before its wait was over."""
    lost_in_crashes: int = 0

    @property
    def refused_share(self) -> float:
        return self.refused / self.requests


@dataclass(frozen=True, slots=True)
class Start:
    """What a world begins with; all of it changes while it runs."""

    clock: ManualClock
    server: StrictServer
    work: Sequence[Paper]
    rng: Random


Call = TypeVar("Call", bound=Hashable)


class World(ABC, Generic[Call]):
    """Papers, the wire and a server in virtual time. How a client sends them is a subclass's.

    A client knows its calls by a `Call` of its own kind. `out` are the papers on their way, by
    their calls; a paper is over when it is neither `pending` nor `out`.
    """

    def __init__(self, start: Start) -> None:
        self.clock = start.clock
        self.server = start.server
        self.rng = start.rng
        self.pending = deque(start.work)
        self.out: dict[Call, Paper] = {}
        self.run = Run()
        self._order = itertools.count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._windows: list[tuple[float, float]] = []

    @abstractmethod
    def dispatch(self) -> float:
        """`send` what may start; when it is worth trying again, infinite where an end tells."""

    @abstractmethod
    def answered(self, call: Call, paper: Paper, signals: Signals) -> None:
        """The call has ended well, and the paper with it."""

    @abstractmethod
    def refused(self, call: Call, paper: Paper, signals: Signals) -> None:
        """A 429: the paper is in nobody's hand now."""

    @abstractmethod
    def overloaded(self, call: Call, paper: Paper) -> None:
        """A 529: the paper is in nobody's hand now."""

    def believed(self) -> Mapping[str, float] | None:
        """What the client takes the levels for; None where it has no idea of them."""
        return None

    def run_until(self, until: float = math.inf) -> Run:
        """Until no paper is left, or `until`."""
        while self.clock.monotonic() < until and (self.pending or self.out):
            due = min(self.dispatch(), *(event[0] for event in self._events[:1]), until)
            assert due < math.inf, f"dead-lock at {self.clock.monotonic()}"
            self.clock.advance(max(0.0, due - self.clock.monotonic()))
            self._happen()
        self.run.seconds = self.clock.monotonic()
        return self.run

    def at(self, seconds: float, what: Callable[[], None]) -> None:
        """Let something happen, for instance to the server's limits."""
        self.later(seconds - self.clock.monotonic(), what)

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        at = self.clock.monotonic() + seconds
        heapq.heappush(self._events, (at, next(self._order), what))

    def send(self, call: Call, paper: Paper) -> None:
        self.out[call] = paper
        self.run.requests += 1
        self.run.most_in_flight = max(self.run.most_in_flight, len(self.out))
        sent_at = self.clock.monotonic()
        self.later(self._wire(), lambda: self._arrive(call, paper, sent_at))

    def _happen(self) -> None:
        while self._events and self._events[0][0] <= self.clock.monotonic():
            heapq.heappop(self._events)[2]()

    def _wire(self) -> float:
        return self.rng.uniform(0.02, 0.06)

    def _arrive(self, call: Call, paper: Paper, sent_at: float) -> None:
        now = self.clock.monotonic()
        self._windows = [window for window in self._windows if window[1] > now]
        self.run.inside_windows += any(read_at < sent_at for read_at, _ in self._windows)
        if self.server.is_down(now):
            self.later(self._wire(), lambda: self._overloaded(call))
            return
        wait = self.server.admit(paper, now)
        levels = self.server.levels(now)
        if wait > 0:
            signals = Signals(levels, retry_after=self.server.retry_after(wait))
            over_at = now + (signals.retry_after or 0.0)
            self.later(self._wire(), lambda: self._refused(call, signals, over_at))
            return
        in_line = self.server.seconds_in_line(paper, now)
        self.later(in_line + paper.seconds, lambda: self._finish(call, paper, levels))

    def _finish(self, call: Call, paper: Paper, levels: tuple[Level, ...]) -> None:
        now = self.clock.monotonic()
        self.server.finish(paper, now)
        if self.server.headers == "end":
            levels = self.server.levels(now)
        self.later(self._wire(), lambda: self._answered(call, Signals(levels)))

    def _answered(self, call: Call, signals: Signals) -> None:
        if paper := self.out.pop(call, None):
            self.answered(call, paper, signals)

    def _refused(self, call: Call, signals: Signals, over_at: float) -> None:
        self.run.refused += 1
        self._windows.append((self.clock.monotonic(), over_at))
        if paper := self.out.pop(call, None):
            self.refused(call, paper, signals)

    def _overloaded(self, call: Call) -> None:
        self.run.overloaded += 1
        if paper := self.out.pop(call, None):
            self.overloaded(call, paper)


class Simulation(World[Permit]):
    """gradeq's pool in such a world; `go` with another pool is a restart."""

    pool: Pool | None = None

    def go(self, pool: Pool, *, until: float = math.inf) -> Run:
        """Until all papers are answered, or `until`."""
        self.pool = pool
        return self.run_until(until)

    def crash(self) -> None:
        """The process dies: what it had in flight goes on at the server, and is asked again."""
        self.run.lost_in_crashes += len(self.out)
        self.pending.extendleft(self.out.values())
        self.out.clear()

    def dispatch(self) -> float:
        pool = self._in_use
        while self.pending and pool.room() > 0:
            got = pool.acquire(self.pending[0].cost)
            if isinstance(got, Denied):
                return math.inf if got.ready_at is None else got.ready_at
            self.send(got, self.pending.popleft())
        ready_at = pool.ready_at() if self.pending else None
        return math.inf if ready_at is None else ready_at

    @property
    def _in_use(self) -> Pool:
        assert self.pool is not None, "it has not begun"
        return self.pool

    def answered(self, call: Permit, paper: Paper, signals: Signals) -> None:
        self._in_use.answered(call, paper.usage, signals)

    def refused(self, call: Permit, paper: Paper, signals: Signals) -> None:
        self.pending.appendleft(paper)
        self._in_use.refused(call, signals)

    def overloaded(self, call: Permit, paper: Paper) -> None:
        self.pending.appendleft(paper)
        self._in_use.overloaded(call, Signals())

    def believed(self) -> Mapping[str, float] | None:
        if self.pool is None:
            return None
        return {gauge.bucket.value: gauge.level for gauge in self.pool.reading().levels}


@dataclass(frozen=True, slots=True)
class Change:
    """All limits of the server are multiplied by `factor` at `at` seconds."""

    at: float
    factor: float


def bound(
    work: Sequence[Paper],
    server: StrictServer,
    concurrency: int,
    *,
    changes: Sequence[Change] = (),
    others_share: float = 0.0,
) -> float:
    """Seconds below which nobody can finish: the time in flight, and what each bucket lets in.

    `server` as it is before the run.
    """
    at_once = min(concurrency, server.concurrency or concurrency, server.slots or concurrency)
    seconds = [paper.seconds for paper in work]
    outputs = sorted((paper.usage.output_tokens for paper in work), reverse=True)
    needs = {
        Bucket.REQUESTS: float(len(work)),
        Bucket.INPUT_TOKENS: float(sum(paper.usage.input_tokens for paper in work)),
        Bucket.OUTPUT_TOKENS: float(sum(outputs[0 if server.reserves_output else at_once :])),
    }
    meters = [(meter, needs[bucket]) for bucket, meter in server.buckets.items()]
    if server.second is not None:
        meters.append((server.second, needs[Bucket.REQUESTS]))
    share = 1.0 - others_share
    by_rate = [
        _supplied(need - meter.level(0.0), meter.rate * share, changes) + min(seconds)
        for meter, need in meters
    ]
    idle = server.down[1] - server.down[0] if server.down[0] < math.inf else 0.0
    return max(sum(seconds) / at_once + idle, *seconds, *by_rate)


def _supplied(need: float, rate: float, changes: Sequence[Change]) -> float:
    """Seconds until a refill at `rate`, which changes on the way, has brought `need`."""
    now = 0.0
    for change in changes:
        if need <= rate * (change.at - now):
            break
        need -= rate * (change.at - now)
        now, rate = change.at, rate * change.factor
    return now + max(0.0, need) / rate
