"""The write-ahead log stays small while everybody reads, and comes back from an idle reader."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from gradeq.store.sqlite import SqliteStore

from .conformance.helpers import claim, done, items, paper, settle

MB = 1024 * 1024
BOUND = 16 * MB


def wal_size(store: SqliteStore) -> int:
    return store.path.with_name(store.path.name + "-wal").stat().st_size


async def write(store: SqliteStore, rounds: int) -> int:
    """Write about 0.5 MB a round; the largest size of the log on the way."""
    largest = 0
    for n in range(rounds):
        papers = [paper(f"{i}", f"essay {i} " * 4000, assignment=f"{i}") for i in range(10)]
        await store.add_submissions([paper(one.external_id, f"{n} {one.text}") for one in papers])
        await items(store, 20)
        await settle(store, *(done(one, None) for one in await claim(store)))
        largest = max(largest, wal_size(store))
    return largest


@pytest.fixture
async def busy(tmp_path: Path) -> SqliteStore:
    store = SqliteStore(tmp_path / "grades.db")
    await store.open()
    return store


@pytest.mark.parametrize("rounds", [60, pytest.param(300, marks=pytest.mark.slow)])
@pytest.mark.timeout(300)
async def test_under_readers_that_never_stop(busy: SqliteStore, rounds: int) -> None:
    is_over = False

    async def read_on() -> int:
        count = 0
        while not is_over:
            await busy.assignments()
            await busy.batches(limit=100)
            count += 1
        return count

    readers = [asyncio.create_task(read_on()) for _ in range(4)]
    largest = await write(busy, rounds)
    is_over = True
    counts = await asyncio.gather(*readers)
    await busy.close()
    assert min(counts) > rounds / 3
    assert largest < BOUND


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_after_an_idle_reader_has_gone(busy: SqliteStore) -> None:
    """Some other program's open transaction keeps the log; it shrinks when that ends."""
    await write(busy, 1)
    browser = sqlite3.connect(busy.path, isolation_level=None)
    browser.execute("BEGIN")
    browser.execute("SELECT count(*) FROM events").fetchone()
    assert await write(busy, 200) > 64 * MB
    browser.close()
    await busy.checkpoint()
    await write(busy, 2)
    assert wal_size(busy) <= 64 * MB
    await busy.close()
