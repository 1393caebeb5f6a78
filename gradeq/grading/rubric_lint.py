"""Advice on a rubric that can be used but will grade worse than it could.

Nothing here forbids anything. Each finding names its rule; `rubric_advice` has the texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations, pairwise

from gradeq.grading.rubric import Criterion, Rubric
from gradeq.grading.rubric_advice import CRITERION, TITLE, Advice
from gradeq.grading.rubric_examples import on_examples
from gradeq.grading.rubric_wording import is_double_barrelled, is_only_a_mark, worded

MOST_LEVELS = 6
"""Above this, levels lie too close together: few levels agree best with people."""

MOST_CRITERIA = 10
"""Above this, the last criteria get less attention than the first."""

_ODD_STEP = 5
"""A step that is more than so many times the next largest was probably typed wrong."""

_TITLE_POINTS = re.compile(
    r"\b(\d+(?:[.,]\d+)?)[\s-]*(?:points?\b(?!\s+of)|pts?\b|marks?\b|punkte?n?\b|P\.)",
    re.IGNORECASE,
)
_INTENSITY = re.compile(
    r"\b(?:very|quite|rather|somewhat|fairly|more|less|mostly|largely|partly|highly|extremely|"
    r"slightly|sehr|ziemlich|eher|recht|etwas|mehr|weniger|größtenteils|teilweise|besonders)\b",
    re.IGNORECASE,
)


def lint(rubric: Rubric) -> list[Advice]:
    """What its author may want to change, in the order of the rubric; empty where all is well."""
    return [
        *_asked(rubric),
        *_summed(rubric),
        *_counted(rubric),
        *worded("", [("", rubric.instructions)]),
        *(advice for criterion in rubric.criteria for advice in _criterion(criterion)),
        *on_examples(rubric),
    ]


def _asked(rubric: Rubric) -> Iterator[Advice]:
    if not (rubric.question or rubric.reference or rubric.key_points):
        yield Advice("no_task")


def _summed(rubric: Rubric) -> Iterator[Advice]:
    told = _TITLE_POINTS.search(rubric.title)
    if told and float(told[1].replace(",", ".")) != rubric.max_score:
        yield Advice("sum", where=TITLE, found=told[0], number=rubric.max_score)


def _counted(rubric: Rubric) -> Iterator[Advice]:
    if len(rubric.criteria) > MOST_CRITERIA:
        yield Advice("many_criteria", found=str(MOST_CRITERIA), number=len(rubric.criteria))


def _criterion(criterion: Criterion) -> Iterator[Advice]:
    texts = [("", criterion.description)]
    texts += [(level.name, level.description) for level in criterion.levels]
    yield from worded(criterion.id, texts)
    yield from _joined(criterion)
    yield from _described(criterion)
    yield from _distinct(criterion)
    yield from _stepped(criterion)


def _joined(criterion: Criterion) -> Iterator[Advice]:
    """Two demands in one: no harm where levels between say what half of them is worth."""
    between = criterion.levels[1:-1]
    has_halves = bool(between) and all(level.description for level in between)
    found = is_double_barrelled(criterion.description, has_halves=has_halves)
    if found:
        yield _about(criterion, "double", found)


def _described(criterion: Criterion) -> Iterator[Advice]:
    if bare := [level.name for level in criterion.levels if not level.description]:
        yield _about(criterion, "bare", _listed(bare))
    if marks := [level.name for level in criterion.levels if is_only_a_mark(level.description)]:
        yield _about(criterion, "mark", _listed(marks))


def _distinct(criterion: Criterion) -> Iterator[Advice]:
    told = [(level.name, _gist(level.description)) for level in criterion.levels]
    for (one, text), (other, same) in combinations(told, 2):
        if text and text == same:
            yield _about(criterion, "alike", _listed([one, other]))
            return


def _gist(text: str) -> str:
    """Without case, punctuation and words of degree: what is left says what differs."""
    return " ".join(re.findall(r"\w+", _INTENSITY.sub(" ", text).casefold()))


def _stepped(criterion: Criterion) -> Iterator[Advice]:
    points = [level.points for level in criterion.levels]
    if len(set(points)) == 1:
        yield _about(criterion, "no_effect")
    elif len(set(points)) < len(points):
        alike = next(one for one in points if points.count(one) > 1)
        names = [level.name for level in criterion.levels if level.points == alike]
        yield _about(criterion, "same_points", _listed(names), number=alike)
    elif _is_odd([first - second for first, second in pairwise(points)]):
        yield _about(criterion, "odd_step", ", ".join(f"{one:g}" for one in points))
    if len(points) > MOST_LEVELS:
        yield _about(criterion, "many_levels", str(MOST_LEVELS), number=len(points))


def _is_odd(steps: list[float]) -> bool:
    *_, second, largest = [0.0, 0.0, *sorted(steps)]
    return len(steps) > 1 and largest > _ODD_STEP * second


def _about(criterion: Criterion, rule: str, found: str = "", number: float = 0.0) -> Advice:
    return Advice(rule, CRITERION, criterion.id, found, number)


def _listed(names: list[str]) -> str:
    return ", ".join(f"“{name}”" for name in names)
