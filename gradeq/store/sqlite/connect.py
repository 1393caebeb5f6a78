"""Opening the file: pragmas, schema and migrations."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from gradeq.errors import SchemaTooNewError, StoreError
from gradeq.store.sql import load_migrations, load_schema

T = TypeVar("T")
SCHEMA_VERSION = 1 + len(load_migrations())
_OWN_TABLES = frozenset({"submissions", "jobs", "grades", "limiter_state"})

# mmap_size stays 0: a truncated file under a memory map kills the process instead of an error.
_WRITER_PRAGMAS = """
PRAGMA busy_timeout = 5000;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA journal_size_limit = 67108864;
PRAGMA cache_size = -65536;
PRAGMA temp_store = MEMORY;
PRAGMA mmap_size = 0;
PRAGMA recursive_triggers = OFF;
"""
_READER_PRAGMAS = """
PRAGMA busy_timeout = 5000;
PRAGMA query_only = ON;
PRAGMA cache_size = -16384;
PRAGMA temp_store = MEMORY;
PRAGMA mmap_size = 0;
"""


class Hopper(aiosqlite.Connection):
    """An aiosqlite connection that runs a whole function on its thread in one hop.

    aiosqlite's own methods hop once a statement: 13 times slower for a transaction of many, and
    other coroutines' statements could slip in between.
    """

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, iter_chunk_size=64)
        # A program that ends without closing its store must end: its thread waits for ever.
        self._thread.daemon = True

    async def hop(self, work: Callable[..., T], *args: Any) -> T:
        """Run `work(connection, *args)`; it goes on to its end even if the caller is cancelled."""
        hop = self._execute(work, self._conn, *args)  # type: ignore[no-untyped-call] # aiosqlite
        task = asyncio.ensure_future(hop)
        result: T = await asyncio.shield(task)
        return result

    async def open(self) -> None:
        """Connect. Raises what connecting raises, once the thread is gone: it must not outlive
        the event loop, which it tells of its end.
        """
        try:
            await self
        except BaseException:
            self._thread.join()
            raise


async def open_writer(path: Path) -> Hopper:
    """The only connection that writes. Creates or migrates the schema."""
    if not path.parent.is_dir():
        raise StoreError(f"{path}: the folder {path.parent} does not exist; create it first")
    return await _open(lambda: _connect_writer(path))


async def open_reader(path: Path) -> Hopper:
    """A connection that cannot write, whatever it is asked."""
    if not path.is_file():
        what = "a folder, not a database" if path.is_dir() else "no such database"
        raise StoreError(
            f"{path}: {what}; 'gradeq import' or 'gradeq run' creates one, --db names another"
        )
    return await _open(lambda: _connect_reader(path))


async def _open(connector: Callable[[], sqlite3.Connection]) -> Hopper:
    hopper = Hopper(connector)
    await hopper.open()
    return hopper


def _connect_writer(path: Path) -> sqlite3.Connection:
    conn = sqlite3.connect(path, isolation_level=None, cached_statements=512)
    return _prepared(conn, lambda: _make_ready(conn, path))


def _make_ready(conn: sqlite3.Connection, path: Path) -> None:
    refuse_foreign(conn, path)
    refuse_newer(conn, path)
    conn.executescript(_WRITER_PRAGMAS)
    bring_up_to_date(conn)
    # A read-only file opens without complaint, and BEGIN IMMEDIATE too; a write does not.
    conn.execute("DELETE FROM meta WHERE false")


def _connect_reader(path: Path) -> sqlite3.Connection:
    conn = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, cached_statements=256
    )
    return _prepared(conn, lambda: _make_readable(conn, path))


def _make_readable(conn: sqlite3.Connection, path: Path) -> None:
    refuse_foreign(conn, path)
    refuse_newer(conn, path)
    conn.executescript(_READER_PRAGMAS)
    if conn.execute("PRAGMA user_version").fetchone()[0] < SCHEMA_VERSION:
        raise StoreError(
            f"{path}: nothing is in it yet, or an older gradeq wrote it; 'gradeq import', "
            "'gradeq run' or 'gradeq serve' makes it ready"
        )


def _prepared(conn: sqlite3.Connection, prepare: Callable[[], None]) -> sqlite3.Connection:
    conn.row_factory = sqlite3.Row
    try:
        prepare()
    except BaseException:
        conn.close()
        raise
    return conn


def refuse_foreign(conn: sqlite3.Connection, path: Path) -> None:
    """Before the first pragma: journal_mode would be written into some other program's file."""
    tables = {row[0] for row in conn.execute("SELECT name FROM sqlite_schema")}
    if tables and not tables >= _OWN_TABLES:
        raise StoreError(
            f"{path}: a database of some other program; gradeq left it as it is. "
            "Choose another file with --db"
        )


def refuse_newer(conn: sqlite3.Connection, path: Path) -> None:
    """Raises SchemaTooNewError before anything is touched."""
    found = conn.execute("PRAGMA user_version").fetchone()[0]
    if found > SCHEMA_VERSION:
        raise SchemaTooNewError(
            f"{path}: written by a newer gradeq (schema {found}; this one knows {SCHEMA_VERSION}). "
            "gradeq left it as it is; upgrade gradeq, or use another file with --db"
        )


def bring_up_to_date(conn: sqlite3.Connection) -> None:
    """Create the schema in an empty file, or run the migrations that are missing."""
    found = conn.execute("PRAGMA user_version").fetchone()[0]
    if found == 0:
        _run_script(conn, load_schema(), SCHEMA_VERSION)
        return
    for version, script in load_migrations():
        if version > found:
            _run_script(conn, script, version)


def _run_script(conn: sqlite3.Connection, script: str, version: int) -> None:
    """All of it or nothing: DDL and the version number are one transaction."""
    try:
        conn.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {version};\nCOMMIT;")
    except sqlite3.Error:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise


def library_version() -> tuple[int, int, int]:
    """Of the SQLite that Python was built with."""
    return sqlite3.sqlite_version_info
