"""Caps on cost: reserved before each call, counted when its cost is known, never overshot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gradeq.clock import ManualClock
from gradeq.days import day_of, next_midnight_ms
from gradeq.errors import NotFoundError
from gradeq.outcome import Counter, ErrorClass
from gradeq.store.base import Store
from gradeq.store.claims import Claimed, Settlement
from gradeq.store.costs import CapReached, DayRow, Need, Reserved
from gradeq.store.rows import BatchRow

from .base import Suite
from .helpers import (
    KEY,
    LEASE,
    StoreMaker,
    again,
    answer,
    attempt,
    claim,
    claim_one,
    done,
    items,
    queued,
    settle,
    sound,
    status,
)


async def reserve(
    store: Store, claimed: Claimed, amount: float = 1.0, day_cap: float | None = None
) -> Reserved | CapReached | None:
    need = Need(claimed.job.id, claimed.lease, amount)
    [found] = await store.reserve_cost([need], day_cap)
    return found


async def reserved(store: Store, claimed: Claimed, amount: float = 1.0, **more: Any) -> Reserved:
    found = await reserve(store, claimed, amount, **more)
    assert isinstance(found, Reserved), found
    return found


async def reached(store: Store, claimed: Claimed, amount: float = 1.0, **more: Any) -> CapReached:
    found = await reserve(store, claimed, amount, **more)
    assert isinstance(found, CapReached), found
    return found


async def batch_of(store: Store, batch_id: int) -> BatchRow:
    batch = await store.batch(batch_id)
    assert batch is not None
    return batch


async def purse(store: Store, batch_id: int) -> tuple[float, float, float]:
    """What is spent, uncertain and in hand."""
    batch = await batch_of(store, batch_id)
    return batch.cost, batch.uncertain_cost, batch.reserved_cost


async def answered_for(store: Store, claimed: Claimed, held: Reserved, cost: float) -> int:
    """The call's answer is stored; it has cost this much."""
    tried = attempt(request_key=KEY, cost=cost)
    return await store.store_answer(claimed, _at(tried, held.at), answer())


def _at(tried: Any, at: int) -> Any:
    return replace(tried, started_at=at, finished_at=at + 1)


def lost(claimed: Claimed, held: Reserved, **fields: Any) -> Settlement:
    """A timeout: nobody can tell whether it was charged."""
    tried = attempt(ErrorClass.TIMEOUT, cost=0.0, uncertain_cost=held.amount)
    told = {"error": ErrorClass.TIMEOUT, "reason": "no answer", **fields}
    return again(claimed, Counter.ATTEMPT, attempt=_at(tried, held.at), **told)


