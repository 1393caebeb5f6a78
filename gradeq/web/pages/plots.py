"""Bar charts as plain numbers: where each bar stands in a drawing of fixed size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 360, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 20, 10, 24
_GAP = 2


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch: its label for people, how many fall into it, and its rectangle."""

    label: str
    count: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A number at the edge, `at` so far from the left or the top."""

    label: str
    at: float


@dataclass(frozen=True, slots=True)
class Chart:
    """All that a template needs. `floor` is where the bars stand, `left` where they begin."""

    bars: tuple[Bar, ...]
    below: tuple[Tick, ...]
    beside: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    floor: int = HEIGHT - _BOTTOM


def chart(
    counts: Sequence[int], labels: Sequence[str], edges: Sequence[str], show: Sequence[str]
) -> Chart:
    """`labels` name the stretches, `edges` the numbers between them, one more than stretches;
    "" leaves one out. `show` are the texts of 0 and of the highest count.
    """
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(counts))
    room = HEIGHT - _TOP - _BOTTOM
    most = max(1, *counts)
    bars = []
    for place, (count, label) in enumerate(zip(counts, labels, strict=True)):
        height = round(room * count / most, 1)
        x, y = round(_LEFT + place * step + _GAP / 2, 1), round(HEIGHT - _BOTTOM - height, 1)
        bars.append(Bar(label, count, x, y, round(step - _GAP, 1), height))
    below = [Tick(label, round(_LEFT + n * step, 1)) for n, label in enumerate(edges) if label]
    beside = (Tick(show[0], HEIGHT - _BOTTOM), Tick(show[1], _TOP))
    return Chart(tuple(bars), tuple(below), beside)
