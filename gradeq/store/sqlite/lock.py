"""One writing process per database: a lock file beside it, held as long as the process lives.

The lock is the operating system's, so it goes with a killed process. The database file itself is
never opened here: closing it would drop SQLite's own POSIX locks (see "How To Corrupt An SQLite
Database File", section 2.2).
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from gradeq.errors import StoreError, StoreLockedError
from gradeq.oslock import try_lock


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that writes a database. `url` is where it listens, if it does.

    `key` lets commands of the same user in there. Only that user can read the file.
    """

    pid: int | None = None
    url: str | None = None
    key: str | None = field(default=None, repr=False)


class ProcessLock:
    """Held from `acquire` to `release` or the end of the process."""

    def __init__(self, database: Path) -> None:
        self.path = lock_path(database)
        self._database = database
        self._fd: int | None = None

    def acquire(self) -> None:
        """Raises StoreLockedError, with who holds it, where another process does."""
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(
                f"{self.path}: cannot write beside the database ({error.strerror}); nothing was "
                "changed. Check that the folder exists and may be written, or choose another "
                "file with --db"
            ) from error
        try:
            try_lock(fd)
        except OSError as error:
            os.close(fd)
            raise self._locked() from error
        self._fd = fd
        self.announce(None)

    def announce(self, url: str | None, key: str | None = None) -> None:
        """Let other processes know where this one listens, and whose key it takes."""
        if self._fd is None:
            return
        told = json.dumps({"pid": os.getpid(), "url": url, "key": key}).encode()
        # Only a hint: on a full disk the lock holds without it.
        with contextlib.suppress(OSError):
            os.lseek(self._fd, 0, os.SEEK_SET)
            os.ftruncate(self._fd, 0)
            os.write(self._fd, told)

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _locked(self) -> StoreLockedError:
        holder = read_holder(self._database)
        who = f"process {holder.pid}" if holder.pid else "another process"
        where = f", listening at {holder.url}" if holder.url else ""
        return StoreLockedError(
            f"{self._database}: {who} is writing this database{where}; nothing was changed. "
            "Wait until it ends, stop it, or use another file with --db",
            pid=holder.pid,
            url=holder.url,
        )


def lock_path(database: Path) -> Path:
    real = Path(os.path.realpath(database))
    return real.with_name(real.name + ".lock")


def read_holder(database: Path) -> Holder:
    """Who last said that it holds the lock; it may be gone since."""
    try:
        told = json.loads(lock_path(database).read_text("utf-8"))
        return Holder(told.get("pid"), told.get("url"), told.get("key"))
    except (OSError, ValueError, AttributeError):
        return Holder()


def current_holder(database: Path) -> Holder | None:
    """Who holds the lock at this moment; None where nobody does."""
    try:
        fd = os.open(lock_path(database), os.O_RDWR)
    except FileNotFoundError:
        return None
    except OSError:
        return read_holder(database)
    try:
        try_lock(fd)
    except OSError:
        return read_holder(database)
    finally:
        os.close(fd)
    return None
