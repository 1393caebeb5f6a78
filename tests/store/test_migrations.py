"""The schema over time: it only moves forward, and never in somebody else's file."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from gradeq.errors import SchemaTooNewError, StoreError
from gradeq.store.sql import load_migrations
from gradeq.store.sqlite import SqliteStore, connect

from .conformance.helpers import graded


def objects(conn: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """Every table, index, view and trigger; differences of layout and comment do not count."""
    found = conn.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_schema")
    return {
        (kind, name): " ".join(re.sub(r"--[^\n]*", "", sql).split()) for kind, name, sql in found
    }


def columns(conn: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    tables = [name for kind, name in objects(conn) if kind == "table"]
    return {
        name: conn.execute(f"SELECT * FROM pragma_table_xinfo('{name}')").fetchall()
        for name in tables
    }


def test_migrations_lead_to_the_schema() -> None:
    migrated = sqlite3.connect(":memory:", isolation_level=None)
    migrated.executescript((Path(__file__).parent / "schema_v1.sql").read_text("utf-8"))
    migrated.execute("PRAGMA user_version = 1")
    connect.bring_up_to_date(migrated)
    fresh = sqlite3.connect(":memory:", isolation_level=None)
    connect.bring_up_to_date(fresh)

    assert objects(migrated).keys() == objects(fresh).keys()
    for key, sql in objects(fresh).items():
        assert objects(migrated)[key] == sql, key
    assert columns(migrated) == columns(fresh)
    for conn in (migrated, fresh):
        version = conn.execute("PRAGMA user_version").fetchone()[0]
        assert version == connect.SCHEMA_VERSION == 1 + len(load_migrations())
        conn.close()


async def test_a_migration_is_all_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: SqliteStore
) -> None:
    ids = await graded(store, "ann")
    await store.close()
    good = "CREATE TABLE extra (id INTEGER PRIMARY KEY) STRICT;"
    monkeypatch.setattr(connect, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(
        connect, "load_migrations", lambda: [(2, good), (3, "CREATE TABLE more (id); SELECT nope;")]
    )
    with pytest.raises(StoreError, match="nope"):
        await store.open()
    conn = sqlite3.connect(store.path)
    assert conn.execute("PRAGMA user_version").fetchone() == (2,)
    assert ("table", "extra") in objects(conn)
    assert ("table", "more") not in objects(conn)
    conn.close()

    monkeypatch.setattr(connect, "load_migrations", lambda: [(2, good), (3, "DROP TABLE extra;")])
    await store.open()
    assert await store.submission(ids[0]) is not None


def content(path: Path) -> bytes:
    """What the file says; nobody else has it open."""
    return path.read_bytes()


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_newer_schema_is_refused(store: SqliteStore, read_only: bool) -> None:
    await graded(store, "ann")
    await store.close()
    conn = sqlite3.connect(store.path)
    conn.execute(f"PRAGMA user_version = {connect.SCHEMA_VERSION + 1}")
    conn.close()
    before = content(store.path)

    newer = SqliteStore(store.path, read_only=read_only)
    with pytest.raises(SchemaTooNewError, match=r"newer gradeq.*upgrade"):
        await newer.open()
    await newer.close()
    assert content(store.path) == before


@pytest.mark.parametrize("version", [0, 1, 99])
@pytest.mark.parametrize("read_only", [False, True])
async def test_another_program_s_database_is_refused(
    tmp_path: Path, version: int, read_only: bool
) -> None:
    path = tmp_path / "notes.db"
    conn = sqlite3.connect(path)
    conn.executescript(f"CREATE TABLE jobs (id, note); PRAGMA user_version = {version};")
    conn.close()
    before = content(path)

    store = SqliteStore(path, read_only=read_only)
    with pytest.raises(StoreError, match=r"some other program.*left it as it is") as caught:
        await store.open()
    await store.close()
    assert not isinstance(caught.value, SchemaTooNewError)
    assert content(path) == before


async def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    path = tmp_path / "grades.db"
    path.touch()
    store = SqliteStore(path)
    await store.open()
    try:
        assert await store.check() == []
    finally:
        await store.close()
