"""Work goes in: one transaction, one open job per paper and grader, one answer per order."""

from __future__ import annotations

import pytest

from gradeq.clock import ManualClock
from gradeq.errors import ConflictError, StoreError
from gradeq.model import BatchStatus, JobState, SubmissionStatus
from gradeq.store.base import Store
from gradeq.store.orders import QueuedAlready, SubmitOrder

from .base import Suite
from .helpers import (
    POOL,
    add,
    again,
    badges,
    claim,
    claim_one,
    done,
    failed,
    graded,
    items,
    queued,
    settle,
    state,
    submit,
)


class SubmitSuite(Suite):
    async def test_a_submitted_paper_is_a_pending_job(self, store: Store) -> None:
        [paper_id] = await add(store, "ann")
        submitted = await submit(store, [paper_id], priority=3, deadline=99, owner="ms-lee")

        assert submitted.created == len(submitted.job_ids) == 1
        job = await store.job(submitted.job_ids[0])
        assert job is not None
        assert (job.state, job.submission_id, job.external_id) == ("pending", paper_id, "ann")
        batch = await store.batch(submitted.id)
        assert batch is not None
        assert (batch.status, batch.total, batch.pending) == (BatchStatus.PENDING, 1, 1)
        assert (batch.owner, batch.priority, batch.deadline) == ("ms-lee", 3, 99)
        assert (await badges(store)).grading == (await badges(store)).submitted == 1

    async def test_ids_answer_position_by_position(self, store: Store) -> None:
        ann, bob = await add(store, "ann", "bob")
        submitted = await submit(store, [bob, ann, bob])
        assert submitted.created == 2
        first, second, third = submitted.job_ids
        assert first == third != second
        found = await store.job(second)
        assert found is not None
        assert found.submission_id == ann

    async def test_a_paper_has_one_open_job_per_grader(self, store: Store) -> None:
        first = await queued(store, "ann")
        [paper_id] = await add(store, "ann")
        second = await submit(store, [paper_id])
        assert (second.created, second.job_ids) == (0, first.job_ids)
        assert await state(store, first.job_ids[0]) == JobState.PENDING

        await claim_one(store)
        third = await submit(store, [paper_id])
        assert (third.created, third.job_ids) == (0, first.job_ids)

    async def test_an_order_of_what_is_queued_makes_no_batch(self, store: Store) -> None:
        first = await queued(store, "ann", "bob", owner="ms-lee")
        seen = await store.last_event()
        second = await submit(store, await add(store, "ann", "bob"), owner="mr-may")
        assert (second.batch_id, second.created, second.queued) == (None, 0, 0)
        assert second.job_ids == first.job_ids
        assert second.already == (QueuedAlready(first.id, "ms-lee", 2),)
        assert len(await store.batches()) == 1
        assert await store.last_event() == seen
        assert second.id == first.id

    async def test_an_order_of_what_cannot_be_graded_makes_no_batch(self, store: Store) -> None:
        [draft] = await add(store, "draft", status=SubmissionStatus.IN_PROGRESS)
        submitted = await submit(store, [draft])
        assert (submitted.batch_id, submitted.already) == (None, ())
        with pytest.raises(ConflictError, match="nothing was queued, so there is no batch: 1 of"):
            _ = submitted.id
        assert (await submit(store, [])).batch_id is None
        assert await store.batches() == []

    async def test_what_others_have_queued_is_told_beside_what_is_new(self, store: Store) -> None:
        ann, bob, cleo = await add(store, "ann", "bob", "cleo")
        first = await submit(store, [ann], owner="ms-lee")
        await submit(store, [bob], owner="mr-day")
        submitted = await submit(store, [bob, cleo, ann, cleo], owner="mr-may")
        assert (submitted.created, submitted.queued, submitted.queued_already) == (1, 1, 2)
        assert {one.owner: one.papers for one in submitted.already} == {"ms-lee": 1, "mr-day": 1}
        assert submitted.job_ids[2] == first.job_ids[0]
        batch = await store.batch(submitted.id)
        assert batch is not None
        assert (batch.total, batch.owner) == (1, "mr-may")

    async def test_another_grader_gets_a_job_of_its_own(self, store: Store) -> None:
        first = await queued(store, "ann")
        second = await submit(store, await add(store, "ann"), grader="spelling")
        assert second.created == 1
        assert second.job_ids != first.job_ids
        assert (await badges(store)).grading == 2

    async def test_a_paper_whose_job_has_ended_may_be_queued_again(self, store: Store) -> None:
        [paper_id] = await graded(store, "ann")
        assert (await submit(store, [paper_id])).created == 1
        await settle(store, failed(await claim_one(store)))
        assert (await submit(store, [paper_id])).created == 1

    async def test_papers_that_cannot_be_graded_are_named(self, store: Store) -> None:
        archived, released, fine = await graded(store, "archived", "released", "fine")
        [draft] = await add(store, "draft", status=SubmissionStatus.IN_PROGRESS)
        await store.archive([archived])
        await store.release([released], "Ms Lee")

        submitted = await submit(store, [archived, draft, fine, released, 999])
        assert len(submitted.job_ids) == submitted.created == 1
        assert {one.submission_id: one.code for one in submitted.skipped} == {
            archived: "archived",
            draft: "in_progress",
            released: "released",
            999: "not_found",
        }
        assert all(one.reason for one in submitted.skipped)

    async def test_payloads_are_jobs_without_a_paper(self, store: Store) -> None:
        payloads = [{"file": "a.pdf", "pages": [1, 2]}, {"file": "ü \u2028 \x00.pdf"}]
        order = SubmitOrder(payloads=payloads, kind="ocr", grader="ocr", pool=POOL)
        submitted = await store.submit(order)
        assert submitted.created == len(submitted.job_ids) == 2
        claimed = await claim(store)
        assert [one.job.payload for one in claimed] == payloads
        assert [one.job.id for one in claimed] == list(submitted.job_ids)
        assert claimed[0].job.submission is None
        assert claimed[0].job.kind == "ocr"

    async def test_scheduled_work_waits_for_its_time(
        self, store: Store, clock: ManualClock
    ) -> None:
        due = clock.now_ms() + 5000
        await queued(store, "ann", run_at=due)
        assert await claim(store) == []
        assert await store.next_due() == due
        clock.advance(5)
        assert len(await claim(store)) == 1
        assert await store.next_due() is None

    async def test_a_refused_order_leaves_nothing_behind(self, store: Store) -> None:
        ids = await add(store, "ann")
        before = await store.last_event()
        with pytest.raises(StoreError):
            await submit(store, ids, priority=11)
        assert await store.batches() == []
        assert await store.last_event() == before
        assert (await badges(store)).grading == 0


