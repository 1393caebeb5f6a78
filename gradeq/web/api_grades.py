"""A submission's grade: read, edited by a person, with its history."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gradeq.errors import NotFoundError
from gradeq.grading.rubric import CANNOT_ASSESS, Level, Rubric
from gradeq.model import CriterionGrade, Flag, Grade, GradeSource, Submission
from gradeq.store.base import GradeRow
from gradeq.web.answers import GradeAnswer, HistoryAnswer, grade_answer
from gradeq.web.bodies import CriterionEdit, GradeEdit, Id
from gradeq.web.problems import Flaw, Problem
from gradeq.web.site import Site

_BY_HAND = "by hand"
"""The level of a criterion whose points a person chose between the rubric's levels."""


async def grade(site: Site, submission_id: Id) -> GradeAnswer:
    """The current grade: score, criteria with their evidence, and the flags to look at first."""
    await _paper(site, submission_id)
    current = _current(await site.store.grades(submission_id))
    if current is None:
        raise Problem(404, "not_graded", f"submission {submission_id} has no grade")
    return grade_answer(current)


async def history(site: Site, submission_id: Id) -> HistoryAnswer:
    """Every version of the grade, who made it and when, and every try of every job."""
    await _paper(site, submission_id)
    grades = await site.store.grades(submission_id)
    attempts = await site.store.attempts_at(submission_id)
    return HistoryAnswer(
        [grade_answer(one) for one in grades], attempts, sum(one.cost for one in attempts)
    )


async def edit(site: Site, submission_id: Id, body: GradeEdit) -> GradeAnswer:
    """A person's grade, starting from the current one; no model ever overwrites it."""
    if body.score is None and body.criteria is None and body.feedback is None:
        raise Problem(422, "nothing_to_change", "name a score, criteria or feedback to change")
    paper = await _paper(site, submission_id)
    start = await _start(site, paper, body)
    row = await site.engine.edit_grade(submission_id, start.edited(body), body.by)
    return grade_answer(row)


async def _paper(site: Site, submission_id: int) -> Submission:
    paper = await site.store.submission(submission_id)
    if paper is None:
        raise NotFoundError(f"there is no submission {submission_id}")
    return paper


def _current(grades: Sequence[GradeRow]) -> GradeRow | None:
    return next((one for one in grades if one.current), None)


async def _start(site: Site, paper: Submission, body: GradeEdit) -> _Start:
    """The current grade; without one, an empty grade by the assignment's rubric or `max_score`."""
    grades = await site.store.grades(paper.id)
    current = _current(grades)
    rubric = await _rubric(site, paper, grades)
    if current is not None:
        return _Start(current.grade, rubric if _fits(rubric, current.grade) else None)
    if rubric is not None:
        return _Start(_empty(rubric), rubric)
    if body.max_score is None:
        raise _wrong(
            "max_score_needed",
            "$.max_score",
            "this paper has neither a grade nor a rubric: name the max_score of your grade too",
        )
    return _Start(Grade(score=0.0, max_score=body.max_score), None)


async def _rubric(site: Site, paper: Submission, grades: Sequence[GradeRow]) -> Rubric | None:
    """What the newest machine's grade went by (a person's names none), or else the assignment's."""
    rubric_id = next((one.rubric_id for one in grades if one.rubric_id is not None), None)
    if rubric_id is None:
        rubric_id = await site.store.assignment_rubric(paper.course, paper.assignment)
    return None if rubric_id is None else await site.engine.rubrics.get(rubric_id)


def _fits(rubric: Rubric | None, grade: Grade) -> bool:
    """A grader in code may have criteria of its own, which no rubric knows."""
    if rubric is None or rubric.max_score != grade.max_score:
        return False
    return {one.id for one in grade.criteria} == {one.id for one in rubric.criteria}


def _empty(rubric: Rubric) -> Grade:
    criteria = tuple(CriterionGrade(one.id, CANNOT_ASSESS, None) for one in rubric.criteria)
    return Grade(score=rubric.score(()), max_score=rubric.max_score, criteria=criteria)


@dataclass(frozen=True, slots=True)
class _Start:
    """The grade that a person changes, and the rubric behind it if there is one."""

    grade: Grade
    rubric: Rubric | None

    def edited(self, edit: GradeEdit) -> Grade:
        """Raises a Problem where points or score are outside what the rubric allows."""
        criteria = self._criteria(edit.criteria or ())
        score = self._score(edit, criteria)
        simulated = [flag for flag in self.grade.flags if flag == Flag.SIMULATED]
        return replace(
            self.grade,
            score=score,
            criteria=criteria,
            feedback=self.grade.feedback if edit.feedback is None else edit.feedback,
            # The other flags asked a person to look, who just did.
            flags=tuple(simulated),
            model=None,
            source=GradeSource.PERSON,
        )

    def _criteria(self, edits: Sequence[CriterionEdit]) -> tuple[CriterionGrade, ...]:
        wanted = {one.id: one for one in edits}
        if unknown := wanted.keys() - {one.id for one in self.grade.criteria}:
            known = ", ".join(one.id for one in self.grade.criteria) or "none"
            raise _wrong(
                "unknown_criterion",
                "$.criteria",
                f"there is no criterion {', '.join(sorted(unknown))} (known: {known})",
            )
        return tuple(
            self._criterion(one, wanted[one.id]) if one.id in wanted else one
            for one in self.grade.criteria
        )

    def _criterion(self, before: CriterionGrade, edit: CriterionEdit) -> CriterionGrade:
        levels = {level.name: level.points for level in self._levels(edit.id)}
        if levels and not min(levels.values()) <= edit.points <= max(levels.values()):
            raise _wrong(
                "points_out_of_range",
                "$.criteria",
                f"{edit.id} is worth {min(levels.values()):g} to {max(levels.values()):g} points, "
                f"not {edit.points:g}",
            )
        fitting = [name for name, points in levels.items() if points == edit.points]
        return replace(
            before,
            level=edit.level or (fitting[0] if fitting else _BY_HAND),
            points=edit.points,
            reason=before.reason if edit.reason is None else edit.reason,
        )

    def _levels(self, criterion_id: str) -> Iterable[Level]:
        criteria = () if self.rubric is None else self.rubric.criteria
        return next((one.levels for one in criteria if one.id == criterion_id), ())

    def _score(self, edit: GradeEdit, criteria: Sequence[CriterionGrade]) -> float:
        floor = 0.0 if self.rubric is None else self.rubric.floor
        score = self.grade.score if edit.score is None else edit.score
        if edit.criteria is not None:
            total = self._total(criteria)
            if edit.score is not None and not math.isclose(edit.score, total, abs_tol=1e-6):
                raise _wrong(
                    "score_mismatch",
                    "$.score",
                    f"the criteria add up to {total:g}, not to {edit.score:g}; leave one out",
                )
            score = total
        if not floor <= score <= self.grade.max_score:
            raise _wrong(
                "score_out_of_range",
                "$.score",
                f"a score lies between {floor:g} and {self.grade.max_score:g}, not at {score:g}",
            )
        return score

    def _total(self, criteria: Sequence[CriterionGrade]) -> float:
        points = [one.points for one in criteria if one.points is not None]
        if self.rubric is not None:
            return self.rubric.score(points)
        return round(math.fsum(points), 6)


def _wrong(code: str, path: str, detail: str) -> Problem:
    return Problem(422, code, detail, problems=[Flaw(path, detail)])
