"""Is a grader right more often where it says that it is sure?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradeq.evaluation.bootstrap import Figure, Sample, estimated, quantile
from gradeq.evaluation.figures import Pair, auc, exact

Told = tuple[str, Pair, float]
"""A paper's question, its pair of points, and the grader's confidence from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Part:
    """The papers with a confidence from `low` to `high`, and how many of them are exactly right."""

    low: float
    high: float
    exact: Figure


@dataclass(frozen=True, slots=True)
class ByConfidence:
    """Up to three `parts` of about the same size, the least sure first.

    `auc` is how often a paper that is right has more confidence than one that is wrong: 0.5 where
    confidence tells nothing.
    """

    parts: tuple[Part, ...]
    auc: Figure


def by_confidence(papers: Sequence[Told]) -> ByConfidence | None:
    """None where the grader tells no confidence."""
    if not papers:
        return None
    ordered = sorted(confidence for _, _, confidence in papers)
    cuts = [quantile(ordered, n / 3) for n in (1, 2)]
    thirds: list[list[Told]] = [[], [], []]
    for paper in papers:
        thirds[sum(paper[2] > cut for cut in cuts)].append(paper)
    order = Sample.of(
        (question, (float(person == grader), confidence))
        for question, (person, grader), confidence in papers
    )
    return ByConfidence(
        tuple(_part(third) for third in thirds if third), estimated(order, {"auc": auc})["auc"]
    )


def _part(papers: Sequence[Told]) -> Part:
    confidences = [confidence for _, _, confidence in papers]
    sample = Sample.of((question, pair) for question, pair, _ in papers)
    return Part(min(confidences), max(confidences), estimated(sample, {"exact": exact})["exact"])
