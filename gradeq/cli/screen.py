"""Progress on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from gradeq import money
from gradeq.cli import say
from gradeq.cli.watch import Standing
from gradeq.clock import Clock
from gradeq.limiter.reading import duration

if TYPE_CHECKING:
    from rich.live import Live

_PLAIN_SECONDS = 10.0


class Screen(Protocol):
    """Where progress is shown. `limit` says what limits the speed."""

    def show(self, standing: Standing, limit: str) -> None: ...


@contextmanager
def progress_screen(clock: Clock, currency: str) -> Iterator[Screen]:
    """A bar as long as the block lasts, if there is somebody to look at it."""
    if not sys.stderr.isatty():
        yield PlainLines(clock, currency)
        return
    from rich.console import Console  # noqa: PLC0415 - scripts never load it
    from rich.live import Live  # noqa: PLC0415 - scripts never load it

    console = Console(stderr=True)
    with Live(console=console, transient=True, redirect_stdout=False) as live:
        yield Bar(live, currency)


class PlainLines:
    """A line every few seconds, for logs."""

    def __init__(self, clock: Clock, currency: str) -> None:
        self._clock = clock
        self._currency = currency
        self._next = clock.monotonic() + _PLAIN_SECONDS

    def show(self, standing: Standing, limit: str) -> None:
        now = self._clock.monotonic()
        if now >= self._next:
            self._next = now + _PLAIN_SECONDS
            told = counts(standing, self._currency)
            say.note("; ".join(filter(None, [told, pace(standing), limited(limit)])))


class Bar:
    """Three lines that are drawn anew."""

    def __init__(self, live: Live, currency: str) -> None:
        self._live = live
        self._currency = currency

    def show(self, standing: Standing, limit: str) -> None:
        from rich.console import Group  # noqa: PLC0415 - scripts never load it
        from rich.progress_bar import ProgressBar  # noqa: PLC0415 - scripts never load it
        from rich.table import Table  # noqa: PLC0415 - scripts never load it
        from rich.text import Text  # noqa: PLC0415 - scripts never load it

        done = standing.total - standing.waiting
        first = Table.grid(padding=(0, 1))
        first.add_row(
            ProgressBar(total=max(1, standing.total), completed=done, width=40),
            Text(f"{done:,} of {standing.total:,}"),
            Text(pace(standing)),
        )
        lines = (counts(standing, self._currency), limited(limit))
        texts = [Text(line, no_wrap=True, overflow="ellipsis") for line in lines]
        self._live.update(Group(first, *texts))


def counts(standing: Standing, currency: str) -> str:
    told = (
        f"{standing.graded:,} graded, {standing.ungraded:,} ungraded, {standing.waiting:,} waiting"
    )
    cost = standing.spent.cost
    return f"{told}; cost so far {money.told(cost, currency)}" if cost else told


def pace(standing: Standing) -> str:
    if not standing.per_minute:
        return ""
    told = f"{standing.per_minute:,.0f} papers/min"
    return f"{told}, {duration(standing.seconds_left)} left" if standing.seconds_left else told


def limited(limit: str) -> str:
    """A night is no limit, and says what it is by itself."""
    return limit if limit.startswith("overnight") or not limit else f"limited by {limit}"
