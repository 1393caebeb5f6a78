"""Advice on a rubric that can be used but will grade worse than it could."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gradeq.grading.rubric import Criterion, Rubric

MOST_LEVELS = 6
"""Above this, levels lie too close together: few levels agree best with people."""

_HARMFUL = (
    (r"\b(?:be|very|extremely|grade|mark|judge) (?:strict|harsh|severe)(?:ly)?\b", "harshness"),
    (r"\b(?:no|never|not|without)\b[^.\n]{0,30}\bpartial (?:credit|marks|points)\b", "harshness"),
    (r"\bminimum\b", "a threshold"),
)
"""Wording that made most open models grade too low in published comparisons."""


def lint(rubric: Rubric) -> list[str]:
    """Warnings for the rubric's author, one text each; an empty list where there are none."""
    return [*_asked(rubric), *_worded(rubric), *_levelled(rubric)]


def _asked(rubric: Rubric) -> Iterator[str]:
    if not rubric.question and not rubric.reference:
        yield (
            "There is neither a question nor a reference answer: "
            "the model will guess what the task was."
        )


def _worded(rubric: Rubric) -> Iterator[str]:
    for where, text in _texts(rubric):
        for pattern, what in _HARMFUL:
            if found := re.search(pattern, text, re.IGNORECASE):
                yield (
                    f'{where} asks for {what} ("{found[0]}"): such wording makes many models grade '
                    "far too low. Describe instead what each level looks like."
                )


def _texts(rubric: Rubric) -> Iterator[tuple[str, str]]:
    yield "The text of instructions", rubric.instructions
    for criterion in rubric.criteria:
        levels = " ".join(level.description for level in criterion.levels)
        yield f"Criterion {criterion.id}", f"{criterion.description}\n{levels}"


def _levelled(rubric: Rubric) -> Iterator[str]:
    for criterion in rubric.criteria:
        yield from _levels_of(criterion)


def _levels_of(criterion: Criterion) -> Iterator[str]:
    bare = [level.name for level in criterion.levels if not level.description]
    if bare:
        yield (
            f"Criterion {criterion.id} does not describe {_listed(bare)}: "
            "say what a paper on that level looks like."
        )
    if len({level.points for level in criterion.levels}) == 1:
        yield f"Criterion {criterion.id} gives the same points on every level: it changes no score."
    if len(criterion.levels) > MOST_LEVELS:
        yield (
            f"Criterion {criterion.id} has {len(criterion.levels)} levels: "
            f"with more than {MOST_LEVELS}, models and people agree less."
        )


def _listed(names: list[str]) -> str:
    quoted = [f'"{name}"' for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
