"""Opening what a command works on: the engine, or the database beside whoever writes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from gradeq.config import Config
from gradeq.engine import Engine
from gradeq.store.base import Reading, Store
from gradeq.store.rows import ResultRow
from gradeq.store.sqlite import SqliteStore

_PAGE = 500


def inserting(config: Config) -> Engine:
    """An engine that takes work in and grades nothing, but knows the configured graders."""
    return Engine.from_config(config, work=False)


def recording(config: Config) -> Engine:
    """An engine for whatever needs no grader, and so no provider's key."""
    return Engine(config.store.path, work=False)


@asynccontextmanager
async def reading(path: Path) -> AsyncIterator[Store]:
    """The database as it is on disk, also beside a running daemon. Raises StoreError."""
    store = SqliteStore(path, read_only=True)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def result_pages(store: Reading, ids: Sequence[int]) -> AsyncIterator[list[ResultRow]]:
    """The rows of these submissions, in this order, some hundred at a time."""
    for start in range(0, len(ids), _PAGE):
        yield await store.results(ids[start : start + _PAGE])
