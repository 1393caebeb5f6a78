"""One transaction as the operations see it: named statements on one connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec


class Tx:
    """Runs statements by name. Lives on the thread of its connection, for one transaction."""

    def __init__(self, conn: sqlite3.Connection, queries: Mapping[str, str], now: int) -> None:
        self.conn = conn
        self.queries = queries
        self.now = now

    def run(self, statement: str, /, **values: Any) -> sqlite3.Cursor:
        return self._execute(self.queries[statement], values)

    def _execute(self, sql: str, values: Mapping[str, Any]) -> sqlite3.Cursor:
        try:
            return self.conn.execute(sql, values)
        except UnicodeEncodeError:
            return self.conn.execute(sql, _storable(values))

    def many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Once per row of positional parameters."""
        self.conn.executemany(self.queries[statement], rows)

    def one(self, statement: str, /, **values: Any) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.run(statement, **values).fetchone()
        return row

    def all(self, statement: str, /, **values: Any) -> list[sqlite3.Row]:
        return self.run(statement, **values).fetchall()

    def ids(self, statement: str, /, **values: Any) -> list[int]:
        """The only column of all rows, in their order.

        Fetched in one step: after each row a thread may have to wait for the interpreter's lock,
        and thousands of such waits add up to seconds while papers are graded.
        """
        sql = f"SELECT json_group_array(id) FROM ({self.queries[statement]}\n)"  # noqa: S608
        return msgspec.json.decode(self._execute(sql, values).fetchone()[0], type=list[int])

    def pairs(self, statement: str, /, **values: Any) -> dict[Any, Any]:
        """The first column to the second, of all rows."""
        return {row[0]: row[1] for row in self.run(statement, **values)}

    def value(self, statement: str, /, **values: Any) -> Any:
        """The first column of the first row, or None."""
        row = self.one(statement, **values)
        return None if row is None else row[0]

    @contextmanager
    def piece(self) -> Iterator[None]:
        """What happens inside is undone as a whole if it raises; what went before is kept."""
        self.conn.execute("SAVEPOINT inner_piece")
        try:
            yield
        except Exception:
            # On some errors SQLite itself has undone the whole transaction.
            if self.conn.in_transaction:
                self.conn.execute("ROLLBACK TO inner_piece")
            raise
        finally:
            if self.conn.in_transaction:
                self.conn.execute("RELEASE inner_piece")


def tell(
    tx: Tx,
    kind: str,
    *,
    assignment_id: int | None = None,
    batch_id: int | None = None,
    submission_id: int | None = None,
) -> None:
    """An event that no trigger writes."""
    tx.run(
        "event_insert",
        now=tx.now,
        kind=kind,
        assignment_id=assignment_id,
        batch_id=batch_id,
        submission_id=submission_id,
    )


def _storable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Half a surrogate pair, as a wrong decoding leaves it, is no character: U+FFFD."""
    return {
        name: value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if isinstance(value, str)
        else value
        for name, value in values.items()
    }


def as_json(value: Any) -> str:
    """Dataclasses and enumerations as their content."""
    return msgspec.json.encode(value).decode()


def from_json(text: str) -> Any:
    return msgspec.json.decode(text)


def ids_json(ids: Sequence[int]) -> str:
    return "[" + ",".join(map(str, ids)) + "]"
