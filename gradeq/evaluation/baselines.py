"""What needs no grader: predicting people's marks from a paper's length, or from its words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import fmean

from gradeq.evaluation.figures import Undefined
from gradeq.evaluation.scale import Scale

_WORD = re.compile(r"\w+")
_LEAST_LETTERS = 3
_LEAST_PAPERS = 3


def length(text: str) -> int:
    """In words."""
    return len(_WORD.findall(text))


def overlap(text: str, reference: str) -> float | None:
    """The share of the reference's different words, of 3 letters or more, that the text has too.

    To two decimals; None without such words.
    """
    wanted = _words(reference)
    return round(len(wanted & _words(text)) / len(wanted), 2) if wanted else None


def on_a_line(traits: Sequence[float], marks: Sequence[float], scale: Scale) -> list[float]:
    """Each paper's mark by its trait, on the straight line that fits all papers best.

    Least squares, then the nearest mark of the scale. Fitted to the very papers, which flatters it
    a little. A line without the paper itself would do worse than chance: where people's marks are
    even, each paper tips the mean of the others to the other side. Raises Undefined for fewer than
    3 papers.
    """
    if len(traits) < _LEAST_PAPERS:
        raise Undefined(f"a baseline needs at least {_LEAST_PAPERS} papers")
    x, y = fmean(traits), fmean(marks)
    spread = sum((trait - x) ** 2 for trait in traits)
    together = sum((trait - x) * (mark - y) for trait, mark in zip(traits, marks, strict=True))
    slope = together / spread if spread else 0.0
    return [scale.nearest(y + slope * (trait - x)) for trait in traits]


def _words(text: str) -> set[str]:
    return {word for word in _WORD.findall(text.casefold()) if len(word) >= _LEAST_LETTERS}
