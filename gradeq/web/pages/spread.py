"""How a batch's grading times and scores are spread: the charts and the numbers beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from gradeq.store.overview import Scores, Times
from gradeq.web.pages.plots import Chart, chart
from gradeq.web.visit import Visit
from gradeq.web.wording import Wording

_STRETCHES = 10


@dataclass(frozen=True, slots=True)
class TimesView:
    """In seconds, as text."""

    jobs: int
    median: str
    ninetieth: str
    longest: str
    chart: Chart


@dataclass(frozen=True, slots=True)
class ScoresView:
    grades: int
    mean: str
    chart: Chart


async def times(visit: Visit, batch_id: int) -> TimesView | None:
    """None while nothing is graded."""
    found = await visit.site.store.overview.times(batch_id, _STRETCHES)
    if found is None:
        return None
    words = visit.words
    return TimesView(
        jobs=found.jobs,
        median=_seconds(words, found.median),
        ninetieth=_seconds(words, found.ninetieth),
        longest=_seconds(words, found.longest),
        chart=_times_chart(words, found),
    )


async def scores(visit: Visit, batch_id: int) -> ScoresView | None:
    """None while nothing is graded."""
    found = await visit.site.store.overview.scores(batch_id, _STRETCHES)
    if found.mean is None:
        return None
    return ScoresView(
        grades=found.grades,
        mean=visit.words.share(found.mean),
        chart=_scores_chart(visit.words, found),
    )


def _times_chart(words: Wording, found: Times) -> Chart:
    edges = [words.number(n * found.width / 1000, 3) for n in range(_STRETCHES + 1)]
    reaches_beyond = found.longest >= found.width * _STRETCHES
    labels = _between(words, edges, "batches.seconds_between")
    if reaches_beyond:
        labels[-1] = words.text("batches.seconds_above", low=edges[-2])
        edges[-1] = ""
    return _drawn(words, found.counts, labels, edges)


def _scores_chart(words: Wording, found: Scores) -> Chart:
    edges = [words.share(n / _STRETCHES) for n in range(_STRETCHES + 1)]
    labels = _between(words, edges, "batches.shares_between")
    return _drawn(words, found.counts, labels, edges)


def _between(words: Wording, edges: Sequence[str], key: str) -> list[str]:
    return [words.text(key, low=low, high=high) for low, high in pairwise(edges)]


def _drawn(
    words: Wording, counts: Sequence[int], labels: Sequence[str], edges: Sequence[str]
) -> Chart:
    # Every second number, or they would run into each other.
    sparse = [edge if place % 2 == 0 else "" for place, edge in enumerate(edges)]
    return chart(counts, labels, sparse, (words.number(0), words.number(max(counts))))


def _seconds(words: Wording, milliseconds: int) -> str:
    return words.text("batches.seconds", s=words.number(milliseconds / 1000))
