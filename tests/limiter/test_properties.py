"""What holds whatever happens: a pool under every sequence of calls, answers and pauses."""

from __future__ import annotations

import json
import math
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from gradeq.clock import ManualClock
from gradeq.limiter.base import Bucket, Cost, Level, Limits, Signals, Usage
from gradeq.limiter.permit import Denied, NeverFits, Permit
from gradeq.limiter.pool import Pool
from gradeq.limiter.state import PoolState

LIMITS = Limits(
    concurrency=6,
    requests_per_minute=120,
    input_tokens_per_minute=20_000,
    output_tokens_per_minute=6000,
)
costs = st.builds(Cost, st.integers(0, 12_000), st.integers(0, 3000), st.integers(0, 4000))
usages = st.builds(Usage, st.integers(0, 20_000), st.integers(0, 5000), st.integers(0, 5000))
levels = st.builds(
    Level,
    st.sampled_from(Bucket),
    st.none() | st.floats(-1, 50_000),
    st.none() | st.floats(-1, 50_000),
    st.sampled_from((1.0, 60.0, 86_400.0)),
    st.sampled_from((0.0, 1000.0)),
)
signals = st.builds(
    Signals,
    st.lists(levels, max_size=3).map(tuple),
    st.none() | st.floats(-5, 120) | st.just(math.nan),
)


class AnyUse(RuleBasedStateMachine):
    """Calls end in every way, headers tell anything, processes restart."""

    permits = Bundle("permits")

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.limits = LIMITS
        self.pool = self._new(None)
        self.out: set[Permit] = set()

    def _new(self, state: PoolState | None) -> Pool:
        return Pool("any", self.limits, clock=self.clock, rng=Random(1), state=state)

    def _live(self, permit: Permit | None) -> Permit | None:
        if permit is None or permit not in self.out:
            return None
        self.out.discard(permit)
        return permit

    @rule(target=permits, cost=costs)
    def acquire(self, cost: Cost) -> Permit | None:
        before = self.pool.state(), self.pool.in_flight
        try:
            got = self.pool.acquire(cost)
        except NeverFits:
            got = Denied(None, self.pool.reading().limited_by)
        if isinstance(got, Permit):
            self.out.add(got)
            return got
        assert (self.pool.state(), self.pool.in_flight) == before
        return None

    @rule(target=permits)
    def acquire_as_before(self) -> Permit | None:
        return self.acquire(Cost(900, 300, 500))

    @rule(seconds=st.floats(0, 90))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(permit=consumes(permits), usage=usages, signals=signals)
    def answer(self, permit: Permit | None, usage: Usage, signals: Signals) -> None:
        if live := self._live(permit):
            self.pool.answered(live, usage, signals)

    @rule(permit=consumes(permits), signals=signals, slow_down=st.booleans())
    def refuse(self, permit: Permit | None, signals: Signals, slow_down: bool) -> None:
        if live := self._live(permit):
            self.pool.refused(live, signals, slow_down=slow_down)

    @rule(permit=consumes(permits), signals=signals, loading=st.booleans())
    def overload(self, permit: Permit | None, signals: Signals, loading: bool) -> None:
        if live := self._live(permit):
            (self.pool.loading if loading else self.pool.overloaded)(live, signals)

    @rule(permit=consumes(permits), keep=st.booleans(), server=st.booleans())
    def fail(self, permit: Permit | None, keep: bool, server: bool) -> None:
        if live := self._live(permit):
            self.pool.failed(live, keep_tokens=keep, server_error=server)

    @rule(permit=consumes(permits))
    def release(self, permit: Permit | None) -> None:
        if live := self._live(permit):
            self.pool.release(live)

    @rule(permit=consumes(permits), minutes=st.none() | st.integers(0, 3))
    def strike(self, permit: Permit | None, minutes: int | None) -> None:
        until = None if minutes is None else self.clock.now_ms() + minutes * 60_000
        if live := self._live(permit):
            self.pool.unmendable(live, "spent", until)

    @rule()
    def wait_for_room(self) -> None:
        """Waiting as told ends with room: each part may need its own wait, none needs two."""
        for _ in range(4):
            ready_at = self.pool.ready_at()
            if self.pool.room() or ready_at is None:
                break
            self.clock.advance(ready_at - self.clock.monotonic())
        parked_for_good = math.isinf(self.pool.reading().wait_seconds)
        assert self.pool.room() or self.pool.in_flight or parked_for_good

    @rule()
    def resume(self) -> None:
        self.pool.resume()

    @rule(seconds_late=st.integers(0, 5))
    def restart(self, seconds_late: int) -> None:
        old = {(g.bucket, g.per_seconds): g.level for g in self.pool.reading().levels}
        room = self.pool.room() + self.pool.in_flight
        stored = json.loads(json.dumps(self.pool.state().to_dict()))
        state = PoolState.from_dict(stored)
        assert state == self.pool.state()
        self.pool = self._new(state)
        self.out.clear()
        for gauge in self.pool.reading().levels:
            assert gauge.level <= old[gauge.bucket, gauge.per_seconds] + 1e-3
        assert self.pool.room() <= max(1, room)
        self.clock.advance(seconds_late)

    @invariant()
    def no_more_in_flight_than_allowed(self) -> None:
        assert self.pool.in_flight == len(self.out) <= self.limits.concurrency

    @invariant()
    def room_and_readiness_agree(self) -> None:
        room, ready_at = self.pool.room(), self.pool.ready_at()
        assert 0 <= room <= self.limits.concurrency - self.pool.in_flight
        if room:
            assert ready_at == self.clock.monotonic()
        elif ready_at is not None:
            assert ready_at > self.clock.monotonic()

    @invariant()
    def there_is_no_dead_lock(self) -> None:
        if self.pool.in_flight == 0 and self.pool.reading().parked_reason is None:
            ready_at = self.pool.ready_at()
            assert ready_at is not None
            assert ready_at < math.inf

    @invariant()
    def a_reading_has_words(self) -> None:
        assert self.pool.reading().text


