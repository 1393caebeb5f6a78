"""What papers are graded by: a rubric that was given, or a small one for each question."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from gradeq.errors import InputError
from gradeq.evaluation.labelled import LABEL, SCORE, Labelled, LabelledPaper, refuse
from gradeq.evaluation.numbers import number
from gradeq.grading.rubric import Rubric, parse_rubric
from gradeq.grading.rubric_text import rubric_toml

ANSWER = "answer"
"""The only criterion of a question's own rubric."""

_ORDERS = (
    ("incorrect", "correct"),
    ("wrong", "right"),
    ("no", "yes"),
    ("false", "true"),
    ("fail", "pass"),
    ("failed", "passed"),
    ("unmet", "met"),
    ("falsch", "richtig"),
    ("nein", "ja"),
    ("incorrect", "partially correct", "correct"),
    ("falsch", "teilweise richtig", "richtig"),
)
"""Labels that say themselves which is better, from worst to best."""
_MOST_LEVELS = 12
_MOST_POINTS = 10
_MOST_HALVED = 4


@dataclass(frozen=True, slots=True)
class Task:
    """The papers that are graded by one rubric; `name` is that of the rubric or the question."""

    name: str
    rubric: Rubric
    papers: tuple[LabelledPaper, ...]

    def only(self, ids: Container[str]) -> Task:
        """The same with these papers alone."""
        return replace(self, papers=tuple(one for one in self.papers if one.id in ids))


def by_rubric(labelled: Labelled, papers: Sequence[LabelledPaper], rubric: Rubric) -> list[Task]:
    """All of them by the same one. Raises InputError for papers whose mark it gives away."""
    known = {example.text.strip() for example in rubric.examples}
    shown = "is a graded example in the rubric, so that its mark is no secret: take it out here"
    problems = [
        one.record.problem("text", shown) for one in papers if one.paper.text.strip() in known
    ]
    refuse(labelled.name, problems)
    return [Task(f"{labelled.name} by {rubric.name}", rubric, tuple(papers))]


def by_question(
    labelled: Labelled, papers: Sequence[LabelledPaper], order: Sequence[str] = ()
) -> list[Task]:
    """Each question by a rubric of its own, made from the file.

    `order` names the labels from worst to best, where they are neither numbers nor known ones.
    Raises InputError with every problem.
    """
    levels = _levels(labelled, order)
    questions = groupby(sorted(papers, key=_question_of(labelled)), key=lambda one: one.question_id)
    return [_task(labelled, list(same), levels) for _, same in questions]


def _question_of(labelled: Labelled) -> Any:
    places: dict[str, int] = {}
    for one in labelled.papers:
        places.setdefault(one.question_id, len(places))
    return lambda one: places[one.question_id]


def _task(
    labelled: Labelled, papers: Sequence[LabelledPaper], levels: Sequence[tuple[str, float]]
) -> Task:
    first = papers[0]
    refuse(labelled.name, list(_other_wording(papers)))
    if not first.question and not first.reference:
        raise InputError(
            f"{labelled.name}: nothing says what was asked, so nothing was graded. Give the file "
            "the columns question and reference, or name a rubric with --rubric FILE"
        )
    name = f"{labelled.name} {first.question_id}".strip()
    rubric = parse_rubric(rubric_toml(_document(first, levels)), name)
    return Task(name, rubric, tuple(papers))


def _other_wording(papers: Sequence[LabelledPaper]) -> Iterator[Any]:
    first = papers[0]
    for one in papers:
        for column in ("question", "reference"):
            if getattr(one, column) != getattr(first, column):
                yield one.record.problem(
                    column,
                    f"is not that of row {first.record.row}, which has the same question_id "
                    f"{first.question_id!r}: give it another one",
                )


def _document(paper: LabelledPaper, levels: Sequence[tuple[str, float]]) -> Mapping[str, Any]:
    measured = "what the reference answer says" if paper.reference else "what was asked for"
    best, worst = levels[-1][0], levels[0][0]
    described = {
        best: f"Says all that matters of {measured}, in whatever words.",
        worst: f"Leaves out or contradicts what matters of {measured}.",
    }
    asked = {"question": paper.question, "reference": paper.reference}
    return {
        **{key: text for key, text in asked.items() if text},
        "criteria": [
            {
                "id": ANSWER,
                "description": "How right is the answer?",
                "levels": [
                    {"name": name, "points": points, "description": described.get(name, "")}
                    for name, points in levels
                ],
            }
        ],
    }


