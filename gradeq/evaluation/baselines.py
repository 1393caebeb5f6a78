"""What needs no grader: predicting people's marks from a paper's length, or from its words."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

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


def left_out(traits: Sequence[float], marks: Sequence[float], scale: Scale) -> list[float]:
    """Each paper's mark by its trait, on a straight line fitted to all papers but that one.

    Least squares, then the nearest mark of the scale. Raises Undefined for fewer than 3 papers.
    """
    n = len(traits)
    if n < _LEAST_PAPERS:
        raise Undefined(f"a baseline needs at least {_LEAST_PAPERS} papers")
    x, y = math.fsum(traits), math.fsum(marks)
    xx = math.fsum(one * one for one in traits)
    xy = math.fsum(one * mark for one, mark in zip(traits, marks, strict=True))
    predicted = []
    for trait, mark in zip(traits, marks, strict=True):
        sums = x - trait, y - mark, xx - trait * trait, xy - trait * mark
        predicted.append(scale.nearest(_on_line(trait, n - 1, sums)))
    return predicted


def _on_line(trait: float, n: int, sums: tuple[float, float, float, float]) -> float:
    x, y, xx, xy = sums
    spread = n * xx - x * x
    if spread <= 1e-9 * max(1.0, n * xx):
        return y / n
    slope = (n * xy - x * y) / spread
    return (y - slope * x) / n + slope * trait


def _words(text: str) -> set[str]:
    return {word for word in _WORD.findall(text.casefold()) if len(word) >= _LEAST_LETTERS}
