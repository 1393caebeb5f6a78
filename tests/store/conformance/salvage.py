"""Paid answers: stored before they are read, never lost, never paid for twice."""

from __future__ import annotations

from gradeq.clock import ManualClock
from gradeq.outcome import Counter, ErrorClass
from gradeq.store.base import Store

from .base import Suite
from .helpers import (
    KEY,
    LEASE,
    StoreMaker,
    add,
    again,
    answer,
    answered,
    attempt,
    claim_one,
    current,
    done,
    failed,
    paper,
    queued,
    settle,
    sound,
    submit,
)


async def uses(store: Store, job_id: int) -> list[str]:
    return [one.answer_use for one in await store.attempts(job_id)]


class SalvageSuite(Suite):
    async def test_an_answer_is_on_record_before_it_is_read(self, store: Store) -> None:
        [paper_id] = await add(store, "ann")
        await submit(store, [paper_id])
        claimed = await claim_one(store)
        given = answer('{"criteria": ["ü", "\\u2028"]}')
        attempt_id = await store.store_answer(claimed, attempt(request_key=KEY), given)

        found = await store.unapplied_answer(paper_id, KEY)
        assert found is not None
        assert found.attempt_id == attempt_id
        for part in ("prefix", "sent", "text", "stop", "raw", "model", "usage", "request_key"):
            assert getattr(found, part) == getattr(given, part)
        assert await uses(store, claimed.job.id) == ["stored"]

    async def test_an_answer_belongs_to_its_paper_and_question(self, store: Store) -> None:
        ann, bob = await add(store, "ann", "bob")
        await submit(store, [ann, bob])
        await answered(store, await claim_one(store))
        assert await store.unapplied_answer(bob, KEY) is None
        assert await store.unapplied_answer(ann, "another model") is None

    async def test_an_answer_that_made_a_grade_is_used_up(self, store: Store) -> None:
        [paper_id] = await add(store, "ann")
        await submit(store, [paper_id])
        claimed = await claim_one(store)
        attempt_id = await answered(store, claimed)
        await settle(store, done(claimed, attempt_id=attempt_id, request_key=KEY))
        assert await uses(store, claimed.job.id) == ["applied"]
        assert await store.unapplied_answer(paper_id, KEY) is None
        [grade] = await store.grades(paper_id)
        assert grade.request_key == KEY

    async def test_settling_again_takes_nothing_back(self, store: Store) -> None:
        """A worker that is unsure whether its outcome was saved says it again."""
        [paper_id] = await add(store, "ann")
        await submit(store, [paper_id])
        claimed = await claim_one(store)
        outcome = done(claimed, attempt_id=await answered(store, claimed))
        assert await settle(store, outcome) == [True]
        assert await settle(store, outcome) == [False]
        assert await uses(store, claimed.job.id) == ["applied"]
        assert await store.unapplied_answer(paper_id, KEY) is None

    async def test_an_unusable_answer_is_not_offered_again(self, store: Store) -> None:
        [paper_id] = await add(store, "ann")
        await submit(store, [paper_id])
        claimed = await claim_one(store)
        attempt_id = await answered(store, claimed)
        why = {"error": ErrorClass.UNUSABLE, "reason": "no JSON"}
        await settle(store, again(claimed, Counter.ANSWER, attempt_id=attempt_id, **why))
        [tried] = await store.attempts(claimed.job.id)
        assert (tried.answer_use, tried.error, tried.reason) == ("unusable", "unusable", "no JSON")
        taken = await claim_one(store)
        assert (taken.has_unapplied_answer, taken.counters.unusable) == (False, 1)

    async def test_an_answer_for_a_job_that_is_gone_is_salvage(self, store: Store) -> None:
        [paper_id] = await add(store, "ann")
        await submit(store, [paper_id])
        claimed = await claim_one(store)
        await store.cancel(job_ids=[claimed.job.id])
        attempt_id = await answered(store, claimed)
        assert await settle(store, done(claimed, attempt_id=attempt_id)) == [False]
        assert await uses(store, claimed.job.id) == ["salvage"]
        assert await current(store, paper_id) is None

    async def test_archiving_keeps_the_answer_and_grading_again_pays_nothing(
        self, store: Store
    ) -> None:
        [paper_id] = await add(store, "ann")
        await submit(store, [paper_id])
        claimed = await claim_one(store)
        await store.archive([paper_id])
        attempt_id = await answered(store, claimed, "the answer")
        assert await settle(store, done(claimed, attempt_id=attempt_id)) == [False]

        await store.unarchive([paper_id])
        second = await submit(store, [paper_id])
        taken = await claim_one(store)
        assert taken.has_unapplied_answer
        found = await store.unapplied_answer(paper_id, KEY)
        assert found is not None
        assert (found.text, found.attempt_id) == ("the answer", attempt_id)
        await settle(store, done(taken, attempt_id=attempt_id, request_key=KEY))
        assert await current(store, paper_id) is not None
        assert await store.unapplied_answer(paper_id, KEY) is None
        batch = await store.batch(second.id)
        assert batch is not None
        assert (batch.completed, batch.requests, batch.cost) == (1, 0, 0)

    async def test_archived_between_answer_and_outcome(self, store: Store) -> None:
        [paper_id] = await add(store, "ann")
        await submit(store, [paper_id])
        claimed = await claim_one(store)
        attempt_id = await answered(store, claimed)
        await store.archive([paper_id])
        assert await settle(store, done(claimed, attempt_id=attempt_id)) == [False]
        assert await uses(store, claimed.job.id) == ["salvage"]
        assert await store.unapplied_answer(paper_id, KEY) is not None

    async def test_a_late_failure_does_not_bring_back_an_answer(
        self, store: Store, clock: ManualClock
    ) -> None:
        [paper_id] = await add(store, "ann")
        await submit(store, [paper_id])
        late = await claim_one(store)
        attempt_id = await answered(store, late)
        clock.advance(LEASE)
        await store.expire()
        taken = await claim_one(store)
        assert taken.has_unapplied_answer
        await settle(store, done(taken, attempt_id=attempt_id))
        assert await settle(store, failed(late, attempt_id=attempt_id)) == [False]
        assert await uses(store, late.job.id) == ["applied", "none"]

    async def test_the_newest_answer_is_offered(self, store: Store) -> None:
        [paper_id] = await add(store, "ann")
        for text in ("old", "new"):
            await submit(store, [paper_id])
            claimed = await claim_one(store)
            await store.cancel(job_ids=[claimed.job.id])
            await answered(store, claimed, text)
        found = await store.unapplied_answer(paper_id, KEY)
        assert found is not None
        assert found.text == "new"

    async def test_a_replaced_paper_keeps_the_old_answer_for_the_record_only(
        self, store: Store
    ) -> None:
        """The question is another one: the text is part of the key."""
        [paper_id] = await add(store, "ann")
        await submit(store, [paper_id])
        claimed = await claim_one(store)
        await store.add_submissions([paper("ann", "A new text.")])
        await answered(store, claimed)
        assert await uses(store, claimed.job.id) == ["salvage"]
        assert await store.unapplied_answer(paper_id, "the new text's key") is None


class CrashedAnswerSuite:
    async def test_an_answer_outlives_a_crash_before_its_outcome(
        self, make_store: StoreMaker
    ) -> None:
        store = await make_store()
        submitted = await queued(store, "ann")
        claimed = await claim_one(store)
        attempt_id = await answered(store, claimed)
        await make_store.kill(store)

        reopened = await make_store()
        taken = await claim_one(reopened)
        assert taken.has_unapplied_answer
        assert taken.job.submission is not None
        found = await reopened.unapplied_answer(taken.job.submission.id, KEY)
        assert found is not None
        assert found.attempt_id == attempt_id
        await settle(reopened, done(taken, attempt_id=attempt_id))
        batch = await reopened.batch(submitted.id)
        assert batch is not None
        assert batch.requests == 1
        await sound(reopened)
