"""The row of failures that pauses a batch by itself."""

from __future__ import annotations

import pytest

from gradeq.errors import StoreError
from gradeq.outcome import Counter, ErrorClass
from gradeq.store.base import Store

from .base import Suite
from .helpers import (
    POOL,
    StoreMaker,
    again,
    claim,
    claim_one,
    done,
    parked,
    queued,
    settle,
    sound,
    status,
)

WHY = {"error": ErrorClass.SERVER_ERROR, "reason": "500"}


class StreakSuite(Suite):
    """Failures in a row with one cause that no retry can mend pause the batch."""

    async def test_five_in_a_row_pause_the_batch(self, store: Store) -> None:
        batch_id = (await queued(store, *"abcdef")).id
        for tries in range(1, 6):
            assert await status(store, batch_id) != "paused"
            assert await settle(store, parked(await claim_one(store))) == [True]
            batch = await store.batch(batch_id)
            assert batch is not None
            assert (batch.paused_by is not None) == (tries == 5)
        assert batch.status == "paused"
        assert (batch.paused_by, batch.pause_reason) == ("gradeq", "the provider says bad_key")
        assert batch.pause_cause == ErrorClass.BAD_KEY
        assert await claim(store) == []
        assert batch.pending == 6

    async def test_five_at_once_do_too(self, store: Store) -> None:
        batch_id = (await queued(store, *"abcde")).id
        await settle(store, *map(parked, await claim(store)))
        assert await status(store, batch_id) == "paused"

    async def test_a_success_ends_the_row(self, store: Store) -> None:
        batch_id = (await queued(store, *"abcdef")).id
        claims = await claim(store)
        await settle(store, *map(parked, claims[:4]))
        await settle(store, done(claims[4]))
        await settle(store, parked(claims[5]))
        assert await status(store, batch_id) == "processing"

    async def test_another_cause_starts_a_row_of_its_own(self, store: Store) -> None:
        batch_id = (await queued(store, *"abcdef")).id
        causes = [*[ErrorClass.BAD_KEY] * 4, ErrorClass.QUOTA, ErrorClass.BAD_KEY]
        for cause in causes:
            await settle(store, parked(await claim_one(store), cause))
        assert await status(store, batch_id) == "pending"

    async def test_mendable_failures_pause_nothing(self, store: Store) -> None:
        batch_id = (await queued(store, "ann")).id
        for _ in range(8):
            await settle(store, again(await claim_one(store), Counter.SNOOZE, **WHY))
        assert await status(store, batch_id) == "pending"

    async def test_another_batch_is_not_concerned(self, store: Store) -> None:
        first = await queued(store, *"abcde")
        second = await queued(store, "other")
        await settle(store, *map(parked, await claim(store, 5)))
        assert await status(store, first.id) == "paused"
        assert [one.job.batch_id for one in await claim(store)] == [second.id]

    async def test_calls_on_their_way_still_settle(self, store: Store) -> None:
        batch_id = (await queued(store, *"abcdef")).id
        claims = await claim(store)
        await settle(store, *map(parked, claims[:5]))
        assert await settle(store, done(claims[5])) == [True]
        assert await status(store, batch_id) == "paused"

    async def test_resuming_starts_a_new_row(self, store: Store) -> None:
        batch_id = (await queued(store, *"abcde")).id
        await settle(store, *map(parked, await claim(store)))
        await store.resume(batch_id)
        await settle(store, *map(parked, await claim(store, 4)))
        assert await status(store, batch_id) == "pending"
        await settle(store, parked(await claim_one(store)))
        assert await status(store, batch_id) == "paused"

    async def test_a_pool_s_stuck_batches_resume_together(self, store: Store) -> None:
        """Not those that a person or a cap paused, or whose grader is not registered."""
        batches = [await queued(store, *(f"{place}{n}" for n in range(6))) for place in "abcd"]
        stuck, by_hand, other, capped = (batch.id for batch in batches)
        *five, late = await claim(store, 6)
        await settle(store, *map(parked, five))
        await settle(store, done(late))
        await store.pause(by_hand, "Anna")
        for one in await claim(store, 6):
            await settle(store, parked(one, ErrorClass.NO_GRADER))
        await settle(store, parked(await claim_one(store)))
        await store.pause(capped, "gradeq", "its cap is reached")
        paused = [await status(store, one.id) for one in batches]
        assert paused == ["paused"] * 4
        assert await store.resume_stuck("elsewhere") == []
        assert await store.resume_stuck(POOL) == [stuck]
        assert await store.resume_stuck(POOL) == []
        assert await status(store, stuck) == "processing"
        left = [await status(store, one) for one in (by_hand, other, capped)]
        assert left == ["paused"] * 3


class ConfiguredStreakSuite:
    async def test_how_many_failures_pause_a_batch_can_be_chosen(
        self, make_store: StoreMaker
    ) -> None:
        store = await make_store(pause_after=2)
        batch_id = (await queued(store, "a", "b", "c")).id
        claims = await claim(store)
        await settle(store, parked(claims[0]))
        assert await status(store, batch_id) == "processing"
        await settle(store, parked(claims[1]))
        assert await status(store, batch_id) == "paused"
        await sound(store)

    async def test_a_store_that_is_closed_refuses(self, make_store: StoreMaker) -> None:
        store = await make_store()
        await queued(store, "ann")
        await store.close()
        with pytest.raises(StoreError, match="not open"):
            await claim(store)
        with pytest.raises(StoreError, match="not open"):
            await store.batches()
