"""Answers that would please a counter of words: copied wording, and lists of key words.

As everywhere, a mark is a reason for a person to look and takes no points.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gradeq.grading.lexical.likeness import Weights
from gradeq.grading.lexical.words import stems_of
from gradeq.grading.rubric import Rubric

_RUN = 4
"""Words in a row that are looked for in the rubric."""

_SHORTEST_COPY = 8
"""Words. Shorter answers may well be worded like the rubric."""

_COPIED = 0.7
_SHORTEST_LIST = 6
_FEWEST_FUNCTION_WORDS = 0.12
_FEWEST_DIFFERENT = 0.5


class Copies:
    """Knows every run of words of a rubric."""

    def __init__(self, rubric: Rubric) -> None:
        self._runs = frozenset(run for text in _wording(rubric) for run in _runs(stems_of(text)))

    def is_copied(self, stems: Sequence[str]) -> bool:
        """Whether most of an answer stands in the rubric word for word."""
        if len(stems) < _SHORTEST_COPY:
            return False
        runs = list(_runs(stems))
        return sum(run in self._runs for run in runs) >= _COPIED * len(runs)


def is_word_list(stems: Sequence[str], weights: Weights) -> bool:
    """Whether an answer has hardly a word between its key words, or says them over and over."""
    if len(stems) < _SHORTEST_LIST:
        return False
    between = sum(weights.is_function_word(stem) for stem in stems)
    is_repeated = len(stems) >= 2 * _SHORTEST_LIST and len(set(stems)) < _FEWEST_DIFFERENT * len(
        stems
    )
    return is_repeated or between < _FEWEST_FUNCTION_WORDS * len(stems)


def _runs(stems: Sequence[str]) -> Iterable[tuple[str, ...]]:
    return (tuple(stems[at : at + _RUN]) for at in range(len(stems) - _RUN + 1))


def _wording(rubric: Rubric) -> Iterable[str]:
    yield from (rubric.question, rubric.reference, *rubric.key_points)
    for criterion in rubric.criteria:
        yield criterion.description
        yield from (level.description for level in criterion.levels)
