"""Advice on the graded examples of a rubric."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from gradeq.grading.rubric import Example, Rubric
from gradeq.grading.rubric_advice import CRITERION, EXAMPLE, Advice

LONG_EXAMPLE = 300
"""Words. Every example is sent, and paid for, with each paper."""


def on_examples(rubric: Rubric) -> Iterator[Advice]:
    yield from _long(rubric)
    yield from _one_sided(rubric)
    yield from _contradicting(rubric)


def _long(rubric: Rubric) -> Iterator[Advice]:
    for position, example in enumerate(rubric.examples, start=1):
        words = len(example.text.split())
        if words > LONG_EXAMPLE:
            yield Advice("long_example", EXAMPLE, found=f"{words}", number=position)


def _one_sided(rubric: Rubric) -> Iterator[Advice]:
    """Two examples on one level, and none on another: a model learns to pick that level."""
    for criterion in rubric.criteria:
        given = [level for one in rubric.examples if (level := one.level_of(criterion.id))]
        if len(given) > 1 and len(set(given)) == 1:
            yield Advice("one_sided", CRITERION, criterion.id, f"“{given[0]}”")


def _contradicting(rubric: Rubric) -> Iterator[Advice]:
    numbered = enumerate(rubric.examples, start=1)
    for (first, one), (second, other) in combinations(numbered, 2):
        if _plain(one) == _plain(other) and (criterion := _disputed(one, other)):
            yield Advice("contradiction", EXAMPLE, criterion, f"{first}", second)


def _disputed(one: Example, other: Example) -> str:
    """The first criterion on which both have a level, but not the same; empty if there is none."""
    levels = dict(other.levels)
    return next((id for id, level in one.levels if levels.get(id, level) != level), "")


def _plain(example: Example) -> str:
    return " ".join(example.text.casefold().split())
