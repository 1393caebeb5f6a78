"""What is graded by now is graded again only when somebody asks for that."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradeq import ConflictError, Engine, Grade, Job, NewSubmission


async def test_without_again_a_graded_paper_is_skipped(tmp_path: Path):
    engine = Engine(tmp_path / "grades.db")
    graded: list[str] = []

    @engine.grader("length")
    async def by_length(job: Job) -> Grade:
        assert job.submission is not None
        graded.append(job.submission.external_id)
        return Grade(1.0, 1.0)

    async with engine:
        await engine.submit([NewSubmission("a", "one")], grader="length")
        await engine.run()
        papers = [added.id for added in await engine.add([NewSubmission("b", "two")])]
        order = await engine.submit([1, *papers], grader="length", again=False)
        await engine.run()
        assert [(one.submission_id, one.code) for one in order.skipped] == [(1, "graded")]
        await engine.submit([1], grader="length")
        await engine.run()
    assert graded == ["a", "b", "a"]


async def test_who_orders_what_is_queued_already_looks_at_the_batch_that_has_it(tmp_path: Path):
    engine = Engine(tmp_path / "grades.db", work=False)

    @engine.grader("length")
    async def by_length(_: Job) -> Grade:
        return Grade(1.0, 1.0)

    async with engine:
        first = await engine.submit([NewSubmission("a", "one")], grader="length")
        second = await engine.submit(
            [NewSubmission("b", "x"), NewSubmission("c", "y")], grader="length"
        )
        third = await engine.submit([1, 2, 3], grader="length")
        assert (third.batch_id, third.id, third.created) == (None, second.id, 0)
        assert third.job_ids == first.job_ids + second.job_ids
        nothing = await engine.submit([99], grader="length")
        with pytest.raises(ConflictError, match="nothing was queued, so there is no batch: 1 of"):
            _ = nothing.id