class ReservationSuite(Suite):
    async def test_a_reservation_is_in_hand_until_its_answer_is_stored(
        self, store: Store, clock: ManualClock
    ) -> None:
        batch_id = (await queued(store, "ann", cost_cap=5.0)).id
        claimed = await claim_one(store)
        assert claimed.is_capped
        held = await reserved(store, claimed, 2.0)
        assert held == Reserved(2.0, clock.now_ms())
        assert await purse(store, batch_id) == (0, 0, 2.0)
        attempt_id = await answered_for(store, claimed, held, 0.5)
        assert await purse(store, batch_id) == (0.5, 0, 0)
        await settle(store, done(claimed, attempt_id=attempt_id))
        assert await purse(store, batch_id) == (0.5, 0, 0)

    async def test_a_batch_without_a_cap_says_so(self, store: Store) -> None:
        submitted = await queued(store, "ann")
        assert not (await claim_one(store)).is_capped
        assert (await batch_of(store, submitted.id)).cost_cap is None

    async def test_what_fits_fits_to_the_last_digit(self, store: Store) -> None:
        batch_id = (await queued(store, *"abcd", cost_cap=0.3)).id
        for claimed in await claim(store, 3):
            await reserved(store, claimed, 0.1)
        beyond = await reached(store, await claim_one(store), 0.0001)
        assert (beyond.cap, beyond.in_hand, beyond.waits) == (0.3, pytest.approx(0.3), True)
        assert (beyond.batch_id, beyond.needed) == (batch_id, 0.0001)

    async def test_nothing_is_changed_where_it_does_not_fit(self, store: Store) -> None:
        batch_id = (await queued(store, *"ab", cost_cap=1.5)).id
        first, second = await claim(store, 2)
        await reserved(store, first)
        before = await purse(store, batch_id)
        await reached(store, second)
        assert await purse(store, batch_id) == before

    async def test_many_at_once_all_that_fit_in_order(self, store: Store) -> None:
        await queued(store, *"abcde", cost_cap=2.5)
        claims = await claim(store, 5)
        amounts = [1.0, 1.0, 1.0, 0.5, 0.1]
        needs = [
            Need(one.job.id, one.lease, amount) for one, amount in zip(claims, amounts, strict=True)
        ]
        found = await store.reserve_cost(needs)
        assert [isinstance(one, Reserved) for one in found] == [True, True, False, True, False]

    async def test_no_reservation_without_the_lease(self, store: Store) -> None:
        batch_id = (await queued(store, "ann", cost_cap=5.0)).id
        claimed = await claim_one(store)
        await store.cancel(job_ids=[claimed.job.id])
        assert await reserve(store, claimed) is None
        assert await purse(store, batch_id) == (0, 0, 0)

    async def test_a_failure_that_costs_nothing_frees_the_money(self, store: Store) -> None:
        batch_id = (await queued(store, "ann", cost_cap=5.0)).id
        claimed = await claim_one(store)
        await reserved(store, claimed)
        refused = attempt(ErrorClass.RATE_LIMITED, cost=0.0)
        why = {"error": ErrorClass.RATE_LIMITED, "reason": "429"}
        await settle(store, again(claimed, Counter.SNOOZE, attempt=refused, **why))
        assert await purse(store, batch_id) == (0, 0, 0)

    async def test_a_lost_answer_is_uncertain(self, store: Store) -> None:
        batch_id = (await queued(store, "ann", cost_cap=5.0)).id
        claimed = await claim_one(store)
        held = await reserved(store, claimed, 2.0)
        await settle(store, lost(claimed, held))
        assert await purse(store, batch_id) == (0, 2.0, 0)
        [tried] = await store.attempts(claimed.job.id)
        assert (tried.cost, tried.uncertain_cost) == (0, 2.0)
        assert (await store.totals()).uncertain_cost == 2.0

    async def test_a_claim_given_back_during_its_call_is_uncertain(self, store: Store) -> None:
        """A stop that does not wait any longer: no attempt is counted, but the money is."""
        batch_id = (await queued(store, "ann", cost_cap=5.0)).id
        claimed = await claim_one(store)
        await reserved(store, claimed)
        await settle(store, again(claimed))
        assert await purse(store, batch_id) == (0, 1.0, 0)
        [tried] = await store.attempts(claimed.job.id)
        assert (tried.error, tried.uncertain_cost, tried.model) == ("interrupted", 1.0, None)
        job = await store.job(claimed.job.id)
        assert job is not None
        assert (job.attempts, job.interruptions) == (0, 0)

    async def test_a_claim_given_back_before_its_call_costs_nothing(self, store: Store) -> None:
        batch_id = (await queued(store, "ann", cost_cap=5.0)).id
        await settle(store, again(await claim_one(store)))
        assert await purse(store, batch_id) == (0, 0, 0)

    async def test_a_lease_that_runs_out_is_uncertain(
        self, store: Store, clock: ManualClock
    ) -> None:
        batch_id = (await queued(store, "ann", cost_cap=5.0)).id
        await reserved(store, await claim_one(store))
        clock.advance(LEASE)
        assert (await store.expire()).returned == 1
        assert await purse(store, batch_id) == (0, 1.0, 0)

    async def test_an_answer_after_its_lease_ran_out_is_certain(
        self, store: Store, clock: ManualClock
    ) -> None:
        batch_id = (await queued(store, "ann", cost_cap=5.0)).id
        claimed = await claim_one(store)
        held = await reserved(store, claimed)
        clock.advance(LEASE)
        await store.expire()
        await answered_for(store, claimed, held, 0.25)
        assert await purse(store, batch_id) == (0.25, 0, 0)
        assert (await store.day(day_of(held.at))).uncertain_cost == 0

    async def test_a_failure_after_its_lease_ran_out_is_certain(
        self, store: Store, clock: ManualClock
    ) -> None:
        batch_id = (await queued(store, "ann", cost_cap=5.0)).id
        claimed = await claim_one(store)
        held = await reserved(store, claimed)
        clock.advance(LEASE)
        await store.expire()
        assert await settle(store, lost(claimed, held)) == [False]
        assert await purse(store, batch_id) == (0, 1.0, 0)

    @pytest.mark.parametrize("way", ["cancel", "cancel batch", "archive"])
    async def test_a_cancelled_job_s_call_stays_in_hand_until_it_ends(
        self, store: Store, way: str
    ) -> None:
        batch_id = (await queued(store, "ann", cost_cap=5.0)).id
        claimed = await claim_one(store)
        held = await reserved(store, claimed)
        await self._cancel(store, claimed, way)
        assert await purse(store, batch_id) == (0, 0, 1.0)
        attempt_id = await answered_for(store, claimed, held, 0.25)
        assert await purse(store, batch_id) == (0.25, 0, 0)
        assert await settle(store, done(claimed, attempt_id=attempt_id)) == [False]
        assert await purse(store, batch_id) == (0.25, 0, 0)

    async def _cancel(self, store: Store, claimed: Claimed, way: str) -> None:
        if way == "cancel":
            await store.cancel(job_ids=[claimed.job.id])
        elif way == "cancel batch":
            await store.cancel(batch_id=claimed.job.batch_id)
        else:
            assert claimed.job.submission is not None
            await store.archive([claimed.job.submission.id])

    async def test_a_cancelled_job_s_call_that_fails_late(self, store: Store) -> None:
        batch_id = (await queued(store, "ann", cost_cap=5.0)).id
        claimed = await claim_one(store)
        held = await reserved(store, claimed)
        await store.cancel(job_ids=[claimed.job.id])
        assert await settle(store, lost(claimed, held)) == [False]
        assert await purse(store, batch_id) == (0, 1.0, 0)

    async def test_an_outcome_that_cannot_be_stored_ends_its_reservation(
        self, store: Store
    ) -> None:
        batch_id = (await queued(store, "ann", cost_cap=5.0)).id
        claimed = await claim_one(store)
        await reserved(store, claimed)
        tried = attempt(cost=0.5)
        await settle(store, done(claimed, None, result=object(), attempt=tried))
        assert await purse(store, batch_id) == (0.5, 0, 0)


