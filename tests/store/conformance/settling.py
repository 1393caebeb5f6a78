"""How claimed jobs go on: outcomes, counters, and what cannot be stored."""

from __future__ import annotations

import math

import pytest

from gradeq.clock import ManualClock
from gradeq.model import Grade, JobState
from gradeq.outcome import Counter, ErrorClass
from gradeq.store.base import Store
from gradeq.store.claims import Settlement

from .base import Suite
from .helpers import (
    GRADE,
    USAGE,
    add,
    again,
    attempt,
    badges,
    claim,
    claim_one,
    current,
    done,
    failed,
    items,
    queued,
    settle,
    state,
    states,
    status,
    submit,
)

WHY = {"error": ErrorClass.SERVER_ERROR, "reason": "500"}


class SettleSuite(Suite):
    async def test_a_grade_moves_job_paper_badges_and_batch_together(self, store: Store) -> None:
        submitted = await queued(store, "ann")
        claimed = await claim_one(store)
        assert await settle(store, done(claimed, attempt=attempt())) == [True]

        paper = claimed.job.submission
        assert paper is not None
        assert await current(store, paper.id) == GRADE
        assert await state(store, submitted.job_ids[0]) == JobState.COMPLETED
        assert await status(store, submitted.id) == "completed"
        counts = await badges(store)
        assert (counts.submitted, counts.graded, counts.grading) == (0, 1, 0)

    async def test_every_try_is_on_record_and_in_the_batch_s_sums(self, store: Store) -> None:
        submitted = await queued(store, "ann")
        refused = attempt(ErrorClass.RATE_LIMITED, usage=USAGE, http_status=429)
        await settle(store, again(await claim_one(store), Counter.SNOOZE, attempt=refused))
        await settle(store, done(await claim_one(store), attempt=attempt(request_id="req_1")))

        first, second = await store.attempts(submitted.job_ids[0])
        assert (first.error, first.http_status) == ("rate_limited", 429)
        assert (first.reason, first.answer_use) == ("it was rate_limited", "none")
        assert (second.error, second.request_id, second.model) == (None, "req_1", "claude-1")
        assert (second.input_tokens, second.output_tokens) == (1200, 300)
        batch = await store.batch(submitted.id)
        assert batch is not None
        assert (batch.requests, batch.rate_limited) == (2, 1)
        assert (batch.input_tokens, batch.output_tokens) == (2400, 600)
        assert batch.cost == pytest.approx(0.5)

    async def test_a_failure_leaves_the_paper_submitted_with_its_reason(self, store: Store) -> None:
        submitted = await queued(store, "ann")
        claimed = await claim_one(store)
        await settle(store, failed(claimed, "the paper is blank"))
        job = await store.job(submitted.job_ids[0])
        assert job is not None
        assert (job.state, job.error, job.reason) == ("failed", "rejected", "the paper is blank")
        counts = await badges(store)
        assert (counts.submitted, counts.graded, counts.grading) == (1, 0, 0)
        assert await status(store, submitted.id) == "failed"

    async def test_a_result_of_another_job_kind_is_kept_to_the_letter(self, store: Store) -> None:
        result = {"text": "ü “x” \x00", "pages": [1, 2.5, None], "ok": True}
        submitted = await items(store)
        await settle(store, done(await claim_one(store), None, result=result))
        job = await store.job(submitted.job_ids[0])
        assert job is not None
        assert job.result == result

    async def test_a_retry_counts_an_attempt_and_waits(
        self, store: Store, clock: ManualClock
    ) -> None:
        submitted = await queued(store, "ann")
        due = clock.now_ms() + 2000
        await settle(store, again(await claim_one(store), Counter.ATTEMPT, run_at=due, **WHY))
        job = await store.job(submitted.job_ids[0])
        assert job is not None
        assert (job.state, job.attempts, job.run_at) == ("pending", 1, due)
        assert (job.error, job.reason) == ("server_error", "500")
        assert await claim(store) == []
        assert await store.next_due() == due

        clock.advance(2)
        claimed = await claim_one(store)
        assert (claimed.job.attempt, claimed.counters.attempts) == (2, 1)

    async def test_no_more_attempts_are_counted_than_there_are(self, store: Store) -> None:
        submitted = await queued(store, "ann", max_attempts=2)
        for _ in range(3):
            await settle(store, again(await claim_one(store), Counter.ATTEMPT, **WHY))
        await settle(store, failed(await claim_one(store), counter=Counter.ATTEMPT))
        job = await store.job(submitted.job_ids[0])
        assert job is not None
        assert job.attempts == 2

    async def test_each_counter_counts_its_own(self, store: Store) -> None:
        submitted = await queued(store, "ann")
        tries = [
            *[Counter.ATTEMPT] * 1,
            *[Counter.SNOOZE] * 2,
            *[Counter.ANSWER] * 3,
            *[Counter.INTERRUPTION] * 4,
            *[Counter.NONE] * 5,
        ]
        for counter in tries:
            await settle(store, again(await claim_one(store), counter, **WHY))
        job = await store.job(submitted.job_ids[0])
        assert job is not None
        counted = (job.attempts, job.snoozes, job.unusable, job.interruptions)
        assert counted == (1, 2, 3, 4)

    async def test_an_overload_s_budget_starts_with_the_first_of_a_row(
        self, store: Store, clock: ManualClock
    ) -> None:
        await queued(store, "ann")
        first = clock.now_ms()
        for _ in range(2):
            claimed = await claim_one(store)
            await settle(store, again(claimed, Counter.OVERLOAD, **WHY))
            clock.advance(7)
        counters = (await claim_one(store)).counters
        assert (counters.overloaded_since, counters.snoozes) == (first, 2)

    async def test_something_else_in_between_ends_the_row_of_overloads(self, store: Store) -> None:
        await queued(store, "ann")
        for counter in (Counter.OVERLOAD, Counter.SNOOZE):
            await settle(store, again(await claim_one(store), counter, **WHY))
        assert (await claim_one(store)).counters.overloaded_since is None

    async def test_outcomes_of_many_kinds_settle_together(self, store: Store) -> None:
        submitted = await queued(store, "a", "b", "c", "d")
        a, b, c, d = await claim(store)
        await store.cancel(job_ids=[d.job.id])
        results = await settle(store, failed(b), done(a), done(d), again(c, **WHY))
        assert results == [True, True, False, True]
        assert await states(store, submitted.id) == ["completed", "failed", "pending", "cancelled"]

    async def test_settling_nothing(self, store: Store) -> None:
        assert await settle(store) == []

    async def test_an_unknown_job_or_lease_is_late(self, store: Store) -> None:
        await queued(store, "ann")
        claimed = await claim_one(store)
        forged = Settlement(claimed.job.id, "f" * 32, JobState.COMPLETED, GRADE)
        unknown = Settlement(999, claimed.lease, JobState.COMPLETED, GRADE)
        assert await settle(store, forged, unknown) == [False, False]
        assert await state(store, claimed.job.id) == JobState.PROCESSING

    async def test_two_graders_may_end_with_one_paper_at_once(self, store: Store) -> None:
        [paper_id] = await add(store, "ann")
        await submit(store, [paper_id], grader="first")
        await submit(store, [paper_id], grader="second")
        assert await settle(store, *map(done, await claim(store))) == [True, True]
        rows = await store.grades(paper_id)
        assert [(row.version, row.current) for row in rows] == [(2, True), (1, False)]


