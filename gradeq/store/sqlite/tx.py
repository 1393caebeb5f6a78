"""One transaction as the operations see it: named statements on one connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec


class Tx:
    """Runs statements by name. Lives on the thread of its connection, for one transaction."""

    def __init__(self, conn: sqlite3.Connection, queries: Mapping[str, str], now: int) -> None:
        self.conn = conn
        self.queries = queries
        self.now = now

    def run(self, statement: str, /, **values: Any) -> sqlite3.Cursor:
        return self.conn.execute(self.queries[statement], values)

    def many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Once per row of positional parameters."""
        self.conn.executemany(self.queries[statement], rows)

    def one(self, statement: str, /, **values: Any) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.run(statement, **values).fetchone()
        return row

    def all(self, statement: str, /, **values: Any) -> list[sqlite3.Row]:
        return self.run(statement, **values).fetchall()

    def pairs(self, statement: str, /, **values: Any) -> dict[Any, Any]:
        """The first column to the second, of all rows."""
        return {row[0]: row[1] for row in self.run(statement, **values)}

    def value(self, statement: str, /, **values: Any) -> Any:
        """The first column of the first row, or None."""
        row = self.one(statement, **values)
        return None if row is None else row[0]


def as_json(value: Any) -> str:
    """Dataclasses and enumerations as their content."""
    return msgspec.json.encode(value).decode()


def from_json(text: str) -> Any:
    return msgspec.json.decode(text)


def ids_json(ids: Sequence[int]) -> str:
    return "[" + ",".join(map(str, ids)) + "]"
