"""A figure of several lines under each other: a dot for each, a bar for its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradeq.evaluation.bootstrap import Figure

_WIDTH, _ROW, _TOP, _BOTTOM = 360, 26, 6, 22
_LEFT, _RIGHT = 146, 14


@dataclass(frozen=True, slots=True)
class Row:
    """`x`, `low` and `high` are places in the drawing; None where there is nothing to draw."""

    label: str
    y: float
    x: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Tick:
    label: str
    x: float


@dataclass(frozen=True, slots=True)
class Forest:
    """All that a template needs, in the drawing's own units."""

    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    height: int
    floor: int
    width: int = _WIDTH
    top: int = _TOP


def forest(lines: Sequence[tuple[str, Figure]]) -> Forest:
    """On an axis from 0, or from -0.5 or -1 where a line reaches below, to 1."""
    ends = [end for _, one in lines for end in (one.value, one.low) if end is not None]
    lowest = min(ends, default=0.0)
    start = 0.0 if lowest >= 0 else -0.5 if lowest >= -0.5 else -1.0
    floor = _TOP + _ROW * len(lines)

    def place(value: float | None) -> float | None:
        if value is None:
            return None
        share = (value - start) / (1 - start)
        return round(_LEFT + min(1.0, max(0.0, share)) * (_WIDTH - _LEFT - _RIGHT), 1)

    rows = [
        Row(label, _TOP + _ROW * (n + 0.5), place(one.value), place(one.low), place(one.high))
        for n, (label, one) in enumerate(lines)
    ]
    apart = 0.5 if start < 0 else 0.25
    marks = [start + apart * n for n in range(round((1 - start) / apart) + 1)]
    ticks = [Tick(f"{mark:g}", place(mark) or 0.0) for mark in marks]
    return Forest(tuple(rows), tuple(ticks), floor + _BOTTOM, floor)
