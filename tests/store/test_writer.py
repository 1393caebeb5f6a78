"""The writer: shared commits, each piece for itself, fsync where something was promised."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gradeq.clock import SystemClock
from gradeq.errors import ConflictError, StoreError
from gradeq.store.sql import load_queries
from gradeq.store.sqlite import SqliteStore
from gradeq.store.sqlite.connect import Hopper, open_writer
from gradeq.store.sqlite.readers import Readers
from gradeq.store.sqlite.tx import Tx
from gradeq.store.sqlite.writer import Writer

from .conformance.helpers import POOL, add, submit

FULL, NORMAL = 2, 1


class Bench:
    """A writer on a real file, and what its connection was told to do."""

    def __init__(self, path: Path, hopper: Hopper) -> None:
        self.path = path
        self.hopper = hopper
        self.told: list[str] = []
        self.commits_heard = 0
        self.readers = Readers(path, load_queries(), SystemClock())
        self.writer = Writer(
            hopper,
            load_queries(),
            SystemClock(),
            path,
            readers=self.readers,
            committed=self._hear,
        )

    def _hear(self) -> None:
        self.commits_heard += 1

    @property
    def commits(self) -> int:
        return self.told.count("COMMIT")

    async def keys(self) -> set[str]:
        """What another connection sees."""
        return await self.readers.run(
            lambda tx: {row["key"] for row in tx.conn.execute("SELECT key FROM meta")}
        )


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    path = tmp_path / "grades.db"
    hopper = await open_writer(path)
    made = Bench(path, hopper)
    await hopper.hop(lambda conn: conn.set_trace_callback(made.told.append))
    made.readers.open()
    yield made
    await made.writer.close()
    await made.readers.close()
    await hopper.close()


def put(key: str, tx: Tx) -> str:
    tx.run("meta_put", key=key, value="x")
    return key


def put_and_fail(key: str, error: Exception, tx: Tx) -> None:
    put(key, tx)
    raise error


def break_commit(tx: Tx) -> None:
    """A promise to mend a reference before the end, which is not kept."""
    tx.conn.execute("PRAGMA defer_foreign_keys = ON")
    tx.conn.execute("INSERT INTO papers VALUES (999, 1, '', printf('%064d', 0), 1)")


class Gate:
    """Work that stays on the writer's thread until it is let go."""

    def __init__(self) -> None:
        self._entered = threading.Event()
        self._let_go = threading.Event()

    def __call__(self, tx: Tx) -> str:
        self._entered.set()
        assert self._let_go.wait(10)
        return put("gate", tx)

    async def entered(self) -> None:
        await asyncio.to_thread(self._entered.wait, 10)

    def let_go(self) -> None:
        self._let_go.set()


async def behind_a_gate(
    bench: Bench, works: list[Callable[[Tx], Any]], *, durable: bool = True
) -> list[Any]:
    """Run `works` together: they gather while the gate holds the writer."""
    gate = Gate()
    first = asyncio.create_task(bench.writer.run(gate))
    await gate.entered()
    waiting = [asyncio.create_task(bench.writer.run(work, durable=durable)) for work in works]
    await asyncio.sleep(0)
    gate.let_go()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert await first == "gate"
    return results


async def test_waiting_writes_share_a_commit(bench: Bench) -> None:
    keys = [f"key {n}" for n in range(200)]
    results = await behind_a_gate(bench, [partial(put, key) for key in keys])
    assert results == keys
    assert bench.commits == bench.commits_heard == 2
    assert await bench.keys() == {"gate", *keys}


async def test_a_failing_write_takes_nobody_else_s_with_it(bench: Bench) -> None:
    error = ConflictError("not now")
    results = await behind_a_gate(
        bench, [partial(put, "a"), partial(put_and_fail, "lost", error), partial(put, "b")]
    )
    assert results == ["a", error, "b"]
    assert bench.commits == 2
    assert await bench.keys() == {"gate", "a", "b"}


async def test_a_refused_write_is_undone_as_a_whole(bench: Bench) -> None:
    def put_twice(tx: Tx) -> None:
        put("lost", tx)
        tx.conn.execute("INSERT INTO meta VALUES ('gate', 'again')")

    for neighbours in ([], [partial(put, "neighbour")]):
        [failed, *_] = await behind_a_gate(bench, [put_twice, *neighbours])
        assert isinstance(failed, StoreError)
        assert "UNIQUE" in str(failed)
        assert str(bench.path) in str(failed)
    assert await bench.keys() == {"gate", "neighbour"}


async def test_a_programmer_s_error_reaches_its_caller_alone(bench: Bench) -> None:
    results = await behind_a_gate(
        bench, [partial(put_and_fail, "lost", ZeroDivisionError()), partial(put, "a")]
    )
    assert isinstance(results[0], ZeroDivisionError)
    assert await bench.keys() == {"gate", "a"}


async def test_an_error_at_the_commit_fails_all_of_it(bench: Bench) -> None:
    results = await behind_a_gate(bench, [partial(put, "a"), break_commit, partial(put, "b")])
    assert all(isinstance(result, StoreError) for result in results)
    assert "FOREIGN KEY" in str(results[0])
    assert await bench.keys() == {"gate"}
    assert bench.commits_heard == 1
    assert await bench.writer.run(partial(put, "next")) == "next"
    assert await bench.keys() == {"gate", "next"}