def _levels(labelled: Labelled, order: Sequence[str]) -> list[tuple[str, float]]:
    """Names and points, from worst to best."""
    abouts = {column.about for column in labelled.columns}
    if not abouts <= {SCORE, LABEL} or len(abouts) != 1:
        raise InputError(
            f"{labelled.name}: has the human columns "
            f"{', '.join(column.name for column in labelled.columns)}, so nothing was graded. "
            "Without --rubric a file has either human_label or human_score"
        )
    return _by_score(labelled) if abouts == {SCORE} else _by_label(labelled, order)


def _by_score(labelled: Labelled) -> list[tuple[str, float]]:
    cells = labelled.cells_about(SCORE)
    problems = [
        one.record.problem(column.name, f"must be a number from 0 on, but is {cell!r}")
        for one, column, cell in cells
        if (found := number(cell)) is None or found < 0
    ]
    refuse(labelled.name, problems)
    marks = [number(cell) or 0.0 for _, _, cell in cells]
    most = max(marks)
    if not 0 < most <= _MOST_POINTS:
        raise InputError(
            f"{labelled.name}: the highest human_score is {most:g}, so nothing was graded. Without "
            f"--rubric it must be above 0 and at most {_MOST_POINTS}: say by a rubric what is "
            "worth how many points"
        )
    step = _step(marks)
    return [(f"{n * step:g} points", n * step) for n in range(math.ceil(most / step) + 1)]


def _step(marks: Sequence[float]) -> float:
    """Half points where people gave such; means of several people, say 2.33, ask for no more.

    Up to 4 points: more steps than 9 no model tells by one digit, and few graders tell apart.
    """
    has_halves = any(mark % 1 for mark in marks) and not any(mark % 0.5 for mark in marks)
    return 0.5 if has_halves and max(marks) <= _MOST_HALVED else 1.0


def _by_label(labelled: Labelled, order: Sequence[str]) -> list[tuple[str, float]]:
    labels = list(dict.fromkeys(cell for _, _, cell in labelled.cells_about(LABEL)))
    if order:
        return _in_order(labelled, order)
    if len(steps := _numbers(labels)) > 1:
        if len(steps) > _MOST_LEVELS:
            raise InputError(
                f"{labelled.name}: has {len(steps)} different labels, so nothing was graded. "
                f"Without --rubric there may be {_MOST_LEVELS}: say by a rubric what is worth how "
                "many points"
            )
        return [(steps[points], points) for points in sorted(steps)]
    folded = {label.casefold() for label in labels}
    for known in _ORDERS:
        if folded <= set(known):
            return [(name, float(points)) for points, name in enumerate(known)]
    told = ", ".join(map(repr, labels[:_MOST_LEVELS]))
    raise InputError(
        f"{labelled.name}: nobody says which of the labels {told} is better, so nothing was "
        "graded. Name all of them from worst to best: --labels WORST,…,BEST"
    )


def _numbers(labels: Sequence[str]) -> dict[float, str]:
    """Labels by their number, `1` and `1.0` being the same; empty unless all are numbers."""
    found = [(number(label), label) for label in reversed(labels)]
    if any(value is None for value, _ in found):
        return {}
    return {value: label for value, label in found if value is not None}


def _in_order(labelled: Labelled, order: Sequence[str]) -> list[tuple[str, float]]:
    known = {name.casefold() for name in order}
    if len(known) < len(order) or len(order) < 2:
        raise InputError(
            f"--labels {','.join(order)}: needs two or more different labels; nothing was graded"
        )
    problems = [
        one.record.problem(column.name, f"{cell!r} is none of --labels {','.join(order)}")
        for one, column, cell in labelled.cells_about(LABEL)
        if cell.casefold() not in known
    ]
    refuse(labelled.name, problems)
    return [(name, float(points)) for points, name in enumerate(order)]
