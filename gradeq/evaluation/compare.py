"""Two runs over the same file: what changed, and is it more than chance?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from gradeq.errors import ConfigError
from gradeq.evaluation.bootstrap import Figure, Sample, estimated
from gradeq.evaluation.chance import mcnemar
from gradeq.evaluation.figures import Pair, Statistic, figures_on
from gradeq.evaluation.runs import Header, Run
from gradeq.evaluation.summary import by_grader, by_person, by_rating

Triple = tuple[float, float, float]
"""A person's points, the earlier grader's, this one's."""


@dataclass(frozen=True, slots=True)
class Change:
    """A paper that the two graded differently, in points."""

    id: str
    person: float
    before: float
    now: float

    @property
    def nearer(self) -> int:
        """1 where this run is nearer to the person, -1 where it is farther away, 0 as near."""
        before, now = abs(self.before - self.person), abs(self.now - self.person)
        return (now < before) - (now > before)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Over the papers that both graded. `differences` are this run's figures minus the earlier's.

    Of the papers that just one got exactly right, `only_before` and `only_now` count whose they
    are, and `p` is McNemar's exact two-sided one.
    """

    earlier: Run
    n: int
    changes: tuple[Change, ...]
    before: Mapping[str, Figure]
    now: Mapping[str, Figure]
    differences: Mapping[str, Figure]
    only_before: int
    only_now: int
    p: float

    @property
    def nearer(self) -> list[Change]:
        return [one for one in self.changes if one.nearer > 0]

    @property
    def farther(self) -> list[Change]:
        return [one for one in self.changes if one.nearer < 0]


def refuse_other(earlier: Header, now: Header, name: str) -> None:
    """Raises ConfigError where the two cannot be compared; `name` is the earlier run's file."""
    if earlier.fingerprint != now.fingerprint:
        raise ConfigError(
            f"{name}: is a run over {earlier.file} with other papers or other human judgements "
            f"than {now.file} has now, so the two cannot be compared; nothing was graded. Run "
            "both graders on the same file"
        )
    if earlier.headline.name != now.headline.name or earlier.headline.scale != now.headline.scale:
        raise ConfigError(
            f"{name}: was measured on another scale ({_told(earlier)}) than this run "
            f"({_told(now)}), so the two cannot be compared; nothing was graded. Use rubrics with "
            "the same points"
        )


def compared(earlier: Run, run: Run) -> Comparison:
    """Pure. The runs must have passed `refuse_other`. AUC goes by ratings, the rest by marks."""
    measure = run.headline
    person, grader = by_person(1, measure), by_grader(measure)
    rating = by_rating(measure)
    earlier_ones = {one.id: one for one in earlier.outcomes}
    items: list[tuple[str, Triple]] = []
    ratings: list[tuple[str, Triple]] = []
    changes: list[Change] = []
    for one in run.outcomes:
        was = earlier_ones.get(one.id)
        human, before, now = person(one), grader(was) if was else None, grader(one)
        if was is None or human is None or before is None or now is None:
            continue
        items.append((one.question, (human, before, now)))
        ratings.append((one.question, (human, rating(was) or 0.0, rating(one) or 0.0)))
        if before != now:
            changes.append(Change(one.id, human, before, now))
    figures = figures_on(measure.scale)
    ranked = {name: one for name, one in figures.items() if name == "auc"}
    marked = {name: one for name, one in figures.items() if name != "auc"}
    found = {
        **estimated(Sample.of(items), _statistics(marked)),
        **estimated(Sample.of(ratings), _statistics(ranked)),
    }
    only_before = sum(before == human != now for _, (human, before, now) in items)
    only_now = sum(now == human != before for _, (human, before, now) in items)
    return Comparison(
        earlier=earlier,
        n=len(items),
        changes=tuple(changes),
        before={name: found[f"before {name}"] for name in figures},
        now={name: found[f"now {name}"] for name in figures},
        differences={name: found[f"difference {name}"] for name in figures},
        only_before=only_before,
        only_now=only_now,
        p=mcnemar(only_before, only_now),
    )


def _statistics(
    figures: Mapping[str, Statistic],
) -> dict[str, Callable[[Counter[Triple]], float]]:
    def difference(statistic: Statistic, counts: Counter[Triple]) -> float:
        return _of(statistic, 2, counts) - _of(statistic, 1, counts)

    found: dict[str, Callable[[Counter[Triple]], float]] = {}
    for name, statistic in figures.items():
        found[f"before {name}"] = partial(_of, statistic, 1)
        found[f"now {name}"] = partial(_of, statistic, 2)
        found[f"difference {name}"] = partial(difference, statistic)
    return found


def _of(statistic: Statistic, place: int, counts: Counter[Triple]) -> float:
    """The figure of one of the two runs: a draw of papers draws both of their grades."""
    pairs: Counter[Pair] = Counter()
    for triple, count in counts.items():
        pairs[triple[0], triple[place]] += count
    return statistic(pairs)


def _told(run: Header) -> str:
    marks = run.headline.scale.marks
    return f"{run.headline.name}, {marks[0]:g} to {marks[-1]:g} in {len(marks) - 1} steps"