async def test_an_error_at_the_commit_of_one(bench: Bench) -> None:
    with pytest.raises(StoreError, match="nothing was changed"):
        await bench.writer.run(break_commit)
    assert await bench.writer.run(partial(put, "next")) == "next"


async def test_a_transaction_that_sqlite_undid_fails_all_of_it(bench: Bench) -> None:
    """As on a full disk: nothing of the group is there, so nobody is told that it is."""

    def undone(tx: Tx) -> None:
        tx.conn.execute("INSERT OR ROLLBACK INTO meta VALUES ('gate', 'again')")

    results = await behind_a_gate(bench, [partial(put, "a"), undone, partial(put, "b")])
    assert all(isinstance(result, StoreError) for result in results)
    assert await bench.keys() == {"gate"}
    assert await bench.writer.run(partial(put, "next")) == "next"


async def test_a_cancelled_caller_s_commit_goes_on(bench: Bench) -> None:
    gate = Gate()
    caller = asyncio.create_task(bench.writer.run(gate))
    waiting = asyncio.create_task(bench.writer.run(partial(put, "waiting")))
    await gate.entered()
    for task in (caller, waiting):
        task.cancel()
    assert all(isinstance(end, asyncio.CancelledError) for end in await _ends(caller, waiting))
    gate.let_go()
    assert await bench.writer.run(partial(put, "next")) == "next"
    assert await bench.keys() == {"gate", "waiting", "next"}
    assert bench.commits == bench.commits_heard


async def _ends(*tasks: asyncio.Task[Any]) -> list[Any]:
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_cancelled_caller_s_error_disturbs_nobody(bench: Bench) -> None:
    gate = Gate()
    first = asyncio.create_task(bench.writer.run(gate))
    await gate.entered()
    doomed = asyncio.create_task(
        bench.writer.run(partial(put_and_fail, "lost", ConflictError("no")))
    )
    await asyncio.sleep(0)
    doomed.cancel()
    gate.let_go()
    await first
    await _ends(doomed)
    assert await bench.writer.run(partial(put, "next")) == "next"


async def test_what_was_promised_is_synced(bench: Bench) -> None:
    def sync(tx: Tx) -> int:
        return int(tx.conn.execute("PRAGMA synchronous").fetchone()[0])

    assert await bench.writer.run(sync) == FULL
    assert await bench.writer.run(sync, durable=False) == NORMAL
    assert await bench.writer.run(sync) == FULL
    together = [bench.writer.run(sync, durable=n % 3 > 0) for n in range(30)]
    expected = [FULL if n % 3 else NORMAL for n in range(30)]
    assert await asyncio.gather(*together) == expected


async def test_claims_and_renewals_do_not_wait_for_the_disk_and_all_else_does(
    store: SqliteStore,
) -> None:
    """Read off the pragma in force when each transaction begins."""
    told: list[str] = []
    assert store._hopper is not None
    await store._hopper.hop(lambda conn: conn.set_trace_callback(told.append))

    async def synced(work: Any) -> bool:
        await work
        last = [one for one in told if one.startswith("PRAGMA synchronous")][-1:]
        return last in ([], ["PRAGMA synchronous = FULL"])

    assert await synced(add(store, "ann"))
    assert await synced(submit(store, [1]))
    assert not await synced(store.claim(POOL, 1, 60))
    assert await synced(store.settle([]))
    assert not await synced(store.renew([], 60))
    assert await synced(store.archive([1]))
    assert not await synced(store.save_pool(POOL, {}))
    assert await synced(store.release([1], "Ms Lee"))


async def test_promises_are_kept_while_claims_keep_coming(bench: Bench) -> None:
    """Two that take turns: one's claim is on its way while the other's waits."""
    gate, is_over = Gate(), False

    async def claim_on(first: Callable[[Tx], Any]) -> int:
        count = 0
        while not is_over and count < 2000:
            await bench.writer.run(first if count == 0 else partial(put, "x"), durable=False)
            count += 1
        return count

    claimants = [asyncio.create_task(claim_on(gate))]
    await gate.entered()
    claimants.append(asyncio.create_task(claim_on(partial(put, "x"))))
    promise = asyncio.create_task(bench.writer.run(partial(put, "result")))
    await asyncio.sleep(0)
    gate.let_go()
    await promise
    is_over = True
    assert all(count < 2000 for count in await asyncio.gather(*claimants))


async def test_closing_waits_for_what_is_on_its_way(bench: Bench) -> None:
    gate = Gate()
    first = asyncio.create_task(bench.writer.run(gate))
    second = asyncio.create_task(bench.writer.run(partial(put, "second")))
    await gate.entered()
    closing = asyncio.create_task(bench.writer.close())
    await asyncio.sleep(0)
    assert not closing.done()
    gate.let_go()
    await closing
    assert [await first, await second] == ["gate", "second"]
    with pytest.raises(StoreError, match="closed; nothing was changed"):
        await bench.writer.run(partial(put, "late"))


async def test_reads_do_not_wait_for_the_writer(bench: Bench) -> None:
    gate = Gate()
    writing = asyncio.create_task(bench.writer.run(gate))
    await gate.entered()
    assert await bench.keys() == set()
    gate.let_go()
    await writing
    assert await bench.keys() == {"gate"}
