"""Read-only connections: short reads beside the writer, each fetched whole."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
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
        """One consistent read. `work` fetches everything and keeps no cursor."""
        return await self.alone(lambda conn: self._read(conn, work))

    async def alone(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on a connection outside any transaction. Raises StoreError."""
        async with self._places:
            if not self._is_open:
                raise StoreError(f"{self._path}: the store is not open")
            try:
                hopper = self._idle.pop() if self._idle else await open_reader(self._path)
                try:
                    return await hopper.hop(work)
                finally:
                    self._idle.append(hopper)
            except sqlite3.Error as error:
                raise store_error(error, self._path) from error

    async def close(self) -> None:
        """After the reads that are on their way: a connection left behind would keep its thread."""
        self._is_open = False
        for _ in range(self._count):
            await self._places.acquire()
        while self._idle:
            await self._idle.pop().close()
        for _ in range(self._count):
            self._places.release()

    def _read(self, conn: sqlite3.Connection, work: Callable[[Tx], T]) -> T:
        conn.execute("BEGIN")
        try:
            return work(Tx(conn, self._queries, self._clock.now_ms()))
        finally:
            conn.execute("ROLLBACK")