class CapSuite(Suite):
    async def test_with_nothing_in_hand_the_batch_is_paused_with_the_reason(
        self, store: Store
    ) -> None:
        batch_id = (await queued(store, *"ab", cost_cap=2.0)).id
        claimed = await claim_one(store)
        held = await reserved(store, claimed)
        attempt_id = await answered_for(store, claimed, held, 0.75)
        await settle(store, done(claimed, attempt_id=attempt_id))
        claimed = await claim_one(store)
        beyond = await reached(store, claimed, 1.5)
        assert not beyond.waits
        await settle(store, again(claimed, Counter.SNOOZE))
        batch = await batch_of(store, batch_id)
        assert (batch.status, batch.paused_by) == ("paused", "gradeq")
        assert (batch.pause_cause, batch.pause_reason) == ("cost_cap", beyond.reason)
        assert beyond.reason == (
            "cost cap of 2.00 USD reached: 0.7500 spent, 0.00 in hand, the next call could cost up "
            f"to 1.50; raise it (gradeq batch cap {batch_id} AMOUNT), then resume "
            f"(gradeq batch resume {batch_id})"
        )
        assert await claim(store) == []

    async def test_a_call_may_do_with_less(self, store: Store) -> None:
        batch_id = (await queued(store, *"abc", cost_cap=2.0)).id
        claims = await claim(store, 3)
        needs = [Need(one.job.id, one.lease, 1.2, least=0.5) for one in claims]
        first, second, third = await store.reserve_cost(needs, None)
        assert isinstance(first, Reserved)
        assert isinstance(second, Reserved)
        assert isinstance(third, CapReached)
        assert (first.amount, second.amount, third.needed) == (1.2, 0.5, 0.5)
        assert (await batch_of(store, batch_id)).reserved_cost == pytest.approx(1.7)
        assert third.waits

    async def test_while_calls_are_in_hand_it_waits_for_them(self, store: Store) -> None:
        batch_id = (await queued(store, *"abcd", cost_cap=2.0)).id
        first, second, third = await claim(store, 3)
        held = await reserved(store, first)
        await reserved(store, second)
        assert (await reached(store, third)).waits
        await settle(store, again(third, Counter.SNOOZE))
        batch = await batch_of(store, batch_id)
        assert (batch.status, batch.is_short) == ("processing", True)
        assert await claim(store) == [], "no claim for which there is no money"
        attempt_id = await answered_for(store, first, held, 0.25)
        await settle(store, done(first, attempt_id=attempt_id))
        assert await claim(store) == [], "0.25 + 1.00 + 1.00"
        await settle(store, done(second, attempt=attempt(cost=0.25)))
        [fourth] = await claim(store)
        await reserved(store, fourth)

    async def test_near_the_cap_no_more_is_claimed_than_there_is_money_for(
        self, store: Store
    ) -> None:
        batch_id = (await queued(store, *"abcdefghij", cost_cap=5.0)).id
        claims = await claim(store, 6)
        held = [await reserved(store, one) for one in claims[:5]]
        await reached(store, claims[5])
        await settle(store, again(claims[5], Counter.SNOOZE))
        ids = [await answered_for(store, *one, 0.25) for one in zip(claims, held, strict=False)]
        await settle(store, *map(_done, claims, ids))
        # 1.25 are spent: of 3.75 there are three calls.
        taken = await claim(store)
        assert len(taken) == 3
        assert await claim(store) == []
        assert (await batch_of(store, batch_id)).is_short

    async def test_another_batch_is_not_held_up(self, store: Store) -> None:
        await queued(store, *"abc", cost_cap=1.0)
        first, second = await claim(store, 2)
        await reserved(store, first)
        await reached(store, second)
        await settle(store, again(second, Counter.SNOOZE))
        other = await items(store, 2)
        assert {one.job.batch_id for one in await claim(store)} == {other.id}

    async def test_a_call_that_fits_no_cap_at_all(self, store: Store) -> None:
        batch_id = (await queued(store, "ann", cost_cap=0.01)).id
        assert "reached: 0.00 spent" in (await reached(store, await claim_one(store))).reason
        assert (await batch_of(store, batch_id)).paused_at is not None

    async def test_a_higher_cap_and_resuming_go_on(self, store: Store) -> None:
        batch_id = (await queued(store, "ann", cost_cap=0.5)).id
        claimed = await claim_one(store)
        await reached(store, claimed)
        await settle(store, again(claimed, Counter.SNOOZE))
        await store.set_cost_cap(batch_id, 1.0)
        assert await status(store, batch_id) == "paused"
        await store.resume(batch_id)
        await reserved(store, await claim_one(store))

    async def test_without_a_cap_everything_fits(self, store: Store) -> None:
        batch_id = (await queued(store, "ann", cost_cap=0.5)).id
        claimed = await claim_one(store)
        await reached(store, claimed)
        await store.set_cost_cap(batch_id, None)
        await reserved(store, claimed, 1000.0)
        assert (await batch_of(store, batch_id)).cost_cap is None

    async def test_a_cap_may_be_set_below_what_was_spent(self, store: Store) -> None:
        batch_id = (await queued(store, *"ab")).id
        await settle(store, done(await claim_one(store), attempt=attempt(cost=3.0)))
        await store.set_cost_cap(batch_id, 1.0)
        assert (await reached(store, await claim_one(store))).spent == 3.0

    async def test_no_such_batch(self, store: Store) -> None:
        with pytest.raises(NotFoundError, match="no batch 7"):
            await store.set_cost_cap(7, 1.0)


