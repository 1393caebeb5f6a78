"""`gradeq status`: what there is, what moves, and what holds it up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import click

from gradeq.cli import say
from gradeq.cli.options import database_options, json_option
from gradeq.cli.stores import reading
from gradeq.config import Config
from gradeq.overnight.words import told_overnight
from gradeq.store.base import Badges, BatchRow
from gradeq.store.sqlite.lock import Holder, current_holder

_BADGES = ("in_progress", "submitted", "graded", "released", "grading")
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Found:
    """The state of a database at one instant."""

    assignments: Sequence[tuple[str, str, Badges]]
    batches: Sequence[BatchRow]
    pools: Mapping[str, Mapping[str, Any]]
    holder: Holder | None


@click.command("status")
@database_options
@json_option
def command(*, config: Config, as_json: bool) -> None:
    """Show the badges of each assignment, open batches, and what holds them up.

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
        return Found(await store.assignments(), batches, await store.pools(), current_holder(path))


def _told(config: Config, found: Found) -> dict[str, Any]:
    return {
        "db": str(config.store.path),
        "daemon": None if found.holder is None else asdict(found.holder),
        "assignments": [
            {"course": course, "assignment": name, **asdict(badges)}
            for course, name, badges in found.assignments
        ],
        "batches": [asdict(batch) for batch in found.batches],
        "pools": [{"pool": name, "held_by": _held_by(state)} for name, state in _held(found)],
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
        lines += _batch_lines(batch, found.holder)
    lines += [f"{name}: {_held_by(state)}" for name, state in _held(found)]
    return lines


def _writer(holder: Holder | None) -> str:
    if holder is None:
        return "no gradeq is working on it"
    where = f" at {holder.url}" if holder.url else ""
    return f"process {holder.pid} is working on it{where}"


def _batch_lines(batch: BatchRow, holder: Holder | None) -> list[str]:
    done = batch.completed + batch.failed + batch.cancelled
    failed = f", {batch.failed:,} failed" if batch.failed else ""
    lines = [f"batch {batch.id}: {batch.status}, {done:,} of {batch.total:,} done{failed}"]
    if (night := told_overnight(batch)) is not None:
        lines.append(f"  {night}")
    if batch.paused_at is not None:
        why = f": {batch.pause_reason}" if batch.pause_reason else ""
        lines += [f"  paused by {batch.paused_by}{why}", f"  gradeq batch resume {batch.id}"]
    elif holder is None:
        lines.append("  waits for a worker: gradeq serve, or gradeq grade --wait")
    return lines


def _held(found: Found) -> list[tuple[str, Mapping[str, Any]]]:
    """The pools that are held back by more than their ordinary limits."""
    return [(name, state) for name, state in found.pools.items() if _held_by(state)]


def _held_by(state: Mapping[str, Any]) -> str | None:
    if state.get("parked_reason"):
        until = state.get("parked_until_ms")
        return f"parked: {state['parked_reason']}" + (f" (until {_clock(until)})" if until else "")
    for key, what in (
        ("gate_until_ms", "the provider asked to wait"),
        ("breaker_until_ms", "the provider is overloaded"),
    ):
        until = state.get(key)
        if until and until > time.time() * 1000:
            return f"{what} (until {_clock(until)})"
    return None


def _clock(wall_ms: int) -> str:
    return datetime.fromtimestamp(wall_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")
