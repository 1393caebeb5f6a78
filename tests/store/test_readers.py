"""Who reads, who writes, and who hears of it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from gradeq.errors import StoreError
from gradeq.store.sqlite import SqliteStore
from gradeq.store.sqlite.connect import open_reader

from .conformance.helpers import items


async def _ends(*tasks: asyncio.Task[Any]) -> list[Any]:
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_one_connection_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    plain = sqlite3.connect

    def connect(path: Any, **options: Any) -> sqlite3.Connection:
        made.append(str(path))
        return plain(path, **options)

    monkeypatch.setattr(sqlite3, "connect", connect)
    store = SqliteStore(tmp_path / "grades.db")
    await store.open()
    work = [items(store) for _ in range(20)] + [store.batches() for _ in range(20)]
    await asyncio.gather(*work)
    await store.backup(tmp_path / "copy.db")
    await store.close()
    assert len([path for path in made if "mode=ro" not in path]) == 1
    assert 1 < len(made) <= 4  # the writer, two readers, the backup's own


async def test_a_reader_cannot_write(store: SqliteStore) -> None:
    await items(store)
    reader = await open_reader(store.path)
    try:
        for pragma in ("ON", "OFF"):
            await reader.hop(lambda conn, on=pragma: conn.execute(f"PRAGMA query_only = {on}"))
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                await reader.hop(lambda conn: conn.execute("DELETE FROM batches"))
    finally:
        await reader.close()
    assert len(await store.batches()) == 1


async def test_reads_see_what_was_acknowledged(store: SqliteStore) -> None:
    async def write_and_read(n: int) -> bool:
        submitted = await items(store, owner=f"owner {n}")
        return await store.batch(submitted.id) is not None

    assert all(await asyncio.gather(*(write_and_read(n) for n in range(50))))


async def test_a_bad_listener_breaks_no_commit(store: SqliteStore) -> None:
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
    store.subscribe(lambda: 1 // 0)
    first, second = await asyncio.gather(items(store), items(store))
    assert first.id != second.id
    assert len(await store.batches()) == 2
    assert isinstance(heard[0]["exception"], ZeroDivisionError)


async def test_listeners_hear_of_a_cancelled_caller_s_commit(store: SqliteStore) -> None:
    heard = asyncio.Event()
    store.subscribe(heard.set)
    caller = asyncio.create_task(items(store))
    await asyncio.sleep(0)
    caller.cancel()
    await heard.wait()
    assert len(await store.batches()) == 1
    await _ends(caller)


def test_one_store_in_one_event_loop_after_the_other(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "grades.db")

    async def use() -> int:
        await store.open()
        await asyncio.gather(*(items(store) for _ in range(5)), *(store.batches() for _ in "12345"))
        count = len(await store.batches())
        await store.close()
        return count

    assert [asyncio.run(use()) for _ in range(3)] == [5, 10, 15]


async def test_closing_waits_for_reads_on_their_way(store: SqliteStore) -> None:
    await items(store)
    reads = [asyncio.create_task(store.batches()) for _ in range(6)]
    await asyncio.sleep(0)
    await store.close()
    ends = await _ends(*reads)
    refused = [end for end in ends if isinstance(end, StoreError)]
    assert all("not open" in str(one) for one in refused)
    assert len(refused) < len(ends)
    for thread in threading.enumerate():
        if "connection_worker" in thread.name:
            thread.join(10)
            assert not thread.is_alive()
