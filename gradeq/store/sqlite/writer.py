"""The one writer: whole transactions per hop, and waiting transactions share a commit.

An fsync costs the same whatever it covers. While one commit is on its way to the disk, and for
a moment after it, further work gathers; it goes together into the next one, each piece in a
savepoint of its own, so that one that fails takes nobody else's work with it. Work that needs no
fsync waits for none: a claim is on its way while results gather.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from gradeq.clock import Clock, wait_for_event
from gradeq.errors import StoreError
from gradeq.store.sqlite.connect import Hopper
from gradeq.store.sqlite.faults import store_error
from gradeq.store.sqlite.readers import Readers
from gradeq.store.sqlite.tx import Tx
from gradeq.store.sqlite.upkeep import checkpoint

T = TypeVar("T")
log = logging.getLogger("gradeq")
_MOST_AT_ONCE = 512
_GATHERING_SECONDS = 0.002
_LOG_BYTES = 8 * 1024 * 1024


@dataclass(slots=True)
class _Order:
    work: Callable[[Tx], Any]
    done: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = field(default=None)


class Writer:
    """Owned by the store; `run` may be called by any number of coroutines.

    `committed` is called after each commit, also where its caller has been cancelled.
    """

    def __init__(
        self,
        hopper: Hopper,
        queries: Mapping[str, str],
        clock: Clock,
        path: Path,
        *,
        readers: Readers,
        committed: Callable[[], None],
    ) -> None:
        self._hopper = hopper
        self._queries = queries
        self._clock = clock
        self._path = path
        self._committed = committed
        self._readers = readers
        self._log = path.with_name(path.name + "-wal")
        self._log_bound = _LOG_BYTES
        self._durable: list[_Order] = []
        self._quick: list[_Order] = []
        self._arrived = asyncio.Event()
        self._last_sync = 0.0
        self._committing: asyncio.Task[None] | None = None
        self._full_sync = True
        self._closed = False

    async def run(self, work: Callable[[Tx], T], *, durable: bool = True) -> T:
        """Commit `work` and answer its result. Cancelling the caller does not stop the commit.

        `durable=False` skips the fsync, for changes that promise nothing to anybody: they
        survive a killed process, but not a power cut. Raises what `work` raises; StoreError where
        the database refuses.
        """
        if self._closed:
            raise StoreError(f"{self._path}: the store is closed; nothing was changed")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        (self._durable if durable else self._quick).append(_Order(work, done))
        self._arrived.set()
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_all())
        return await asyncio.shield(done)

    async def close(self) -> None:
        self._closed = True
        if self._committing is not None:
            await self._committing

    async def _commit_all(self) -> None:
        try:
            while self._quick or self._durable:
                if self._quick:
                    await self._commit(_first(self._quick), full_sync=False)
                if self._durable and await self._has_gathered():
                    await self._commit(_first(self._durable), full_sync=True)
                    self._last_sync = self._clock.monotonic()
                    if self._log_bytes() > self._log_bound:
                        await self.empty_log()
        finally:
            self._committing = None

    async def empty_log(self) -> None:
        """Copy the write-ahead log into the database, with our own readers held back a moment.

        Where another program reads on, the log stays, and is left to grow before the next try.
        """
        async with self._readers.paused():
            try:
                is_empty = await self._hopper.hop(checkpoint)
            except sqlite3.Error as error:
                # A full disk, say: everything committed is safe in the log.
                is_empty = False
                log.warning("%s", store_error(error, self._path))
        self._log_bound = _LOG_BYTES + (0 if is_empty else self._log_bytes())

    def _log_bytes(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:
            return 0

    async def _has_gathered(self) -> bool:
        """Wait a moment since the last fsync, so that the next one covers more."""
        left = self._last_sync + _GATHERING_SECONDS - self._clock.monotonic()
        if left <= 0 or len(self._durable) >= _MOST_AT_ONCE or self._closed:
            return True
        self._arrived.clear()
        return not await wait_for_event(self._arrived, left)

    async def _commit(self, orders: list[_Order], *, full_sync: bool) -> None:
        try:
            await self._hopper.hop(self._transact, orders, self._clock.now_ms(), full_sync)
        except Exception as error:
            told = store_error(error, self._path) if isinstance(error, sqlite3.Error) else error
            for order in orders:
                order.error = told
        else:
            self._committed()
        for order in orders:
            _answer(order)

    def _transact(
        self, conn: sqlite3.Connection, orders: list[_Order], now: int, full_sync: bool
    ) -> None:
        self._choose_sync(conn, full_sync)
        tx = Tx(conn, self._queries, now)
        conn.execute("BEGIN IMMEDIATE")
        try:
            for order in orders:
                self._perform(tx, order, alone=len(orders) == 1)
            if conn.in_transaction:
                conn.execute("COMMIT")
        finally:
            if conn.in_transaction:
                conn.execute("ROLLBACK")

    def _perform(self, tx: Tx, order: _Order, *, alone: bool) -> None:
        """A failing order is undone by itself, unless SQLite has undone the whole transaction."""
        if alone:
            try:
                order.result = order.work(tx)
            except Exception as error:
                order.error = self._told(error)
                if tx.conn.in_transaction:
                    tx.conn.execute("ROLLBACK")
            return
        tx.conn.execute("SAVEPOINT piece")
        try:
            order.result = order.work(tx)
        except Exception as error:
            if not tx.conn.in_transaction:
                raise
            order.error = self._told(error)
            tx.conn.execute("ROLLBACK TO piece")
        tx.conn.execute("RELEASE piece")

    def _told(self, error: Exception) -> Exception:
        return store_error(error, self._path) if isinstance(error, sqlite3.Error) else error

    def _choose_sync(self, conn: sqlite3.Connection, full: bool) -> None:
        if full is not self._full_sync:
            conn.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            self._full_sync = full


def _first(orders: list[_Order]) -> list[_Order]:
    """Take the oldest orders, as many as one commit may hold."""
    taken = orders[:_MOST_AT_ONCE]
    del orders[:_MOST_AT_ONCE]
    return taken


def _answer(order: _Order) -> None:
    if order.done.done():
        return
    if order.error is not None:
        order.done.set_exception(order.error)
        # The caller may have been cancelled: then nobody asks for this error.
        order.done.exception()
    else:
        order.done.set_result(order.result)
