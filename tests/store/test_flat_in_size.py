"""What an operation costs does not depend on how much was graded before.

Counted in steps of SQLite's virtual machine: the same on every computer, unlike seconds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gradeq.clock import ManualClock
from gradeq.model import JobState
from gradeq.store.claims import Claimed
from gradeq.store.sqlite import SqliteStore
from gradeq.store.sqlite.connect import Hopper

from .big_database import build
from .conformance.helpers import (
    BETTER,
    GRADE,
    answer,
    attempt,
    done,
    paper,
    submit,
)

SMALL, LARGE, OPEN = 4_000, 60_000, 2_000
POOL = "anthropic"
GRADED, ARCHIVED = 3_001, 3_050

Operation = Callable[[SqliteStore, list[Claimed]], Awaitable[object]]

OPERATIONS: dict[str, Operation] = {
    "claim": lambda store, _: store.claim(POOL, 10, 60),
    "settle": lambda store, held: store.settle([done(one, GRADE) for one in held]),
    "settle late": lambda store, held: store.settle([done(held[0]), done(held[0])]),
    "renew": lambda store, held: store.renew([(one.job.id, one.lease) for one in held], 60),
    "store_answer": lambda store, held: store.store_answer(held[0], attempt(), answer()),
    "expire": lambda store, _: store.expire(),
    "submit": lambda store, _: submit(store, [GRADED], grader="other"),
    "submit again": lambda store, _: submit(store, [1], grader="llm"),
    "add": lambda store, _: store.add_submissions([paper("a new one"), paper("another")]),
    "archive": lambda store, held: store.archive([held[0].job.id, GRADED]),
    "unarchive": lambda store, _: store.unarchive([ARCHIVED]),
    "release": lambda store, _: store.release([GRADED], "Ms Lee"),
    "edit": lambda store, _: store.edit_grade(GRADED, BETTER, "Ms Lee"),
    "cancel": lambda store, held: store.cancel(job_ids=[held[0].job.id]),
    "cancel batch": lambda store, _: store.cancel(batch_id=2),
    "retry batch": lambda store, _: store.retry(batch_id=7),
    "pause": lambda store, _: store.pause(1, "Ms Lee"),
    "badges": lambda store, _: store.badges("course 1", "essay 1"),
    "backlog": lambda store, _: store.backlog(),
    "position": lambda store, _: store.position(1_500),
    "next_due": lambda store, _: store.next_due(),
    "unapplied_answer": lambda store, _: store.unapplied_answer(GRADED, "key"),
    "a tab's first page": lambda store, _: store.submissions("course 1", "essay 1", limit=50),
    "a batch's jobs": lambda store, _: store.jobs(batch_id=7, state=JobState.FAILED, limit=50),
    "results": lambda store, _: store.results([1, GRADED]),
    "a page of events": lambda store, _: store.events(3_000, limit=50),
    "last_event": lambda store, _: store.last_event(),
    "a page of batches": lambda store, _: store.batches(limit=5),
    "find": lambda store, _: store.find_submissions(["paper 1"], None, None),
}


class Meter:
    """Counts the virtual machine's steps on a store's connections."""

    def __init__(self) -> None:
        self.steps = 0

    def count(self) -> int:
        self.steps += 1
        return 0

    def attach(self, conn: sqlite3.Connection) -> None:
        conn.set_progress_handler(self.count, 1)


async def cost(path: Path, operation: Operation) -> int:
    store, meter = SqliteStore(path, clock=ManualClock()), Meter()
    await store.open()
    try:
        held = await store.claim(POOL, 10, 60)
        assert len(held) == 10
        assert isinstance(store._hopper, Hopper)
        await store._hopper.hop(meter.attach)
        await store._readers.run(lambda tx: meter.attach(tx.conn))
        meter.steps = 0
        await operation(store, held)
        return meter.steps
    finally:
        await store.close()


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("flat")
    for rows in (SMALL, LARGE):
        build(folder / f"{rows}.db", rows, OPEN).close()
    return folder / f"{SMALL}.db", folder / f"{LARGE}.db"


@pytest.mark.parametrize("name", OPERATIONS)
async def test_history_costs_nothing(paths: tuple[Path, Path], name: str) -> None:
    small, large = [await cost(path, OPERATIONS[name]) for path in paths]
    assert small > 10
    assert large < 1.5 * small + 200, f"{small} steps at {SMALL} rows, {large} at {LARGE}"


async def test_the_meter_sees_a_scan(paths: tuple[Path, Path]) -> None:
    def scan(store: SqliteStore, _: list[Claimed]) -> Awaitable[object]:
        statement = "SELECT count(*) FROM jobs WHERE reason = 'none'"
        return store._readers.run(lambda tx: tx.conn.execute(statement).fetchone())

    small, large = [await cost(path, scan) for path in paths]
    assert large > 5 * small


async def test_the_database_is_sound(paths: tuple[Path, Path]) -> None:
    store = SqliteStore(paths[0], read_only=True)
    await store.open()
    try:
        assert await store.check() == []
    finally:
        await store.close()