def _done(claimed: Claimed, attempt_id: int) -> Settlement:
    return done(claimed, attempt_id=attempt_id)


class DaySuite(Suite):
    async def test_a_day_knows_what_its_calls_cost(self, store: Store, clock: ManualClock) -> None:
        today = day_of(clock.now_ms())
        assert await store.day(today) == DayRow(today)
        await queued(store, *"abc", cost_cap=10.0)
        first, second, third = await claim(store, 3)
        await answered_for(store, first, await reserved(store, first), 0.25)
        await settle(store, lost(second, await reserved(store, second, 2.0)))
        await reserved(store, third, 3.0)
        assert await store.day(today) == DayRow(today, 0.25, 2.0, 3.0)

    async def test_what_no_cap_holds_is_counted_too(self, store: Store, clock: ManualClock) -> None:
        await queued(store, "ann")
        await answered_for(store, await claim_one(store), Reserved(1.0, clock.now_ms()), 0.25)
        today = day_of(clock.now_ms())
        assert await store.day(today) == DayRow(today, cost=0.25)

    async def test_its_cap_holds_all_batches_together(self, store: Store) -> None:
        for name in "ab":
            await queued(store, name)
        first, second = await claim(store, 2)
        assert first.job.batch_id != second.job.batch_id
        await reserved(store, first, 1.0, day_cap=1.5)
        beyond = await reached(store, second, 1.0, day_cap=1.5)
        assert (beyond.batch_id, beyond.in_hand, beyond.waits) == (None, 1.0, True)
        assert beyond.reason.startswith("the day's cost cap of 1.50 USD reached: 0.00 spent, 1.00 ")
        assert "midnight" in beyond.reason
        batch = await batch_of(store, second.job.batch_id)
        assert batch.paused_at is None

    async def test_with_nothing_in_hand_there_is_nothing_to_wait_for(self, store: Store) -> None:
        await queued(store, "ann")
        assert not (await reached(store, await claim_one(store), 2.0, day_cap=1.5)).waits

    async def test_the_batch_s_own_cap_counts_as_well(self, store: Store) -> None:
        await queued(store, "ann", cost_cap=1.0)
        assert (await reached(store, await claim_one(store), 2.0, day_cap=9.0)).batch_id is not None

    async def test_the_next_day_starts_at_nothing(self, store: Store, clock: ManualClock) -> None:
        await queued(store, *"ab")
        first, second = await claim(store, 2)
        held = await reserved(store, first, 1.0, day_cap=1.5)
        await reached(store, second, 1.0, day_cap=1.5)
        yesterday = day_of(clock.now_ms())
        clock.advance((next_midnight_ms(clock.now_ms()) - clock.now_ms()) / 1000)
        await reserved(store, second, 1.0, day_cap=1.5)
        # A call counts for the day on which it began.
        await answered_for(store, first, held, 0.75)
        assert await store.day(yesterday) == DayRow(yesterday, cost=0.75)
        today = day_of(clock.now_ms())
        assert await store.day(today) == DayRow(today, reserved_cost=1.0)

    async def test_near_its_cap_no_more_is_claimed_than_there_is_money_for(
        self, store: Store
    ) -> None:
        await queued(store, *"abcdefghij")
        claims = await claim(store, 4)
        held = [await reserved(store, one, day_cap=3.5) for one in claims[:3]]
        await reached(store, claims[3], day_cap=3.5)
        await settle(store, again(claims[3], Counter.SNOOZE))
        assert await claim(store) == []
        ids = [await answered_for(store, *one, 0.25) for one in zip(claims, held, strict=False)]
        await settle(store, *map(_done, claims, ids))
        assert len(await claim(store)) == 2, "0.75 of 3.50 are spent"

    async def test_a_pool_that_costs_nothing_goes_on(self, store: Store) -> None:
        await queued(store, *"ab")
        first, second = await claim(store, 2)
        await reserved(store, first, day_cap=1.5)
        await reached(store, second, day_cap=1.5)
        await items(store, 3, pool="this machine")
        assert len(await claim(store, pool="this machine")) == 3

    async def test_one_claim_finds_out_when_nothing_is_in_hand(self, store: Store) -> None:
        await queued(store, *"abc")
        claimed = await claim_one(store)
        await reserved(store, claimed, day_cap=1.0)
        second = await claim_one(store)
        await reached(store, second, day_cap=1.0)
        await settle(store, again(second), done(claimed, attempt=attempt(cost=0.5)))
        assert len(await claim(store)) == 1


