"""What keeps a database well."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradeq.store.sqlite.faults import store_error
from gradeq.store.sqlite.tx import Tx


def pools(tx: Tx) -> dict[str, Mapping[str, Any]]:
    return {row["pool"]: json.loads(row["state"]) for row in tx.all("pools_all")}


def readings(tx: Tx) -> dict[str, Mapping[str, Any]]:
    return {row["pool"]: json.loads(row["reading"]) for row in tx.all("readings_all")}


def secret(tx: Tx) -> bytes:
    tx.run("meta_put", key="secret", value=secrets.token_hex(32))
    return bytes.fromhex(tx.value("meta_get", key="secret"))


def checkpoint(conn: sqlite3.Connection) -> bool:
    """Copy the log into the database and empty it, without waiting for anybody.

    False where some other program reads: then part of the log is copied, and it stays.
    """
    timeout = conn.execute("PRAGMA busy_timeout").fetchone()[0]
    conn.execute("PRAGMA busy_timeout = 0")
    try:
        is_busy = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError:
        # A locked table: another program checkpoints just now.
        return False
    finally:
        conn.execute(f"PRAGMA busy_timeout = {timeout}")
    return not is_busy


def vacuum_into(conn: sqlite3.Connection, target: Path) -> None:
    """Copy into a file beside `target`, then rename: a backup is whole or not there."""
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    try:
        conn.execute("PRAGMA query_only = OFF")
        conn.execute("VACUUM INTO ?", (str(part),))
        os.replace(part, target)
    except sqlite3.Error as error:
        raise store_error(error, target) from error
    finally:
        conn.execute("PRAGMA query_only = ON")
        part.unlink(missing_ok=True)