class WithoutLimits(AnyUse):
    """Nothing is configured: all there is comes from headers."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits(concurrency=6, reserves_output=True)
        self.pool = self._new(None)


class StrictBudget(RuleBasedStateMachine):
    """No headers: what was let in is never more than full buckets and their refill."""

    COST = Cost(900, 300, 500)

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.pool = Pool("strict", LIMITS, clock=self.clock, rng=Random(1))
        self.open: list[Permit] = []
        self.released = 0

    @rule(seconds=st.floats(0, 30))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def wait_and_acquire(self) -> None:
        """At the time that the pool tells, a typical call does start."""
        ready_at = self.pool.ready_at()
        if ready_at is None:
            assert self.open
            return
        self.clock.advance(ready_at - self.clock.monotonic())
        got = self.pool.acquire(self.COST)
        assert isinstance(got, Permit), got
        self.open.append(got)

    @rule()
    def fill(self) -> None:
        is_tried = self.pool.requests_total > 0
        room = self.pool.room()
        got = [self.pool.acquire(self.COST) for _ in range(room)]
        permits = [each for each in got if isinstance(each, Permit)]
        assert len(permits) == room
        if is_tried:
            assert self.pool.room() == 0
            assert isinstance(self.pool.acquire(self.COST), Denied)
        self.open += permits

    @rule()
    def release_one(self) -> None:
        if self.open:
            self.pool.release(self.open.pop())
            self.released += 1

    @rule()
    def answer_one(self) -> None:
        if self.open:
            usage = Usage(self.COST.input_tokens, self.COST.output_tokens)
            self.pool.answered(self.open.pop(), usage, Signals())

    @invariant()
    def within_budget(self) -> None:
        calls = self.pool.requests_total
        minutes = self.clock.monotonic() / 60
        assert calls <= 120 * (1 + minutes) + 1e-3
        assert calls * 900 <= 20_000 * (1 + minutes) + 1e-3
        assert calls * 300 <= 6000 * (1 + minutes) + 1e-3


quick = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestAnyUse = AnyUse.TestCase
TestAnyUse.settings = quick
TestWithoutLimits = WithoutLimits.TestCase
TestWithoutLimits.settings = quick
TestStrictBudget = StrictBudget.TestCase
TestStrictBudget.settings = quick
