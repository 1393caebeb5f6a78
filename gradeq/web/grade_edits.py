"""A person's change to a grade: what it starts from, and what the rubric allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gradeq.grading.rubric import CANNOT_ASSESS, Level, Rubric
from gradeq.model import CriterionGrade, Flag, Grade, GradeSource, Submission
from gradeq.store.rows import GradeRow
from gradeq.web.bodies import CriterionEdit, GradeEdit
from gradeq.web.problems import Flaw, Problem
from gradeq.web.site import Site

CHOSEN_POINTS = "by hand"
"""The level of a criterion whose points a person chose between the rubric's levels."""


def current_of(grades: Sequence[GradeRow]) -> GradeRow | None:
    return next((one for one in grades if one.current), None)


async def start_of(site: Site, paper: Submission, grades: Sequence[GradeRow]) -> Start | None:
    """The current grade of `grades`; without one, an empty grade by the assignment's rubric."""
    current = current_of(grades)
    rubric = await _rubric(site, paper, grades)
    if current is not None:
        return Start(current.grade, rubric if _fits(rubric, current.grade) else None)
    return None if rubric is None else Start(_empty(rubric), rubric)


def blank(max_score: float) -> Start:
    """For a paper that has neither a grade nor a rubric."""
    return Start(Grade(score=0.0, max_score=max_score), None)


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
class Start:
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
            confidence=None,
        )

    def _criteria(self, edits: Sequence[CriterionEdit]) -> tuple[CriterionGrade, ...]:
        wanted = {one.id: one for one in edits}
        if unknown := wanted.keys() - {one.id for one in self.grade.criteria}:
            known = ", ".join(one.id for one in self.grade.criteria) or "none"
            raise wrong(
                "unknown_criterion",
                "$.criteria",
                f"there is no criterion {', '.join(sorted(unknown))} (known: {known})",
            )
        return tuple(
            self._criterion(one, wanted[one.id]) if one.id in wanted else one
            for one in self.grade.criteria
        )

    def _criterion(self, before: CriterionGrade, edit: CriterionEdit) -> CriterionGrade:
        levels = {level.name: level.points for level in self.levels(edit.id)}
        if levels and not min(levels.values()) <= edit.points <= max(levels.values()):
            raise wrong(
                "points_out_of_range",
                "$.criteria",
                f"{edit.id} is worth {min(levels.values()):g} to {max(levels.values()):g} points, "
                f"not {edit.points:g}",
                criterion=edit.id,
                least=min(levels.values()),
                most=max(levels.values()),
            )
        fitting = [name for name, points in levels.items() if points == edit.points]
        return replace(
            before,
            level=edit.level or (fitting[0] if fitting else CHOSEN_POINTS),
            points=edit.points,
            reason=before.reason if edit.reason is None else edit.reason,
        )

    def levels(self, criterion_id: str) -> Sequence[Level]:
        """From most to fewest points; none where no rubric stands behind the grade."""
        criteria = () if self.rubric is None else self.rubric.criteria
        return next((one.levels for one in criteria if one.id == criterion_id), ())

    def _score(self, edit: GradeEdit, criteria: Sequence[CriterionGrade]) -> float:
        floor = 0.0 if self.rubric is None else self.rubric.floor
        score = self.grade.score if edit.score is None else edit.score
        if edit.criteria is not None:
            total = self._total(criteria)
            if edit.score is not None and not math.isclose(edit.score, total, abs_tol=1e-6):
                raise wrong(
                    "score_mismatch",
                    "$.score",
                    f"the criteria add up to {total:g}, not to {edit.score:g}; leave one out",
                )
            score = total
        if not floor <= score <= self.grade.max_score:
            raise wrong(
                "score_out_of_range",
                "$.score",
                f"a score lies between {floor:g} and {self.grade.max_score:g}, not at {score:g}",
                least=floor,
                most=self.grade.max_score,
            )
        return score

    def _total(self, criteria: Sequence[CriterionGrade]) -> float:
        points = [one.points for one in criteria if one.points is not None]
        if self.rubric is not None:
            return self.rubric.score(points)
        return round(math.fsum(points), 6)


def wrong(code: str, path: str, detail: str, **values: object) -> Problem:
    return Problem(422, code, detail, problems=[Flaw(path, detail)], values=values)