class IdempotencySuite(Suite):
    async def test_the_same_key_answers_the_first_batch(
        self, store: Store, clock: ManualClock
    ) -> None:
        ids = await add(store, "ann", "bob")
        first = await submit(store, ids, idempotency_key="hw3")
        clock.advance(1)
        await settle(store, *map(done, await claim(store)))
        clock.advance(1)
        second = await submit(store, ids, idempotency_key="hw3")
        assert (second.id, second.job_ids, second.created) == (first.id, first.job_ids, 0)
        assert len(await store.batches()) == 1

    async def test_a_key_belongs_to_its_owner(self, store: Store) -> None:
        first = await items(store, owner="ms-lee", idempotency_key="hw3")
        second = await items(store, owner="mr-day", idempotency_key="hw3")
        third = await items(store, owner="ms-lee", idempotency_key="hw3")
        assert second.id != first.id
        assert (third.id, third.job_ids) == (first.id, first.job_ids)

    async def test_jobs_of_an_earlier_batch_are_answered_again_too(
        self, store: Store, clock: ManualClock
    ) -> None:
        """Also when they have ended, or been queued anew, since the first answer."""
        [ann, bob] = await add(store, "ann", "bob")
        earlier = await submit(store, [ann])
        clock.advance(1)
        first = await submit(store, [ann, bob], idempotency_key="hw3")
        assert first.job_ids[0] == earlier.job_ids[0]
        clock.advance(1)
        await settle(store, *map(done, await claim(store)))
        clock.advance(1)
        await submit(store, [ann, bob])
        again_ = await submit(store, [ann, bob], idempotency_key="hw3")
        assert again_.job_ids == first.job_ids

    async def test_what_was_skipped_is_not_answered_by_an_older_job(
        self, store: Store, clock: ManualClock
    ) -> None:
        released, fine = await graded(store, "released", "fine")
        await store.release([released], "Ms Lee")
        clock.advance(1)
        first = await submit(store, [released, fine], idempotency_key="hw3")
        assert len(first.job_ids) == 1
        second = await submit(store, [released, fine], idempotency_key="hw3")
        assert second.job_ids == first.job_ids

    async def test_a_key_is_kept_where_nothing_new_was_queued(
        self, store: Store, clock: ManualClock
    ) -> None:
        """When the papers' jobs have ended since, the same order still queues nothing."""
        earlier = await queued(store, "ann")
        clock.advance(1)
        ids = await add(store, "ann")
        first = await submit(store, ids, owner="mr-may", idempotency_key="hw3")
        assert first.batch_id is None
        clock.advance(1)
        await settle(store, failed(await claim_one(store)))
        clock.advance(1)
        again_ = await submit(store, ids, owner="mr-may", idempotency_key="hw3")
        assert again_ == first
        assert again_.job_ids == earlier.job_ids
        assert len(await store.batches()) == 1

    async def test_a_repeated_order_tells_again_what_others_had_queued(
        self, store: Store, clock: ManualClock
    ) -> None:
        [ann, bob] = await add(store, "ann", "bob")
        await submit(store, [ann], owner="ms-lee")
        clock.advance(1)
        first = await submit(store, [ann, bob], idempotency_key="hw3")
        again_ = await submit(store, [ann, bob], idempotency_key="hw3")
        assert (again_.queued, again_.already) == (1, first.already)

    async def test_a_key_outlives_a_retry(self, store: Store) -> None:
        first = await queued(store, "ann", idempotency_key="hw3")
        await settle(store, again(await claim_one(store)))
        second = await submit(store, await add(store, "ann"), idempotency_key="hw3")
        assert second.job_ids == first.job_ids