class WriteOffSuite:
    """What a process that is gone had in hand may have been charged."""

    async def test_a_crash_leaves_it_uncertain(
        self, make_store: StoreMaker, clock: ManualClock
    ) -> None:
        store = await make_store()
        batch_id = (await queued(store, *"abc", cost_cap=10.0)).id
        first, second, third = await claim(store, 3)
        await reserved(store, first, 1.0)
        await reserved(store, second, 2.0)
        # Its job is nobody's any more, but its call was on its way.
        await store.cancel(job_ids=[second.job.id])
        held = await reserved(store, third, 4.0)
        await answered_for(store, third, held, 0.5)
        began = day_of(clock.now_ms())
        await make_store.kill(store)

        clock.advance(3 * 86_400)
        reopened = await make_store()
        assert await purse(reopened, batch_id) == (0.5, 3.0, 0)
        assert await reopened.day(began) == DayRow(began, 0.5, 3.0, 0)
        await sound(reopened)

    async def test_a_new_process_may_have_other_prices(self, make_store: StoreMaker) -> None:
        """How much a call needs is found out anew; else few would be claimed for nothing."""
        store = await make_store()
        await queued(store, *"abcdef", cost_cap=10.0)
        first, second = await claim(store, 2)
        await reserved(store, first, 9.0)
        await reached(store, second, 9.0)
        await settle(store, again(second), done(first, attempt=attempt(cost=0.5)))
        await store.close()

        reopened = await make_store()
        assert len(await claim(reopened)) == 5
