"""The marks that a judgement can have, in points, from worst to best."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from gradeq.grading.rubric import Criterion, Rubric

_MOST_STEPS = 10_000


@dataclass(frozen=True, slots=True)
class Scale:
    """At least two different `marks`, ascending. `names` has a name for each, or none at all."""

    marks: tuple[float, ...]
    names: tuple[str, ...] = ()

    @property
    def is_yes_or_no(self) -> bool:
        return len(self.marks) == 2

    def step_of(self, value: float) -> float:
        """How many steps above the lowest mark; between two marks a share of their step."""
        below = self._below(value)
        low, high = self.marks[below], self.marks[below + 1]
        return below + (value - low) / (high - low)

    def nearest(self, value: float) -> float:
        """The mark nearest to `value`; of two as near the lower."""
        below = self._below(value)
        low, high = self.marks[below], self.marks[below + 1]
        return high if high - value < value - low else low

    def _below(self, value: float) -> int:
        """Where the two marks begin that `value` lies between, or is nearest to."""
        return min(max(bisect_right(self.marks, value) - 1, 0), len(self.marks) - 2)

    def name_of(self, value: float) -> str:
        """The level's name, or the points where no level has them."""
        named = dict(zip(self.marks, self.names, strict=False))
        return named.get(value, f"{value:g}")


def scale_of(criterion: Criterion) -> Scale:
    """Levels with the same points are one mark, named by both."""
    names: dict[float, list[str]] = {}
    for level in reversed(criterion.levels):
        names.setdefault(level.points, []).append(level.name)
    return Scale(tuple(names), tuple(" or ".join(same) for same in names.values()))


def scale_of_sums(criteria: Iterable[Criterion], rubric: Rubric) -> Scale:
    """From the lowest to the highest sum, by the smallest step between two levels."""
    chosen = list(criteria)
    marks = [sorted({level.points for level in one.levels}) for one in chosen]
    step = min(high - low for one in marks for low, high in pairwise(one))
    low = max(rubric.floor, sum(one[0] for one in marks))
    high = min(rubric.max_score, sum(one[-1] for one in marks))
    count = min(_MOST_STEPS, max(1, round((high - low) / step)))
    return Scale(tuple(round(low + n * (high - low) / count, 6) for n in range(count + 1)))
