"""What people said of a paper, in the points of its rubric."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gradeq.evaluation.labelled import LABEL, SCORE, Column, Labelled, LabelledPaper, refuse
from gradeq.evaluation.numbers import number
from gradeq.evaluation.questions import Task
from gradeq.evaluation.scale import Scale, scale_of, scale_of_sums
from gradeq.grading.rubric import Criterion, Rubric
from gradeq.grading.tables import Problem

TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that people and grader both judged: the `score`, or the sum of some criteria."""

    name: str
    scale: Scale
    criteria: tuple[str, ...] = ()


Judgements = Mapping[str, float]
"""Points by the name of the measure."""


def measures_of(labelled: Labelled, tasks: Sequence[Task]) -> list[Measure]:
    """What can be compared; the first is what the headline is about.

    That is the score where people gave one; else the only criterion they judged, or the sum of
    those that they judged. Raises InputError for a column that the rubric does not know.
    """
    rubric = tasks[0].rubric
    refuse(labelled.name, list(_unknown_columns(labelled, rubric)))
    abouts = {_criterion_id(column, rubric) for column in labelled.columns if column.person == 1}
    judged = [criterion for criterion in rubric.criteria if criterion.id in abouts]
    measures = [Measure(one.id, scale_of(one), (one.id,)) for one in judged]
    if SCORE in abouts:
        return [Measure(SCORE, scale_of_sums(rubric.criteria, rubric)), *measures]
    if len(judged) > 1:
        total = Measure(TOTAL, scale_of_sums(judged, rubric), tuple(one.id for one in judged))
        return [total, *measures]
    return measures


def judgements_of(
    labelled: Labelled, tasks: Sequence[Task], measures: Sequence[Measure]
) -> dict[str, dict[int, Judgements]]:
    """By paper and person. Raises InputError with every cell that does not fit its rubric."""
    problems: list[Problem] = []
    found: dict[str, dict[int, Judgements]] = {}
    for task in tasks:
        for one in task.papers:
            points = _points(one, labelled.columns, task.rubric, problems)
            found[one.id] = {
                person: dict(_measured(told, measures)) for person, told in points.items()
            }
    refuse(labelled.name, problems)
    return found


def summed(points: Mapping[str, float], measure: Measure) -> float | None:
    """The measure's criteria together, within its scale; None where one of them is missing."""
    if not all(criterion in points for criterion in measure.criteria):
        return None
    marks = measure.scale.marks
    added = round(sum(points[criterion] for criterion in measure.criteria), 6)
    return min(marks[-1], max(marks[0], added))


def _measured(
    told: Mapping[str, float], measures: Sequence[Measure]
) -> Iterator[tuple[str, float]]:
    for measure in measures:
        found = summed(told, measure) if measure.criteria else told.get(SCORE)
        if found is not None:
            yield measure.name, found


def _points(
    one: LabelledPaper, columns: Sequence[Column], rubric: Rubric, problems: list[Problem]
) -> dict[int, dict[str, float]]:
    points: dict[int, dict[str, float]] = {}
    for column in columns:
        if not (cell := one.cells[column.name]):
            continue
        about = _criterion_id(column, rubric)
        found = _score(cell, rubric) if about == SCORE else _level(cell, _named(rubric, about))
        if isinstance(found, str):
            problems.append(one.record.problem(column.name, found))
        else:
            points.setdefault(column.person, {})[about] = found
    return points


def _criterion_id(column: Column, rubric: Rubric) -> str:
    return rubric.criteria[0].id if column.about == LABEL else column.about


def _named(rubric: Rubric, name: str) -> Criterion:
    return next(one for one in rubric.criteria if one.id == name)


def _score(cell: str, rubric: Rubric) -> float | str:
    found = number(cell)
    if found is None or not rubric.floor <= found <= rubric.max_score:
        return f"must be points from {rubric.floor:g} to {rubric.max_score:g}, but is {cell!r}"
    return found


def _level(cell: str, criterion: Criterion) -> float | str:
    """By its name, or by its points; between two levels, say a mean of two people, too."""
    for level in criterion.levels:
        if level.name.casefold() == cell.casefold():
            return level.points
    found = number(cell)
    low, high = criterion.levels[-1].points, criterion.levels[0].points
    if found is not None and low <= found <= high:
        return found
    names = ", ".join(level.name for level in criterion.levels)
    return f"must be a level ({names}) or points from {low:g} to {high:g}, but is {cell!r}"


def _unknown_columns(labelled: Labelled, rubric: Rubric) -> Iterator[Problem]:
    ids = [criterion.id for criterion in rubric.criteria]
    for column in labelled.columns:
        if column.about == LABEL and len(ids) > 1:
            message = f"the rubric has {len(ids)} criteria: name columns human_ID ({_of(ids)})"
            yield Problem(labelled.name, 1, column.name, message)
        elif column.about not in (SCORE, LABEL, *ids):
            near = difflib.get_close_matches(column.about, ids, n=1)
            hint = f"did you mean human_{near[0]}?" if near else f"the rubric has {_of(ids)}"
            message = f"is no criterion of the rubric; {hint}"
            yield Problem(labelled.name, 1, column.name, message)


def _of(ids: Sequence[str]) -> str:
    return ", ".join(ids)
