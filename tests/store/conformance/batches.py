"""What people do to batches and jobs, and the one word that a batch's facts add up to."""

from __future__ import annotations

import pytest

from gradeq.clock import ManualClock
from gradeq.errors import ConflictError, NotFoundError
from gradeq.model import SubmissionStatus
from gradeq.outcome import Counter, ErrorClass
from gradeq.store.base import Store

from .base import Suite
from .helpers import (
    BETTER,
    add,
    again,
    answered,
    badges,
    claim,
    claim_one,
    done,
    failed,
    items,
    paper,
    parked,
    queued,
    settle,
    state,
    states,
    status,
    submit,
)


class StatusSuite(Suite):
    async def test_the_life_of_a_batch(self, store: Store, clock: ManualClock) -> None:
        batch_id = (await queued(store, "a", "b")).id
        assert await status(store, batch_id) == "pending"
        first = await claim_one(store)
        assert await status(store, batch_id) == "processing"
        await settle(store, done(first))
        assert await status(store, batch_id) == "processing"
        clock.advance(5)
        await settle(store, done(await claim_one(store)))
        batch = await store.batch(batch_id)
        assert batch is not None
        assert batch.status == "completed"
        assert batch.finished_at == clock.now_ms()
        assert (batch.total, batch.pending, batch.processing, batch.completed) == (2, 0, 0, 2)

    async def test_how_it_ends(self, store: Store) -> None:
        for outcomes, expected in (
            ((done, done), "completed"),
            ((done, failed), "completed_with_errors"),
            ((failed, failed), "failed"),
        ):
            batch_id = (await queued(store, f"{expected}-a", f"{expected}-b")).id
            claims = await claim(store)
            await settle(store, *(end(one) for end, one in zip(outcomes, claims, strict=True)))
            assert await status(store, batch_id) == expected

    async def test_a_returned_job_takes_the_batch_back_to_pending(self, store: Store) -> None:
        batch_id = (await items(store)).id
        await settle(store, again(await claim_one(store)))
        assert await status(store, batch_id) == "pending"

    async def test_a_failed_start_is_work_that_was_done(self, store: Store) -> None:
        batch_id = (await items(store, 2)).id
        await settle(store, failed(await claim_one(store)))
        assert await status(store, batch_id) == "processing"


class BatchSuite(Suite):
    async def test_a_paused_batch_gives_out_nothing(self, store: Store) -> None:
        batch_id = (await queued(store, "a", "b")).id
        claimed = await claim_one(store)
        await store.pause(batch_id, "Ms Lee", "wrong rubric")
        batch = await store.batch(batch_id)
        assert batch is not None
        assert (batch.status, batch.paused_by) == ("paused", "Ms Lee")
        assert batch.pause_reason == "wrong rubric"
        assert await claim(store) == []
        assert await settle(store, done(claimed)) == [True]

        await store.resume(batch_id)
        resumed = await store.batch(batch_id)
        assert resumed is not None
        assert (resumed.paused_at, resumed.paused_by, resumed.pause_reason) == (None, None, None)
        assert (batch.pause_cause, resumed.pause_cause) == (None, None)
        assert len(await claim(store)) == 1

    async def test_the_first_pause_stands(self, store: Store) -> None:
        batch_id = (await queued(store, "a")).id
        await store.pause(batch_id, "Ms Lee", "first")
        await store.pause(batch_id, "Mr Day", "second")
        batch = await store.batch(batch_id)
        assert batch is not None
        assert (batch.paused_by, batch.pause_reason) == ("Ms Lee", "first")

    async def test_there_is_nothing_to_pause_in_what_is_over(self, store: Store) -> None:
        batch_id = (await items(store)).id
        await settle(store, done(await claim_one(store), None))
        with pytest.raises(ConflictError):
            await store.pause(batch_id, "Ms Lee")
        await store.resume(batch_id)
        assert await status(store, batch_id) == "completed"

    async def test_unknown_batches(self, store: Store) -> None:
        for attempt in (
            store.pause(9, "Ms Lee"),
            store.resume(9),
            store.cancel(batch_id=9),
            store.retry(batch_id=9),
        ):
            with pytest.raises(NotFoundError, match="9"):
                await attempt
        assert await store.batch(9) is None
        assert await store.cancel(job_ids=[9]) == await store.retry(job_ids=[9]) == 0

    async def test_cancelling_a_batch(self, store: Store) -> None:
        submitted = await queued(store, "a", "b", "c")
        ended, held = await claim(store, 2)
        await settle(store, done(ended))
        assert await store.cancel(batch_id=submitted.id) == 2
        assert await states(store, submitted.id) == ["completed", "cancelled", "cancelled"]
        assert await status(store, submitted.id) == "cancelled"
        assert (await badges(store)).grading == 0
        await answered(store, held)
        assert await settle(store, done(held)) == [False]
        assert [one.answer_use for one in await store.attempts(held.job.id)] == ["salvage"]
        assert await store.cancel(batch_id=submitted.id) == 0

    async def test_cancelling_a_paused_batch(self, store: Store) -> None:
        batch_id = (await queued(store, "a")).id
        await store.pause(batch_id, "Ms Lee")
        await store.cancel(batch_id=batch_id)
        assert await status(store, batch_id) == "cancelled"

    async def test_cancelling_some_jobs(self, store: Store) -> None:
        submitted = await items(store, 3)
        first, second, third = submitted.job_ids
        assert await store.cancel(job_ids=[second, second, 999]) == 1
        assert await states(store, submitted.id) == ["pending", "cancelled", "pending"]
        assert [one.job.id for one in await claim(store)] == [first, third]

    async def test_a_finished_batch_cannot_be_cancelled(self, store: Store) -> None:
        batch_id = (await items(store)).id
        await settle(store, done(await claim_one(store), None))
        assert await store.cancel(batch_id=batch_id) == 0
        assert await status(store, batch_id) == "completed"

    async def test_waiting_jobs_can_be_cancelled(self, store: Store, clock: ManualClock) -> None:
        batch_id = (await items(store, run_at=clock.now_ms() + 1000)).id
        assert await store.cancel(batch_id=batch_id) == 1
        assert await store.next_due() is None


