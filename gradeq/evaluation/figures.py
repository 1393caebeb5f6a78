"""Figures of agreement between two raters, from counted pairs of points.

The first of each pair is what is taken for right, a person's; the second is what is compared with
it. Each function raises Undefined, with the reason, where the figure has no meaning: never 0, never
nan.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType

from gradeq.evaluation.scale import Scale

Pair = tuple[float, float]
Counts = Mapping[Pair, int]
"""How often each pair of points occurs."""

Statistic = Callable[[Counts], float]


class Undefined(Exception):
    """The figure has no meaning for these pairs; the text says why."""


def total(counts: Counts) -> int:
    """How many pairs. Raises Undefined for none at all."""
    count = sum(counts.values())
    if not count:
        raise Undefined("no paper has both judgements")
    return count


def exact(counts: Counts) -> float:
    """The share of pairs that are the same, 0 to 1."""
    n = total(counts)
    return sum(count for (one, other), count in counts.items() if one == other) / n


def adjacent(counts: Counts, scale: Scale) -> float:
    """The share of pairs that are at most one step of `scale` apart, 0 to 1."""
    n = total(counts)
    if scale.is_yes_or_no:
        raise Undefined("with two levels, all pairs are at most one level apart")
    near = sum(
        count
        for (one, other), count in counts.items()
        if abs(scale.step_of(one) - scale.step_of(other)) <= 1 + 1e-9
    )
    return near / n


def kappa(counts: Counts) -> float:
    """Cohen's kappa: exact agreement beyond chance, at most 1; 0 is what chance gives.

    Cohen, "A coefficient of agreement for nominal scales", 1960. All disagreements count alike.
    """
    n = total(counts)
    ours, theirs = _margins(counts)
    _refuse_one_class(ours)
    by_chance = sum(count * theirs[mark] for mark, count in ours.items()) / n**2
    return (exact(counts) - by_chance) / (1 - by_chance)


def qwk(counts: Counts) -> float:
    """Quadratic weighted kappa, at most 1: a disagreement weighs as the square of its points.

    Cohen, "Weighted kappa", 1968: 1 - observed / expected disagreement. With quadratic weights
    the expected one is the sum of both variances and the squared difference of the means.
    """
    n = total(counts)
    _refuse_one_class(_margins(counts)[0])
    observed = sum(count * (one - other) ** 2 for (one, other), count in counts.items()) / n
    mean_one, mean_other, var_one, var_other, _ = _moments(counts)
    return 1 - observed / (var_one + var_other + (mean_one - mean_other) ** 2)


def pearson(counts: Counts) -> float:
    """Pearson's correlation, -1 to 1."""
    if total(counts) < 3:
        raise Undefined("a correlation needs at least 3 papers")
    ours, theirs = _margins(counts)
    _refuse_one_class(ours)
    if len(theirs) == 1:
        raise Undefined("what is compared has one and the same value for all papers")
    _, _, var_one, var_other, covariance = _moments(counts)
    return max(-1.0, min(1.0, covariance / math.sqrt(var_one * var_other)))


def mae(counts: Counts) -> float:
    """The mean absolute difference, in points."""
    n = total(counts)
    return sum(count * abs(other - one) for (one, other), count in counts.items()) / n


def bias(counts: Counts) -> float:
    """The mean difference in points: above 0 where the second rater gives more."""
    n = total(counts)
    return sum(count * (other - one) for (one, other), count in counts.items()) / n


def auc(counts: Counts) -> float:
    """How often a paper that people found right is rated above one they found wrong, 0 to 1.

    The area under the ROC curve (Hanley and McNeil, 1982); equal ratings count half.
    """
    total(counts)
    marks = sorted({one for one, _ in counts})
    if len(marks) != 2:
        raise Undefined(
            "one and the same answer is right for all papers"
            if len(marks) == 1
            else "people's judgements are not yes or no"
        )
    wrong, right = (_rated(counts, mark) for mark in marks)
    below, score = 0, 0.0
    for rating in sorted({*wrong, *right}):
        score += right[rating] * (below + wrong[rating] / 2)
        below += wrong[rating]
    return score / (below * right.total())


def figures_on(scale: Scale) -> Mapping[str, Statistic]:
    """All figures by name; `auc` only where judgements are yes or no."""
    figures: dict[str, Statistic] = {
        "exact": exact,
        "adjacent": lambda counts: adjacent(counts, scale),
        "kappa": kappa,
        "qwk": qwk,
        "pearson": pearson,
        "mae": mae,
        "bias": bias,
    }
    if scale.is_yes_or_no:
        figures["auc"] = auc
    return MappingProxyType(figures)


def _margins(counts: Counts) -> tuple[Counter[float], Counter[float]]:
    ours: Counter[float] = Counter()
    theirs: Counter[float] = Counter()
    for (one, other), count in counts.items():
        ours[one] += count
        theirs[other] += count
    return ours, theirs


def _refuse_one_class(ours: Counter[float]) -> None:
    if len(ours) == 1:
        raise Undefined("people gave one and the same mark to all papers")


def _moments(counts: Counts) -> tuple[float, float, float, float, float]:
    """Both means, both variances and the covariance, of the pairs as they are."""
    n = total(counts)
    mean_one = math.fsum(count * one for (one, _), count in counts.items()) / n
    mean_other = math.fsum(count * other for (_, other), count in counts.items()) / n
    square_one = square_other = product = 0.0
    for (one, other), count in counts.items():
        square_one += count * (one - mean_one) ** 2
        square_other += count * (other - mean_other) ** 2
        product += count * (one - mean_one) * (other - mean_other)
    return mean_one, mean_other, square_one / n, square_other / n, product / n


def _rated(counts: Counts, mark: float) -> Counter[float]:
    rated: Counter[float] = Counter()
    for (one, other), count in counts.items():
        if one == mark:
            rated[other] += count
    return rated
