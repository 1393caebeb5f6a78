"""Papers, the wire and a server in virtual time: what a pool is measured against."""

from __future__ import annotations

import heapq
import itertools
import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Generic, TypeVar

from bench.limiter.server import Paper, StrictServer
from gradeq.clock import ManualClock
from gradeq.limiter.base import Level, Signals
from gradeq.limiter.permit import Denied, Permit
from gradeq.limiter.pool import Pool


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