class RetrySuite(Suite):
    async def test_failed_jobs_start_anew(self, store: Store, clock: ManualClock) -> None:
        submitted = await queued(store, "a", "b", max_attempts=2)
        ended, poor = await claim(store)
        why = {"error": ErrorClass.SERVER_ERROR, "reason": "500"}
        await settle(store, done(ended), again(poor, Counter.ATTEMPT, **why))
        await settle(store, failed(await claim_one(store), counter=Counter.ATTEMPT))
        clock.advance(10)
        assert await store.retry(batch_id=submitted.id) == 1

        job = await store.job(submitted.job_ids[1])
        assert job is not None
        assert (job.state, job.error, job.reason) == ("pending", None, None)
        assert (job.attempts, job.snoozes, job.interruptions, job.unusable) == (0, 0, 0, 0)
        assert (job.run_at, job.finished_at) == (clock.now_ms(), None)
        batch = await store.batch(submitted.id)
        assert batch is not None
        assert (batch.status, batch.finished_at, batch.failed) == ("processing", None, 0)
        assert (await badges(store)).grading == 1
        claimed = await claim_one(store)
        assert claimed.job.attempt == 1
        assert len(await store.attempts(claimed.job.id)) == 0

    async def test_cancelled_jobs_start_anew_when_named(self, store: Store) -> None:
        submitted = await queued(store, "a", "b")
        await store.cancel(batch_id=submitted.id)
        assert await store.retry(job_ids=submitted.job_ids[:1]) == 1
        assert await status(store, submitted.id) == "pending"
        assert len(await claim(store)) == 1

    async def test_a_retry_ends_a_pause(self, store: Store) -> None:
        submitted = await queued(store, *"abcdef")
        claims = await claim(store)
        await settle(store, *map(parked, claims[:5]))
        await settle(store, failed(claims[5]))
        assert await store.retry(batch_id=submitted.id) == 1
        assert len(await claim(store)) == 6

    async def test_what_has_not_failed_is_not_retried(self, store: Store) -> None:
        submitted = await items(store, 3)
        ended, _ = await claim(store, 2)
        await settle(store, done(ended, None))
        assert await store.retry(job_ids=submitted.job_ids) == 0
        assert await states(store, submitted.id) == ["completed", "processing", "pending"]

    async def test_one_open_job_stays_one(self, store: Store) -> None:
        [ann] = await add(store, "ann")
        first = await submit(store, [ann])
        await settle(store, failed(await claim_one(store)))
        second = await submit(store, [ann])
        assert await store.retry(batch_id=first.id) == 0
        assert await state(store, first.job_ids[0]) == "failed"
        await settle(store, failed(await claim_one(store)))
        assert await store.retry(job_ids=[*first.job_ids, *second.job_ids]) == 1

    async def test_papers_that_cannot_be_graded_now(self, store: Store) -> None:
        names = ("archived", "released", "draft", "fine")
        submitted = await queued(store, *names)
        archived, released, *_ = await add(store, *names)
        await settle(store, *map(failed, await claim(store)))
        await store.archive([archived])
        await store.edit_grade(released, BETTER, "Ms Lee")
        await store.release([released], "Ms Lee")
        draft = paper("draft", "Once more.", status=SubmissionStatus.IN_PROGRESS)
        await store.add_submissions([draft])
        assert await store.retry(batch_id=submitted.id) == 1
        assert await states(store, submitted.id) == ["failed", "failed", "failed", "pending"]
