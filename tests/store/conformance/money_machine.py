"""Money in any order: calls reserved, answered, lost and forgotten, with crashes in between.

The machine knows what no store can: what each call did cost, heard of or not. That never exceeds
what the store counts, and what the store counts never exceeds a cap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gradeq.clock import ManualClock
from gradeq.days import day_of
from gradeq.limiter.base import Usage
from gradeq.outcome import Counter, ErrorClass
from gradeq.store.base import Store
from gradeq.store.claims import Claimed
from gradeq.store.costs import CapReached, Need, Reserved

from .helpers import KEY, LEASE, again, answer, attempt, claim, done, items, sound

T = TypeVar("T")
PICK = st.integers(0, 999)
# Fractions that no float holds exactly.
AMOUNTS = st.sampled_from([0.1, 0.3, 0.7, 1.1, 2.3])
SHARES = st.sampled_from([0.0, 0.1, 0.5, 1.0])
CAPS = (4.0, 2.0, None)
DAY_CAP = 5.0
WHY = {"error": ErrorClass.TIMEOUT, "reason": "no answer"}


@dataclass
class Call:
    """A claim whose call has been made; it costs `true_cost`, whoever hears of it."""

    claimed: Claimed
    held: Reserved
    true_cost: float

    @property
    def day(self) -> str:
        return day_of(self.held.at)


calls_on_their_way = precondition(lambda self: self.calls)
claims_in_hand = precondition(lambda self: self.claims)


class MoneyMachine(RuleBasedStateMachine):
    """A subclass says how its store is made and how its process is killed."""

    def make(self, clock: ManualClock) -> Store:
        raise NotImplementedError

    def kill(self, store: Store) -> None:
        raise NotImplementedError

    @initialize()
    def open(self) -> None:
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.opened: list[Store] = []
        self.claims: list[Claimed] = []
        self.calls: list[Call] = []
        self.made: list[Call] = []
        self.reopen()
        orders = [self.run(items(self.store, 6, cost_cap=cap)) for cap in CAPS]
        self.caps = {order.id: cap for order, cap in zip(orders, CAPS, strict=True)}

    def reopen(self) -> None:
        self.store = self.make(self.clock)
        self.opened.append(self.store)
        self.run(self.store.open())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @rule(limit=st.integers(1, 5))
    def claim(self, limit: int) -> None:
        self.claims += self.run(claim(self.store, limit))

    @claims_in_hand
    @rule(amounts=st.lists(st.tuples(PICK, AMOUNTS, SHARES), min_size=1, max_size=4))
    def reserve(self, amounts: list[tuple[int, float, float]]) -> None:
        chosen = {pick % len(self.claims): (amount, share) for pick, amount, share in amounts}
        wanted = [(self.claims[place], *told) for place, told in chosen.items()]
        needs = [Need(one.job.id, one.lease, 2 * amount, least=amount) for one, amount, _ in wanted]
        found = self.run(self.store.reserve_cost(needs, DAY_CAP))
        for (claimed, _, share), came in zip(wanted, found, strict=True):
            self.claims.remove(claimed)
            if isinstance(came, Reserved):
                self.calls.append(Call(claimed, came, came.amount * share))
                self.made.append(self.calls[-1])
            elif isinstance(came, CapReached):
                self.run(self.store.settle([again(claimed, Counter.SNOOZE)]))

    @calls_on_their_way
    @rule(pick=PICK)
    def answer(self, pick: int) -> None:
        call = self.taken(pick)
        tried = replace(
            attempt(request_key=KEY, cost=call.true_cost, usage=Usage()),
            started_at=call.held.at,
            finished_at=self.clock.now_ms(),
        )
        attempt_id = self.run(self.store.store_answer(call.claimed, tried, answer()))
        self.run(self.store.settle([done(call.claimed, None, attempt_id=attempt_id)]))

    @calls_on_their_way
    @rule(pick=PICK)
    def lose(self, pick: int) -> None:
        """A timeout. What it cost, if anything, nobody says."""
        call = self.taken(pick)
        tried = attempt(ErrorClass.TIMEOUT, cost=0.0, uncertain_cost=call.held.amount)
        tried = replace(tried, started_at=call.held.at)
        self.run(self.store.settle([again(call.claimed, Counter.NONE, attempt=tried, **WHY)]))

    @calls_on_their_way
    @rule(pick=PICK)
    def give_back(self, pick: int) -> None:
        self.run(self.store.settle([again(self.taken(pick).claimed)]))

    @precondition(lambda self: self.calls or self.claims)
    @rule(pick=PICK, whole_batch=st.booleans())
    def cancel(self, pick: int, whole_batch: bool) -> None:
        """The call goes on; it may be answered or lost later."""
        held = [*self.claims, *(call.claimed for call in self.calls)]
        job = held[pick % len(held)].job
        if whole_batch:
            self.run(self.store.cancel(batch_id=job.batch_id))
        else:
            self.run(self.store.cancel(job_ids=[job.id]))

    @rule(pick=st.integers(0, len(CAPS) - 1))
    def once_more(self, pick: int) -> None:
        """Whatever has ended of a batch or stands still goes on."""
        batch_id = list(self.caps)[pick]
        jobs = self.run(self.store.jobs(batch_id=batch_id))
        self.run(self.store.retry(job_ids=[job.id for job in jobs]))
        self.run(self.store.resume(batch_id))

    @rule(seconds=st.sampled_from([1.0, LEASE, 13 * 3600.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def expire(self) -> None:
        """Calls whose lease has run out are still on their way: an answer may come late."""
        self.run(self.store.expire())

    @rule(politely=st.booleans())
    def crash(self, politely: bool) -> None:
        if politely:
            self.run(self.store.close())
        else:
            self.kill(self.store)
        self.calls.clear()
        self.claims.clear()
        self.reopen()

    def taken(self, pick: int) -> Call:
        return self.calls.pop(pick % len(self.calls))

    @invariant()
    def no_cap_is_overshot(self) -> None:
        """Now and then: what is overshot once stays so until the next day."""
        self.steps = getattr(self, "steps", 0) + 1
        if self.steps % 4 == 0 and hasattr(self, "caps"):
            self.run(self._compare())

    async def _compare(self) -> None:
        await sound(self.store)
        for batch_id, cap in self.caps.items():
            batch = await self.store.batch(batch_id)
            assert batch is not None
            mine = [one for one in self.made if one.claimed.job.batch_id == batch_id]
            self._hold(batch, mine, cap)
        for day in {one.day for one in self.made}:
            mine = [one for one in self.made if one.day == day]
            self._hold(await self.store.day(day), mine, DAY_CAP)

    def _hold(self, counted: Any, made: list[Call], cap: float | None) -> None:
        total = counted.cost + counted.uncertain_cost + counted.reserved_cost
        assert cap is None or total <= cap * (1 + 1e-6)
        assert sum(call.true_cost for call in made) <= total * (1 + 1e-6) + 1e-9

    def teardown(self) -> None:
        if not hasattr(self, "caps"):
            return
        try:
            self.run(self._end())
        finally:
            for store in self.opened:
                self.run(store.close())
            self.runner.close()

    async def _end(self) -> None:
        """With nothing in hand nothing is reserved, to the last digit."""
        await self.store.settle([again(one) for one in self.claims])
        await self.store.settle([again(one.claimed) for one in self.calls])
        self.clock.advance(LEASE)
        await self.store.expire()
        for batch_id in self.caps:
            batch = await self.store.batch(batch_id)
            assert batch is not None
            assert (batch.reserved_cost, batch.processing, batch.is_short) == (0, 0, False)
        for day in {one.day for one in self.made}:
            assert (await self.store.day(day)).reserved_cost == 0
        await self._compare()
