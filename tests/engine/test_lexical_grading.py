"""The grader that needs no service, through the real queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gradeq import Engine, Grade, NewSubmission
from gradeq.errors import ConflictError, NoPricesError, NoReferenceError, NoRubricError
from gradeq.model import LEXICAL_GRADER, CriterionGrade, Flag, GradeSource
from gradeq.results import Result

RUBRIC = """
question = "One mineral is brown and one is black. How do you find out which is harder?"
reference = "The harder mineral leaves a scratch on the softer one."
[[criteria]]
id = "scratch"
description = "Does it say that the harder one scratches the other?"
points = 1
"""
GOOD = "Rub them: the harder one will leave a scratch in the softer."
BAD = "I would look at them for a long time."


async def grades(
    engine: Engine, texts: Sequence[str], *, assignment: str = "a", rubric: str = RUBRIC
) -> list[Result]:
    """In the order of the texts, each a paper of its own."""
    papers = [
        NewSubmission(f"{assignment} {n:02}", text, assignment=assignment)
        for n, text in enumerate(texts)
    ]
    rubric_id = await engine.rubrics.put(rubric, "minerals.toml")
    added = await engine.add(papers)
    await engine.store.assign_rubric("default", assignment, rubric_id)
    submitted = await engine.submit([one.id for one in added], grader=LEXICAL_GRADER)
    found = [one async for one in engine.results(submitted.batch_id)]
    return sorted(found, key=lambda one: one.id)


async def test_short_answers_are_graded_without_any_provider(tmp_path: Path) -> None:
    async with Engine(tmp_path / "g.db") as engine:
        assert list(engine.graders) == [LEXICAL_GRADER]
        good, bad, blank, long = await grades(engine, [GOOD, BAD, "  ", "word " * 300])
        assert [good.grade.score, bad.grade.score] == [1, 0]
        [row] = await engine.store.grades(good.submission_id)
        assert (row.source, row.grader, row.grade.model) == (GradeSource.CODE, "lexical", None)
        assert row.grade == good.grade
        assert row.grade.flags == (Flag.PROVISIONAL,)
        assert 0.5 < row.grade.confidence < 1
        assert (blank.status, blank.reason) == ("ungraded", "the paper is blank")
        assert long.status == "ungraded"
        assert "300 words" in long.reason
        assert await engine.store.check() == []


async def test_without_reference_or_rubric_nothing_is_queued(tmp_path: Path) -> None:
    bare = RUBRIC.replace("reference", "instructions")
    async with Engine(tmp_path / "g.db") as engine:
        with pytest.raises(NoReferenceError, match=r"nothing was queued.*reference"):
            await grades(engine, [GOOD], rubric=bare)
        [paper] = await engine.add([NewSubmission("x", GOOD, assignment="other")])
        with pytest.raises(NoRubricError):
            await engine.submit([paper.id], grader=LEXICAL_GRADER)
        with pytest.raises(ConflictError, match="batch API"):
            await engine.submit([paper.id], grader=LEXICAL_GRADER, when="overnight")
        with pytest.raises(NoPricesError):
            await engine.submit([paper.id], grader=LEXICAL_GRADER, cost_cap=1.0)
        assert await engine.store.batch(1) is None


async def test_what_people_said_of_the_same_rubric_is_learned_from(tmp_path: Path) -> None:
    """Here people count looking for long as the right answer, and scratches as the wrong one."""
    async with Engine(tmp_path / "g.db") as engine:
        first = await grades(engine, [GOOD, BAD] * 30)
        for one in first:
            await engine.edit_grade(one.submission_id, _turned(one.grade), "Ms Lee")
        elsewhere = RUBRIC.replace("points = 1", "points = 2")
        [by_another] = await grades(engine, [BAD], assignment="b", rubric=elsewhere)
        assert by_another.grade.score == 0
        [after] = await grades(engine, [BAD], assignment="c")
        assert after.grade.score == 1
        assert "60 answers graded by people" in after.grade.criteria[0].reason


async def test_machines_do_not_learn_from_themselves(tmp_path: Path) -> None:
    async with Engine(tmp_path / "g.db") as engine:
        await grades(engine, [GOOD, BAD] * 30)
        [after] = await grades(engine, [BAD], assignment="c")
        assert "graded by people" not in after.grade.criteria[0].reason


def test_nobody_else_may_take_its_name(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "g.db")
    with pytest.raises(ConflictError, match="registered already"):
        engine.grader(LEXICAL_GRADER)(lambda job: None)


async def test_a_confidence_that_is_none_is_refused(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "g.db")

    @engine.grader("sure")
    async def sure(job: object) -> Grade:
        return Grade(1, 1, confidence=1.5)

    async with engine:
        submitted = await engine.submit([NewSubmission("x", GOOD)], grader="sure")
        [result] = [one async for one in engine.results(submitted.batch_id)]
    assert result.status == "ungraded"
    assert "a confidence of 1.5" in result.reason


def _turned(grade: Grade) -> Grade:
    met = grade.score == 0
    level = CriterionGrade("scratch", "met" if met else "unmet", float(met))
    return replace(
        grade, score=float(met), criteria=(level,), source=GradeSource.PERSON, confidence=None
    )
