"""SQLite's errors, told to people."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gradeq.errors import StoreError

_ADVICE = {
    sqlite3.SQLITE_FULL: "the disk is full; nothing was changed. Free some space and try again",
    sqlite3.SQLITE_READONLY: (
        "the database or its folder is read-only; nothing was changed. "
        "Give this user the right to write there, or choose another file with --db"
    ),
    sqlite3.SQLITE_CORRUPT: (
        "the file is damaged; gradeq stopped before touching it. Keep a copy of it, then restore "
        "the last backup (see 'gradeq backup')"
    ),
    sqlite3.SQLITE_NOTADB: "the file is not a gradeq database; gradeq left it as it is",
    sqlite3.SQLITE_CANTOPEN: (
        "the file cannot be opened; check that its folder exists and may be written"
    ),
    sqlite3.SQLITE_BUSY: (
        "another program holds the database; nothing was changed. Close that program "
        "(a database browser, a backup or sync tool) and try again"
    ),
    sqlite3.SQLITE_IOERR: (
        "the disk answered with an error; nothing was changed. Check the disk, and that the "
        "file does not lie on a network or cloud-synced folder"
    ),
}


def store_error(error: sqlite3.Error, path: Path | str) -> StoreError:
    """A StoreError that says what happened and what to do."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    advice = _ADVICE.get(code, f"the database refused the change ({error}); nothing was changed")
    return StoreError(f"{path}: {advice}")
