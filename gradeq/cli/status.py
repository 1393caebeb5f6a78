"""`gradeq status`: what there is, what moves, and what holds it up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click

from gradeq.cli import say
from gradeq.cli.costs import costs
from gradeq.cli.options import database_options, json_option
from gradeq.cli.plan import OURSELVES
from gradeq.cli.standing import PoolStanding, pool_standings
from gradeq.cli.stores import reading
from gradeq.clock import SystemClock
from gradeq.config import Config
from gradeq.days import day_of
from gradeq.overnight.words import told_overnight
from gradeq.store.costs import DayRow
from gradeq.store.rows import Badges, BatchRow
from gradeq.store.sqlite.lock import Holder, current_holder

_BADGES = ("in_progress", "submitted", "graded", "released", "grading")
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Found:
    """The state of a database at one instant."""

    assignments: Sequence[tuple[str, str, Badges]]
    batches: Sequence[BatchRow]
    pools: Sequence[PoolStanding]
    holder: Holder | None
    today: DayRow

    @property
    def parked(self) -> set[str]:
        return {pool.name for pool in self.pools if pool.parked_reason is not None}


@click.command("status")
@database_options
@json_option
def command(*, config: Config, as_json: bool) -> None:
    """Show the badges of each assignment, open batches, and what limits or holds them up.

    Only reads, so it may be used at any time, also while a daemon is working.
    """
    found = asyncio.run(_look(config))
    if as_json:
        say.as_json(_told(config, found))
    else:
        say.fact("\n".join(_lines(config, found)))


async def _look(config: Config) -> Found:
    path = config.store.path
    async with reading(path) as store:
        batches: list[BatchRow] = []
        before = None
        while page := await store.batches(before=before, limit=_PAGE):
            batches += [batch for batch in page if batch.finished_at is None]
            before = page[-1].id
        return Found(
            await store.assignments(),
            batches,
            await pool_standings(store, path),
            current_holder(path),
            await store.day(day_of(SystemClock().now_ms())),
        )


def _told(config: Config, found: Found) -> dict[str, Any]:
    return {
        "db": str(config.store.path),
        "currency": config.grading.currency,
        "daemon": _holder(found.holder),
        "assignments": [
            {"course": course, "assignment": name, **asdict(badges)}
            for course, name, badges in found.assignments
        ],
        "batches": [asdict(batch) for batch in found.batches],
        "today": {**asdict(found.today), "cost_cap": config.grading.cost_cap_per_day},
        "pools": [one.told() for one in found.pools if one.is_of_interest or one.reading],
    }


def _lines(config: Config, found: Found) -> list[str]:
    lines = [f"{config.store.path}: {_writer(found.holder)}"]
    rows = [
        (f"{course}/{name}", *(f"{getattr(badges, one):,}" for one in _BADGES))
        for course, name, badges in found.assignments
    ]
    if rows:
        header = ("", *(one.replace("_", " ") for one in _BADGES))
        lines.append(say.table([header, *rows], numbers=True))
    else:
        lines.append("  no assignments yet; 'gradeq import' makes one")
    for batch in found.batches:
        lines += _batch_lines(batch, found, config.grading.currency)
    for pool in found.pools:
        lines += pool.lines() if pool.is_of_interest else []
    grading = config.grading
    if today := costs(found.today, grading.currency, grading.cost_cap_per_day):
        lines.append(f"today: {today}")
    return lines


def _holder(holder: Holder | None) -> dict[str, Any] | None:
    """Without its key, which is a secret of whoever started it."""
    return None if holder is None else {"pid": holder.pid, "url": holder.url}


def _writer(holder: Holder | None) -> str:
    if holder is None:
        return "no gradeq is working on it"
    where = f" at {holder.url}" if holder.url else ""
    return f"process {holder.pid} is working on it{where}"


def _batch_lines(batch: BatchRow, found: Found, currency: str) -> list[str]:
    done = batch.completed + batch.failed + batch.cancelled
    failed = f", {batch.failed:,} failed" if batch.failed else ""
    cost = f"; {spent}" if (spent := costs(batch, currency)) else ""
    lines = [f"batch {batch.id}: {batch.status}, {done:,} of {batch.total:,} done{failed}{cost}"]
    if (night := told_overnight(batch)) is not None:
        lines.append(f"  {night}")
    if batch.paused_by == OURSELVES and batch.pool in found.parked:
        lines.append("  paused by gradeq as its pool is parked, see below")
    elif batch.paused_at is not None:
        why = f": {batch.pause_reason}" if batch.pause_reason else ""
        lines += [f"  paused by {batch.paused_by}{why}", f"  gradeq batch resume {batch.id}"]
    elif found.holder is None:
        lines.append("  waits for a worker: gradeq serve, or gradeq grade --wait")
    return lines
