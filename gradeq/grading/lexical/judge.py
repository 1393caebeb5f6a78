"""One criterion, judged by likeness to the points of a good answer that it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradeq.grading.lexical.calibration import Calibration, Graded, chances
from gradeq.grading.lexical.likeness import Target, Weights
from gradeq.grading.lexical.telling import Telling
from gradeq.grading.lexical.words import stems_of, words_of
from gradeq.grading.rubric import Criterion, Example, Level


@dataclass(frozen=True, slots=True)
class Verdict:
    """The most probable level, its probability, why, and where the matched words stand."""

    level: Level
    confidence: float
    reason: str
    found: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """What somebody else says of a criterion: log-odds of the best level, and a sentence."""

    log_odds: float
    remark: str


class Judge:
    """Knows a criterion's points and the answers that people graded."""

    def __init__(
        self,
        criterion: Criterion,
        points: Sequence[str],
        weights: Weights,
        examples: Sequence[Example],
        telling: Telling,
    ) -> None:
        self._weights = weights
        self._telling = telling
        self._target = Target(points, weights)
        self.steps = steps_of(criterion)
        values = {level.name: value_of(level, self.steps) for level in criterion.levels}
        graded = [
            self._graded(one.text, values[name])
            for one in examples
            if (name := one.level_of(criterion.id)) in values
        ]
        self._calibration = Calibration.of(graded)

    @property
    def graded(self) -> int:
        """Graded answers that it goes by; 0 where there are too few."""
        return len(self._calibration.neighbours)

    def verdict(self, text: str, heard: Heard | None = None) -> Verdict:
        """`text` is not empty; `heard` is added to what its words say."""
        likeness = self._target.likeness(text)
        values = [value_of(level, self.steps) for level in self.steps]
        odds = self._calibration.log_odds(likeness, self._trigrams(text))
        odds += heard.log_odds if heard else 0.0
        told = chances(odds, values)
        best = max(range(len(told)), key=told.__getitem__)
        reason = self._telling.reason(text, likeness, self._target.key_words, self.graded)
        reason = f"{reason} {heard.remark}" if heard else reason
        return Verdict(self.steps[best], told[best], reason, likeness.found)

    def _graded(self, text: str, value: float) -> Graded:
        return Graded(self._target.likeness(text), self._trigrams(text), value)

    def _trigrams(self, text: str) -> dict[str, float]:
        return dict(self._weights.trigrams(words_of(text), text))


def can_judge(criterion: Criterion) -> bool:
    """Likeness to a good answer says what was done well. It cannot tell a fault."""
    return criterion.levels[0].points > max(0.0, criterion.levels[-1].points)


def shared_out(points: Sequence[str], criteria: Sequence[Criterion]) -> list[list[str]]:
    """For each criterion the points that it is about, going by its words; else all of them."""
    wording = [frozenset(stems_of(_wording(one))) for one in criteria]
    shares: list[list[str]] = [[] for _ in criteria]
    for point in points:
        stems = frozenset(stems_of(point))
        shared = [len(stems & words) for words in wording]
        for share, count in zip(shares, shared, strict=True):
            if count and 2 * count >= max(shared):
                share.append(point)
    return [share or list(points) for share in shares]


def _wording(criterion: Criterion) -> str:
    return " ".join([criterion.description, *(level.description for level in criterion.levels)])


def steps_of(criterion: Criterion) -> list[Level]:
    """From best to lowest, one level for each number of points."""
    steps = {level.points: level for level in reversed(criterion.levels)}
    return sorted(steps.values(), key=lambda level: -level.points)


def value_of(level: Level, steps: Sequence[Level]) -> float:
    """From 0 (lowest) to 1 (best), by the points."""
    best, lowest = steps[0].points, steps[-1].points
    return (level.points - lowest) / (best - lowest)
