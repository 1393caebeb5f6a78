"""What has happened: results, events, and what a database remembers of itself."""

from __future__ import annotations

import pytest

from gradeq.clock import ManualClock
from gradeq.outcome import ErrorClass
from gradeq.store.base import Store

from .base import Suite
from .helpers import (
    ASSIGNMENT,
    COURSE,
    GRADE,
    StoreMaker,
    add,
    again,
    attempt,
    claim,
    claim_one,
    done,
    failed,
    graded,
    items,
    kinds_since,
    queued,
    settle,
    submit,
)


class ResultSuite(Suite):
    async def test_one_row_per_paper_in_the_order_asked_for(self, store: Store) -> None:
        names = ("a", "b", "c", "d")
        submitted = await queued(store, *names)
        ids = await add(store, *names)
        a, b, c, _ = await claim(store)
        refused = attempt(ErrorClass.RATE_LIMITED)
        why = {"error": ErrorClass.RATE_LIMITED, "reason": "429"}
        await settle(store, again(a, attempt=refused, **why), failed(b, "blank"), done(c))
        await settle(store, done(await claim_one(store), attempt=attempt()))
        await store.pause(submitted.id, "Ms Lee", "lunch")

        rows = await store.results([ids[1], 999, ids[0], ids[3], ids[2]])
        assert [row.submission.id for row in rows] == [ids[1], ids[0], ids[3], ids[2]]
        blank, good, running, plain = rows
        assert blank.job is not None
        assert (blank.grade, blank.job.state, blank.job.reason) == (None, "failed", "blank")
        assert good.grade is not None
        assert (good.grade.grade, good.attempts) == (GRADE, 2)
        assert (good.input_tokens, good.output_tokens) == (2400, 600)
        assert good.cost == pytest.approx(0.5)
        assert running.job is not None
        assert (running.job.state, running.pause_reason) == ("processing", "lunch")
        assert (plain.attempts, plain.cost) == (0, 0.0)

    async def test_only_the_current_grade_and_the_last_job_count(self, store: Store) -> None:
        [ann] = await graded(store, "ann")
        again_ = await submit(store, [ann])
        [row] = await store.results([ann])
        assert row.grade is not None
        assert row.job is not None
        assert (row.grade.version, row.job.id) == (1, again_.job_ids[0])
        await settle(store, done(await claim_one(store)))
        [row] = await store.results([ann])
        assert row.grade is not None
        assert row.grade.version == 2

    async def test_every_try_at_a_paper(self, store: Store) -> None:
        [ann] = await graded(store, "ann")
        await submit(store, [ann], grader="other")
        why = {"error": ErrorClass.TIMEOUT, "reason": "slow"}
        claimed = await claim_one(store)
        await settle(store, again(claimed, attempt=attempt(ErrorClass.TIMEOUT), **why))
        await settle(store, done(await claim_one(store), attempt=attempt()))
        tries = await store.attempts_at(ann)
        assert [one.error for one in tries] == ["timeout", None]
        assert {one.job_id for one in tries} == {claimed.job.id}
        assert await store.attempts_at(999) == []

    async def test_a_paper_that_was_never_queued(self, store: Store) -> None:
        [row] = await store.results(await add(store, "ann"))
        assert (row.grade, row.job, row.attempts, row.pause_reason) == (None, None, 0, None)


class EventSuite(Suite):
    async def test_a_paper_s_way_as_events(self, store: Store, clock: ManualClock) -> None:
        [ann] = await graded(store, "ann")
        await store.release([ann], "Ms Lee")
        events = await store.events(0)
        assert [one.seq for one in events] == sorted({one.seq for one in events})
        kinds = [one.kind for one in events if not one.kind.startswith("batch.")]
        assert kinds == [
            "submissions.imported",
            "jobs.queued",
            "job.processing",
            "job.completed",
            "submission.graded",
            "submission.released",
        ]
        released = events[-1]
        assert (released.course, released.assignment) == (COURSE, ASSIGNMENT)
        assert (released.submission_id, released.at) == (ann, clock.now_ms())
        assert await store.last_event() == released.seq

    async def test_an_event_and_its_change_are_one_transaction(self, store: Store) -> None:
        """What fails leaves no event; what is told has happened."""
        ids = await graded(store, "ann")
        before = await store.last_event()
        await store.release([999], "Ms Lee")
        await settle(store)
        await store.cancel(job_ids=[999])
        assert await kinds_since(store, before) == []
        await store.archive(ids)
        [event] = await store.events(before)
        paper = await store.submission(ids[0])
        assert paper is not None
        assert (event.kind, event.at) == ("submission.archived", paper.archived_at)

    async def test_a_batch_s_turns_are_events(self, store: Store) -> None:
        batch_id = (await items(store)).id
        before = await store.last_event()
        await store.pause(batch_id, "Ms Lee", "wrong rubric")
        await store.resume(batch_id)
        await settle(store, done(await claim_one(store), None))
        told = [one for one in await store.events(before) if one.kind.startswith("batch.")]
        assert [one.kind for one in told] == ["batch.paused", "batch.pending", "batch.completed"]
        assert told[0].data == {"reason": "wrong rubric"}
        assert {one.batch_id for one in told} == {batch_id}

    async def test_pages_of_events(self, store: Store) -> None:
        await graded(store, "ann", "bob")
        every = await store.events(0)
        assert await store.events(0, limit=3) == every[:3]
        assert await store.events(every[2].seq, limit=2) == every[3:5]
        assert await store.events(every[-1].seq) == []

    async def test_pruning_keeps_the_newest_and_the_numbering(self, store: Store) -> None:
        await graded(store, "ann", "bob")
        every = await store.events(0)
        assert await store.prune_events(3) == len(every) - 3
        assert await store.events(0) == every[-3:]
        assert await store.prune_events(0) == 2
        await graded(store, "cem")
        assert (await store.events(0))[0] == every[-1]
        assert [one.seq for one in await store.events(0)][1] == every[-1].seq + 1

    async def test_listeners_hear_of_every_commit(self, store: Store) -> None:
        heard: list[int] = []
        store.subscribe(lambda: heard.append(1))
        await items(store)
        count = len(heard)
        assert count >= 1
        await store.batches()
        assert len(heard) == count
        await claim(store)
        assert len(heard) > count


class LifeSuite:
    async def test_the_secret_is_the_database_s_own(self, make_store: StoreMaker) -> None:
        store = await make_store()
        secret = await store.secret()
        assert len(secret) == 32
        assert await store.secret() == secret
        await store.close()
        assert await (await make_store()).secret() == secret

    async def test_a_store_can_be_closed_and_opened_again(self, make_store: StoreMaker) -> None:
        store = await make_store()
        ids = await graded(store, "ann")
        await store.close()
        await store.close()
        await store.open()
        assert await store.submission(ids[0]) is not None
        assert (await items(store)).created == 1