class BadOutcomeSuite(Suite):
    """An outcome that no database can hold fails its own job and nobody else's."""

    async def check(self, store: Store, bad: Settlement, *good: Settlement) -> None:
        assert await settle(store, good[0], bad, *good[1:]) == [True] * (1 + len(good))
        job = await store.job(bad.job_id)
        assert job is not None
        assert (job.state, job.error) == (JobState.FAILED, ErrorClass.CRASHED)
        assert "cannot be stored" in (job.reason or "")
        for one in good:
            assert await state(store, one.job_id) == JobState.COMPLETED

    async def test_a_score_that_is_no_number(self, store: Store) -> None:
        await queued(store, "ann", "bob", "cem")
        a, b, c = await claim(store)
        await self.check(store, done(b, Grade(math.nan, 4.0)), done(a), done(c))

    async def test_a_result_that_json_cannot_hold(self, store: Store) -> None:
        await items(store, 2)
        a, b = await claim(store)
        await self.check(store, done(b, None, result=object()), done(a, None))

    async def test_a_grade_for_a_job_without_a_paper(self, store: Store) -> None:
        await items(store, 2)
        a, b = await claim(store)
        await self.check(store, done(b, GRADE), done(a, None))

    async def test_its_try_stays_on_record(self, store: Store) -> None:
        await queued(store, "ann")
        claimed = await claim_one(store)
        await settle(store, done(claimed, Grade(1.0, -1.0), attempt=attempt()))
        [tried] = await store.attempts(claimed.job.id)
        assert (tried.error, tried.input_tokens) == ("crashed", 1200)
