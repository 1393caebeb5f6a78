"""How far a figure would move with other papers: the percentile bootstrap.

Efron, "Bootstrap methods: another look at the jackknife", 1979. Papers of one question are alike,
so with many questions whole questions are drawn; with few, papers are drawn within each of them,
as long as each has papers enough: of two papers such draws would show half of the variance only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random
from typing import Generic, TypeVar

from gradeq.evaluation.figures import Undefined

RESAMPLES = 1000
LEAST_PAPERS = 10
"""Fewer give no interval worth the name."""
LEAST_QUESTIONS = 10
"""With fewer, drawing whole questions would tell little: papers are drawn within each."""

_COVERED = 0.95
_MOST_UNDEFINED = 0.05
_SEED = 20_130_614

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of `n` papers and its 95 % interval; without them, `why` says why there is none."""

    n: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    why: str = ""

    @property
    def excludes_zero(self) -> bool:
        """The interval leaves 0 out: more than chance, at about 5 %."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


@dataclass(frozen=True, slots=True)
class Sample(Generic[T]):
    """What was observed, one item a paper, in `strata` of units that are drawn as a whole.

    Units hold places in `items`, which are all different: small numbers are counted fastest.
    """

    items: tuple[T, ...]
    strata: tuple[tuple[tuple[int, ...], ...], ...]

    @classmethod
    def of(cls, items: Iterable[tuple[str, T]]) -> Sample[T]:
        """From (question, item) pairs."""
        places: dict[T, int] = {}
        questions: dict[str, list[int]] = {}
        for question, item in items:
            questions.setdefault(question, []).append(places.setdefault(item, len(places)))
        if len(questions) >= LEAST_QUESTIONS:
            return cls(tuple(places), (tuple(map(tuple, questions.values())),))
        if not _are_drawn_within(map(len, questions.values())):
            questions = {"": list(chain.from_iterable(questions.values()))}
        strata = (tuple((place,) for place in papers) for papers in questions.values())
        return cls(tuple(places), tuple(strata))

    @property
    def n(self) -> int:
        return sum(len(unit) for units in self.strata for unit in units)

    def counts(self) -> Counter[T]:
        return self._counted(self.strata)

    def drawn(self, rng: Random) -> Counter[T]:
        """As many units as there are, with replacement, in each stratum."""
        return self._counted(rng.choices(units, k=len(units)) for units in self.strata)

    def _counted(self, strata: Iterable[Iterable[tuple[int, ...]]]) -> Counter[T]:
        found = Counter(chain.from_iterable(chain.from_iterable(strata)))
        return Counter({self.items[place]: count for place, count in found.items()})


def how_drawn(papers: Collection[int]) -> str:
    """What is resampled, for people; `papers` are counted for each question."""
    if len(papers) >= LEAST_QUESTIONS:
        return f"whole questions drawn ({len(papers)})"
    if len(papers) > 1 and _are_drawn_within(papers):
        return f"papers drawn within each of {len(papers)} questions"
    return "papers drawn"


def _are_drawn_within(papers: Iterable[int]) -> bool:
    return min(papers, default=0) >= LEAST_PAPERS


def estimated(
    sample: Sample[T],
    statistics: Mapping[str, Callable[[Counter[T]], float]],
    *,
    resamples: int = RESAMPLES,
) -> dict[str, Figure]:
    """Each statistic with its interval; all of them from the same draws, the same each time."""
    counts, n = sample.counts(), sample.n
    drawn: list[Counter[T]] = []
    if n >= LEAST_PAPERS:
        rng = Random(_SEED)  # noqa: S311 - reproducible draws, not secrets
        drawn = [sample.drawn(rng) for _ in range(resamples)]
    return {name: _figure(counts, n, drawn, one) for name, one in statistics.items()}


def _figure(
    counts: Counter[T],
    n: int,
    drawn: Sequence[Counter[T]],
    statistic: Callable[[Counter[T]], float],
) -> Figure:
    try:
        value = statistic(counts)
    except Undefined as undefined:
        return Figure(n, why=str(undefined))
    if not drawn:
        return Figure(n, value, why=f"an interval needs at least {LEAST_PAPERS} papers")
    values = sorted(_defined(statistic, drawn))
    if len(values) < (1 - _MOST_UNDEFINED) * len(drawn):
        return Figure(n, value, why="in too many draws the figure is undefined")
    tail = (1 - _COVERED) / 2
    return Figure(n, value, quantile(values, tail), quantile(values, 1 - tail))


def _defined(
    statistic: Callable[[Counter[T]], float], drawn: Iterable[Counter[T]]
) -> Iterable[float]:
    for counts in drawn:
        try:
            yield statistic(counts)
        except Undefined:
            continue


def quantile(ordered: Sequence[float], share: float) -> float:
    """Between the two values nearest to `share` (0 to 1) of the way, in proportion."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
