"""Graders and job kinds of the application's own: what they may raise, return and take."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from engine_kit import FastClock, an_engine, papers

from gradeq import (
    Engine,
    Grade,
    GradeSource,
    Job,
    NewSubmission,
    ProviderSettings,
    Reject,
    Result,
    Snooze,
)
from gradeq.errors import ConfigError, ConflictError, InputError
from gradeq.store.rows import JobRow

SPEED = 200.0
"""A retry after 1 to 30 seconds comes within 5 to 150 milliseconds."""


async def graded(path: Any, function: Any, **options: Any) -> tuple[Result, JobRow]:
    """The result of one paper, and its job."""
    engine = an_engine(path / "g.db", clock=FastClock(SPEED))
    engine.grader("own", **options)(function)
    async with engine:
        batch = await engine.submit(papers(1, student="Ada"), grader="own")
        (result,) = [one async for one in engine.results(batch.id)]
        job = await engine.store.job(batch.job_ids[0])
        assert await engine.store.check() == []
    assert job is not None
    return result, job


async def test_a_grade_is_kept_as_given(tmp_path):
    async def grade(job: Job) -> Grade:
        assert job.submission.student == "Ada"
        return Grade(2.5, 4, feedback=f"read: {job.submission.text}", flags=("check",))

    result, job = await graded(tmp_path, grade)
    assert result.status == "graded"
    assert result.grade == Grade(
        2.5, 4, feedback="read: Paper number 1.", flags=("check",), source=GradeSource.CODE
    )
    assert (job.state, job.attempts, job.reason) == ("completed", 0, None)


async def test_a_snooze_costs_no_attempt(tmp_path):
    seen: list[int] = []

    async def grade(job: Job) -> Grade:
        seen.append(job.attempt)
        if len(seen) <= 7:
            raise Snooze(1, "the plagiarism check still runs")
        return Grade(1, 1)

    result, job = await graded(tmp_path, grade, max_attempts=1)
    assert result.status == "graded"
    assert (job.attempts, job.snoozes) == (0, 7)
    assert seen == [1] * 8


async def test_a_reject_fails_at_once_with_its_reason(tmp_path):
    seen: list[int] = []

    async def grade(job: Job) -> Grade:
        seen.append(job.attempt)
        raise Reject("this is a drawing, not a text")

    result, job = await graded(tmp_path, grade)
    assert (result.status, result.reason) == ("ungraded", "this is a drawing, not a text")
    assert (job.state, job.error, job.attempts) == ("failed", "rejected", 0)
    assert seen == [1]


async def test_a_crash_is_tried_again_and_given_up_after_max_attempts(tmp_path):
    seen: list[int] = []

    async def grade(job: Job) -> Grade:
        seen.append(job.attempt)
        raise ValueError("no such word")

    result, job = await graded(tmp_path, grade, max_attempts=3)
    assert seen == [1, 2, 3]
    assert (job.state, job.error, job.attempts) == ("failed", "crashed", 3)
    assert result.reason == (
        "the grader 'own' raised ValueError: no such word (given up after 3 attempts)"
    )


async def test_a_crash_that_passes_is_forgotten(tmp_path):
    seen: list[int] = []

    async def grade(job: Job) -> Grade:
        seen.append(job.attempt)
        if len(seen) == 1:
            raise OSError("the word list is being copied")
        return Grade(1, 1)

    result, job = await graded(tmp_path, grade)
    assert (result.status, result.reason, job.attempts) == ("graded", None, 1)


async def test_a_call_that_takes_too_long_is_cut(tmp_path):
    cut: list[bool] = []

    async def grade(_: Job) -> Grade:
        try:
            await asyncio.Event().wait()
        finally:
            cut.append(True)
        raise AssertionError

    result, job = await graded(tmp_path, grade, timeout=0.02, max_attempts=2)
    assert (job.error, job.attempts, cut) == ("timeout", 2, [True, True])
    assert result.reason == (
        "the grader 'own' did not answer within 0.02 s (given up after 2 attempts)"
    )


async def test_a_timeout_inside_a_grader_is_told_as_its_own(tmp_path):
    async def grade(_: Job) -> Grade:
        raise TimeoutError("the dictionary server is slow")

    result, job = await graded(tmp_path, grade, max_attempts=1)
    assert job.error == "crashed"
    assert "raised TimeoutError: the dictionary server is slow" in str(result.reason)


class _Odd:
    pass


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, "returned NoneType, not a gradeq.Grade"),
        ({"score": 1}, "returned dict, not a gradeq.Grade"),
        (Grade(float("nan"), 10), "Out of range float values are not JSON compliant"),
        (Grade(1, float("inf")), "Out of range float values are not JSON compliant"),
        (Grade(1, -1), "a maximum of -1 points"),
        (Grade("3", 4), "Expected `float`, got `str` - at `$.score`"),
        (Grade(1, 1, feedback=_Odd()), "objects of type _Odd is unsupported"),
        (Grade(1, 1, feedback="\ud800"), "UnicodeEncodeError"),
        (Grade(1, 1, criteria=({"id": "claim"},)), "field `level` - at `$.criteria[0]`"),
    ],
    ids=range(9),
)
async def test_what_cannot_be_stored_fails_alone_and_says_so(tmp_path, answer, told):
    engine = an_engine(tmp_path / "g.db", clock=FastClock(SPEED))

    @engine.grader("own")
    async def grade(job: Job) -> Any:
        return answer if job.submission.external_id == "p3" else Grade(1, 1)

    async with engine:
        batch = await engine.submit(papers(6), grader="own")
        results = {one.id: one async for one in engine.results(batch.id)}
        assert await engine.is_idle()
    assert [results[f"p{n}"].status for n in (1, 2, 4, 5, 6)] == ["graded"] * 5
    assert results["p3"].status == "ungraded"
    assert told in results["p3"].reason


# Other kinds of work ----------------------------------------------------------------------------


async def test_jobs_with_payloads(tmp_path):
    engine = an_engine(tmp_path / "g.db", clock=FastClock(SPEED))

    @engine.job_kind("mail", max_attempts=2)
    async def mail(job: Job) -> Any:
        if "@" not in job.payload["to"]:
            raise Reject("not an address")
        return {"sent": job.payload["to"], "kind": job.kind, "paper": job.submission}

    async with engine:
        orders = [{"to": "a@example.org"}, {"to": "nobody"}, {"to": "ü@example.org", "n": [1]}]
        batch = await engine.submit(payloads=orders, grader="mail")
        results = {one.job_id: one async for one in engine.results(batch.id)}
    first, second, third = (results[job_id] for job_id in batch.job_ids)
    assert first.result == {"sent": "a@example.org", "kind": "mail", "paper": None}
    assert (second.result, second.reason) == (None, "not an address")
    assert third.result["sent"] == "ü@example.org"


@pytest.mark.parametrize("answer", [_Odd(), float("nan"), {"at": {1, 2}}, "\ud800"], ids=range(4))
async def test_a_result_that_json_cannot_hold_fails_with_that_reason(tmp_path, answer):
    engine = an_engine(tmp_path / "g.db", clock=FastClock(SPEED))

    @engine.job_kind("odd")
    async def odd(job: Job) -> Any:
        return answer if job.payload["n"] else "fine"

    async with engine:
        batch = await engine.submit(payloads=[{"n": 0}, {"n": 1}, {"n": 0}], grader="odd")
        results = {one.job_id: one async for one in engine.results(batch.id)}
    told = [results[job_id] for job_id in batch.job_ids]
    assert [one.result for one in told] == ["fine", None, "fine"]
    assert "what cannot be stored" in told[1].reason


async def test_two_graders_may_hold_the_same_paper(tmp_path):
    engine = an_engine(tmp_path / "g.db", clock=FastClock(SPEED))

    @engine.grader("strict")
    async def strict(_: Job) -> Grade:
        return Grade(1, 4)

    @engine.grader("kind")
    async def kind(_: Job) -> Grade:
        return Grade(4, 4)

    async with engine:
        first = await engine.submit(papers(2), grader="strict")
        await _over(engine.results(first.id))
        second = await engine.submit(papers(2), grader="kind")
        results = [one async for one in engine.results(second.id)]
        (paper,) = (await engine.store.find_submissions(["p1"], None, None))["p1"]
        grades = await engine.store.grades(paper)
    assert [one.grade.score for one in results] == [4, 4]
    assert [(one.version, one.grade.score, one.current) for one in grades] == [
        (2, 4, True),
        (1, 1, False),
    ]


async def _over(results: Any) -> None:
    async for _ in results:
        pass


async def test_submitting_again_answers_the_job_that_is_open(tmp_path):
    engine = an_engine(tmp_path / "g.db", clock=FastClock(SPEED))
    let_go = asyncio.Event()

    @engine.grader("own")
    async def grade(_: Job) -> Grade:
        await let_go.wait()
        return Grade(1, 1)

    async with engine:
        first = await engine.submit(papers(3), grader="own", idempotency_key="hw3")
        same = await engine.submit(papers(3), grader="own", idempotency_key="hw3")
        again = await engine.submit(papers(4), grader="own")
        let_go.set()
        await _over(engine.results(again.id))
        await _over(engine.results(first.id))
    assert (same.batch_id, same.job_ids, same.created) == (first.batch_id, first.job_ids, 0)
    assert again.job_ids[:3] == first.job_ids
    assert again.created == 1


async def test_papers_that_cannot_be_graded_are_told_apart(tmp_path):
    engine = an_engine(tmp_path / "g.db", clock=FastClock(SPEED))

    @engine.grader("own")
    async def grade(_: Job) -> Grade:
        return Grade(1, 1)

    async with engine:
        added = await engine.add(
            [
                NewSubmission("done", "x"),
                NewSubmission("writing", "x", status="in_progress"),
                NewSubmission("away", "x"),
                NewSubmission("out", "x"),
            ]
        )
        ids = {one.external_id: one.id for one in added}
        await _over(engine.results((await engine.submit([ids["out"]], grader="own")).id))
        await engine.archive([ids["away"]])
        await engine.release([ids["out"]], by="Ms Hopper")
        submitted = await engine.submit([*ids.values(), 999], grader="own")
        await _over(engine.results(submitted.id))
    assert submitted.created == 1
    assert {one.submission_id: one.code for one in submitted.skipped} == {
        ids["writing"]: "in_progress",
        ids["away"]: "archived",
        ids["out"]: "released",
        999: "not_found",
    }


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"name": ""}, "needs a name"),
        ({"name": lambda job: None}, "needs a name"),
        ({"max_attempts": 0}, "max_attempts is 0; it must be 1 or more"),
        ({"concurrency": 0}, "concurrency is 0; it must be 1 or more"),
        ({"timeout": -1.0}, "timeout is -1; it must be above 0"),
        ({"timeout": float("nan")}, "timeout is nan"),
        ({"requests_per_minute": 0.0}, "requests_per_minute is 0; it must be above 0"),
    ],
)
def test_what_could_never_work_is_told_where_it_is_written(options: dict[str, Any], told: str):
    engine = Engine("never.db")
    with pytest.raises(ConfigError, match=told):
        engine.grader(**{"name": "own", **options})
    assert "own" not in engine.graders


async def test_a_grader_that_is_no_coroutine_is_told_so(tmp_path):
    result, job = await graded(tmp_path, lambda job: Grade(1, 2), max_attempts=1)
    assert result.reason == "the grader 'own' returned Grade at once: write it as async def"
    assert job.state == "failed"


async def test_a_task_that_was_cancelled_under_a_grader_is_an_error_like_others(tmp_path):
    async def grade(_: Job) -> Grade:
        inner = asyncio.create_task(asyncio.Event().wait())
        asyncio.get_running_loop().call_soon(inner.cancel)
        await inner
        return Grade(1, 1)

    result, job = await graded(tmp_path, grade, max_attempts=2)
    assert result.reason == (
        "the grader 'own' waited for a task that was cancelled (given up after 2 attempts)"
    )
    assert (job.state, job.attempts, job.interruptions) == ("failed", 2, 0)


async def test_one_attempt_is_no_attempts(tmp_path):
    async def grade(_: Job) -> Grade:
        raise ValueError("no")

    result, _ = await graded(tmp_path, grade, max_attempts=1)
    assert result.reason == "the grader 'own' raised ValueError: no (given up after 1 attempt)"


@pytest.mark.parametrize(
    ("papers", "told"),
    [
        ("ab", "entry 1: str is neither a NewSubmission nor the id of a stored paper; entry 2: "),
        ([{"id": 1}], "entry 1: dict is neither"),
        ([True], "entry 1: bool is neither"),
        ([NewSubmission("", "x")], "entry 1: external_id is empty"),
        ([NewSubmission("a", "x", course="")], "entry 1: course is empty"),
        ([NewSubmission("a", "x"), NewSubmission("b", 5)], "entry 2: text is no text but int"),
        (["x"] * 30, "and 10 more"),
    ],
)
async def test_what_is_no_paper_is_told_and_nothing_is_stored(tmp_path, papers: Any, told: str):
    async with an_engine(tmp_path / "g.db") as engine:
        with pytest.raises(InputError, match=told) as refused:
            await engine.submit(papers, grader="lexical")
        assert refused.value.problems
        with pytest.raises(InputError):
            await engine.add(papers)
        assert await engine.store.assignments() == []


async def test_papers_and_payloads_are_two_orders(tmp_path):
    engine = an_engine(tmp_path / "g.db")
    engine.job_kind("own")(_nothing)
    async with engine:
        with pytest.raises(ConflictError, match="Submit twice"):
            await engine.submit(papers(1), payloads=[{"a": 1}], grader="own")


async def _nothing(_: Job) -> None:
    return None


def test_two_providers_of_one_name_are_refused():
    one = ProviderSettings(name="claude", kind="simulated", model="m")
    with pytest.raises(ConfigError, match="two providers are named 'claude'"):
        Engine("never.db", providers=[one, one])


def test_input_errors_carry_their_problems():
    assert InputError("2 problems", ("row 3: no text",)).problems == ("row 3: no text",)


def test_the_timeout_of_each_grader_is_known(tmp_path):
    async def grade(job: Job) -> Grade:
        return Grade(1.0, 1.0)

    provider = ProviderSettings("sim", "simulated", "simulated-marker", timeout_seconds=7.0)
    engine = Engine(tmp_path / "grades.db", providers=[provider])
    engine.grader("desk", timeout=2.5)(grade)
    known = {name: engine.timeout_of(name) for name in (*engine.graders, "nobody")}
    assert known == {
        "llm:sim": 7.0,
        "llm": 7.0,
        "lexical": 60.0,
        "desk": 2.5,
        "nobody": None,
    }


@pytest.mark.parametrize(
    ("grade", "fault"),
    [
        (Grade(float("nan"), 10), "not JSON compliant"),
        (Grade(1, -10), "a maximum of -10 points"),
        (Grade("much", 10), "Expected `float`, got `str`"),  # type: ignore[arg-type]
        (10, "int is no Grade"),
    ],
)
async def test_an_edit_that_is_no_grade_is_refused_before_the_store_sees_it(engine, grade, fault):
    async with engine:
        [paper] = await engine.add(papers(1))
        with pytest.raises(InputError, match=fault):
            await engine.edit_grade(paper.id, grade, by="Ms Lee")
        assert await engine.store.grades(paper.id) == []
