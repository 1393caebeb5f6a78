"""From likeness to levels: general weights, moved by the answers of a question that were graded.

A logistic regression with a normal prior. Its mean comes from other questions (bench/bench_lexical
fits it), so that it works without any graded answer, and each graded answer moves it a little.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gradeq.grading.lexical.likeness import Likeness, Vector, cosine

FEWEST_EXAMPLES = 6
"""With fewer graded answers of a question, the general weights alone are surer."""

_STIFFNESS = (20.0, 20.0, 20.0, 10.0)
"""How much evidence the general weights are worth; measured on the sample by whole questions."""

_NEIGHBOURS = 1.0
_FEW_NEIGHBOURS = 0.15
"""Likeness (squared, summed) below which neighbours hardly count."""

_STEPS = 25

Weights = tuple[float, float, float, float]
GENERAL: Weights = (0.95, 1.27, 2.27, -1.06)
"""Of cosine, recall, trigrams and the constant."""


@dataclass(frozen=True, slots=True)
class Graded:
    """An answer that a person graded: `value` from 0 (lowest level) to 1 (best)."""

    likeness: Likeness
    trigrams: Vector
    value: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Turns likeness into log-odds of the best level."""

    weights: Weights = GENERAL
    neighbours: tuple[Graded, ...] = ()

    @classmethod
    def of(cls, graded: Sequence[Graded], general: Weights = GENERAL) -> Calibration:
        if len(graded) < FEWEST_EXAMPLES:
            return cls(general)
        told = [(one.likeness, one.value) for one in graded]
        return cls(fitted(told, general, _STIFFNESS), tuple(graded))

    def log_odds(self, likeness: Likeness, trigrams: Vector) -> float:
        plain = math.fsum(w * x for w, x in zip(self.weights, _row(likeness), strict=True))
        return plain + _NEIGHBOURS * self._vote(trigrams)

    def _vote(self, trigrams: Vector) -> float:
        """-1 to 1: where the graded answers most like this one stand."""
        near = [cosine(trigrams, one.trigrams) ** 2 for one in self.neighbours]
        votes = (2 * one.value - 1 for one in self.neighbours)
        told = math.fsum(weight * vote for weight, vote in zip(near, votes, strict=True))
        return told / (math.fsum(near) + _FEW_NEIGHBOURS)


def fitted(
    graded: Iterable[tuple[Likeness, float]], prior: Weights, stiffness: Sequence[float]
) -> Weights:
    """The most probable weights, by Newton's method. The problem is convex: one answer only."""
    rows = [(_row(likeness), value) for likeness, value in graded]
    weights = list(prior)
    for _ in range(_STEPS):
        slope = [s * (w - p) for s, w, p in zip(stiffness, weights, prior, strict=True)]
        bend = [[s if i == j else 0.0 for j in range(4)] for i, s in enumerate(stiffness)]
        for row, value in rows:
            chance = logistic(math.fsum(w * x for w, x in zip(weights, row, strict=True)))
            for i in range(4):
                slope[i] += (chance - value) * row[i]
                for j in range(4):
                    bend[i][j] += chance * (1 - chance) * row[i] * row[j]
        step = _solved(bend, slope)
        weights = [w - d for w, d in zip(weights, step, strict=True)]
        if max(map(abs, step)) < 1e-9:
            break
    a, b, c, d = weights
    return a, b, c, d


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def chances(log_odds: float, values: Sequence[float]) -> list[float]:
    """The probability of each level, given the levels' values from 1 (best) down to 0.

    Proportional odds, with a cut half way between two neighbouring values: a level of half the
    points takes the middle.
    """
    cuts = [(one + other) / 2 for one, other in pairwise(values)]
    above = [logistic(log_odds - math.log(cut / (1 - cut))) for cut in cuts]
    return [high - low for low, high in zip([0.0, *above], [*above, 1.0], strict=True)]


def _row(likeness: Likeness) -> tuple[float, float, float, float]:
    return likeness.cosine, likeness.recall, likeness.trigrams, 1.0


def _solved(matrix: list[list[float]], vector: list[float]) -> list[float]:
    """Gauss and Jordan; the matrix is positive definite, so that every pivot is above 0."""
    rows = [[*line, value] for line, value in zip(matrix, vector, strict=True)]
    for at in range(len(rows)):
        scaled = [value / rows[at][at] for value in rows[at]]
        rows = [
            scaled
            if position == at
            else [x - line[at] * y for x, y in zip(line, scaled, strict=True)]
            for position, line in enumerate(rows)
        ]
    return [line[-1] for line in rows]
