"""Read-only connections: short reads beside the writer, each fetched whole."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from gradeq.clock import Clock
from gradeq.errors import StoreError
from gradeq.store.sqlite.connect import Hopper, open_reader
from gradeq.store.sqlite.faults import store_error
from gradeq.store.sqlite.tx import Tx

T = TypeVar("T")


class Readers:
    """A few connections, handed out one read at a time; made when first needed."""

    def __init__(
        self, path: Path, queries: Mapping[str, str], clock: Clock, count: int = 2
    ) -> None:
        self._path = path
        self._queries = queries
        self._clock = clock
        self._count = count
        self._places = asyncio.Semaphore(count)
        self._idle: list[Hopper] = []
        self._is_open = False

    def open(self) -> None:
        self._places = asyncio.Semaphore(self._count)
        self._is_open = True

    async def run(self, work: Callable[[Tx], T]) -> T:
        """One consistent, short read. `work` fetches everything and keeps no cursor."""
        async with self._places:
            self._require_open()
            try:
                hopper = self._idle.pop() if self._idle else await open_reader(self._path)
                try:
                    return await hopper.hop(self._read, work)
                finally:
                    self._idle.append(hopper)
            except sqlite3.Error as error:
                raise store_error(error, self._path) from error

    async def long(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work`, which may take minutes, on a connection of its own: nobody waits for it."""
        self._require_open()
        try:
            hopper = await open_reader(self._path)
            try:
                return await hopper.hop(work)
            finally:
                await hopper.close()
        except sqlite3.Error as error:
            raise store_error(error, self._path) from error

    async def long_read(self, work: Callable[[Tx], T]) -> T:
        """One consistent read that may take minutes."""
        return await self.long(lambda conn: self._read(conn, work))

    def _require_open(self) -> None:
        if not self._is_open:
            raise StoreError(f"{self._path}: the store is not open")

    async def close(self) -> None:
        """After the reads that are on their way: a connection left behind would keep its thread."""
        self._is_open = False
        async with self.paused():
            while self._idle:
                await self._idle.pop().close()

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Wait for the reads that are on their way, and let no other begin meanwhile."""
        taken = 0
        try:
            while taken < self._count:
                await self._places.acquire()
                taken += 1
            yield
        finally:
            for _ in range(taken):
                self._places.release()

    def _read(self, conn: sqlite3.Connection, work: Callable[[Tx], T]) -> T:
        conn.execute("BEGIN")
        try:
            return work(Tx(conn, self._queries, self._clock.now_ms()))
        finally:
            conn.execute("ROLLBACK")
