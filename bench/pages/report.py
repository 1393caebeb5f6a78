"""Seconds and bytes as one table, each beside its bound."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence

from bench.pages.clients import Seconds
from bench.pages.weight import MOST_BYTES, Weight

MOST_MS = 100.0
"""In which 95 of 100 answers are to be there."""

LEGEND = (
    f"Milliseconds until the whole answer is read, and p95 as a share of {MOST_MS:.0f} ms; "
    "milliseconds of the daemon's CPU for one answer while nothing is graded, which other programs "
    "on the machine change far less; "
    f"kB over the wire at a first visit with all files, as a share of {MOST_BYTES // 1000} kB, and "
    "at a second visit."
)


def table(seconds: Seconds, cpu: Mapping[str, float], weights: Mapping[str, Weight]) -> str:
    """Markdown, a row for each page."""
    head = ["page", "p50", "p95", "max", "of 100 ms", "CPU", "first kB", "of 100 kB", "again kB"]
    rows = [head, ["---"] * len(head)]
    rows += [_row(name, took, cpu[name], weights.get(name)) for name, took in seconds.items()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _row(name: str, took: Sequence[float], cpu: float, weight: Weight | None) -> list[str]:
    cuts = [1000 * cut for cut in statistics.quantiles(took, n=100, method="inclusive")]
    ms = [cuts[49], cuts[94], 1000 * max(took)]
    times = [f"{one:.1f}" for one in ms]
    return [name, *times, f"{cuts[94] / MOST_MS:.0%}", f"{1000 * cpu:.1f}", *_kilobytes(weight)]


def _kilobytes(weight: Weight | None) -> Iterator[str]:
    if weight is None:
        yield from ("", "", "")
    else:
        yield f"{weight.first_visit / 1000:.1f}"
        yield f"{weight.first_visit / MOST_BYTES:.0%}"
        yield f"{weight.page / 1000:.1f}"


def slow(seconds: Seconds) -> list[str]:
    """The pages of which more than 5 in 100 answers took longer than they should."""
    return [
        name
        for name, took in seconds.items()
        if statistics.quantiles(took, n=100, method="inclusive")[94] * 1000 > MOST_MS
    ]
