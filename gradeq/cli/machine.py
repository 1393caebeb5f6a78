"""What `gradeq doctor` looks at on the machine: versions, and the place of the database."""

from __future__ import annotations

import asyncio
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gradeq import __version__
from gradeq.cli.findings import Finding, ok, problem, warning
from gradeq.cli.stores import reading
from gradeq.errors import StoreError
from gradeq.store.sqlite.connect import library_version
from gradeq.store.sqlite.lock import current_holder

_LIBRARIES = ("aiosqlite", "click", "httpx", "msgspec", "rich", "starlette", "uvicorn")
_SAFE_SQLITE = (3, 51, 3)
_OLDEST_SQLITE = (3, 38, 0)
_LITTLE_SPACE = 1_000_000_000
_NO_SPACE = 100_000_000
_LARGE_WAL = 64 * 1024 * 1024
_SYNCED = re.compile(
    r"dropbox|onedrive|google ?drive|my drive|icloud|mobile documents|cloudstorage|nextcloud",
    re.IGNORECASE,
)
_NETWORK = re.compile(r"nfs\d?|cifs|smb\w*|9p|afpfs|ncpfs|davfs\d?|fuse\.(sshfs|rclone|davfs)")
_MOUNTS = Path("/proc/mounts")


def versions() -> Iterator[Finding]:
    """Python, SQLite, the libraries."""
    yield ok("gradeq", f"{__version__}, Python {platform.python_version()} on {sys.platform}")
    yield _sqlite(library_version())
    missing = [name for name in _LIBRARIES if _version(name) is None]
    if missing:
        yield problem("libraries", f"{', '.join(missing)} missing: install gradeq again with pip")
    else:
        yield ok("libraries", ", ".join(f"{name} {_version(name)}" for name in _LIBRARIES))


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _sqlite(found: tuple[int, ...]) -> Finding:
    told = ".".join(map(str, found))
    if found < _OLDEST_SQLITE:
        return problem("SQLite", f"{told} is too old: gradeq needs 3.38 or newer")
    if found < _SAFE_SQLITE:
        return warning(
            "SQLite",
            f"{told}: before 3.51.3 a database can be damaged when two programs write it at the "
            "same instant. gradeq itself never does that: do not write its database with another "
            "program while it runs",
        )
    return ok("SQLite", told)


def place(database: Path) -> Iterator[Finding]:
    """Where the database lies, and who works on it."""
    folder = database.resolve().parent
    if not folder.is_dir():
        yield problem("database", f"the folder {folder} does not exist: create it first")
        return
    yield _state(database)
    if not os.access(folder, os.W_OK):
        yield problem("folder", f"{folder} may not be written by this user")
    yield from _risky_place(folder)
    yield _space(folder)
    yield from _wal(database)
    yield _writer(database)


def _state(database: Path) -> Finding:
    if not database.exists():
        return ok(
            "database", f"{database} does not exist yet; the first command that needs it makes it"
        )
    try:
        asyncio.run(_open(database))
    except StoreError as error:
        return problem("database", str(error))
    return ok("database", f"{database} ({database.stat().st_size / 1e6:,.1f} MB)")


async def _open(database: Path) -> None:
    async with reading(database):
        pass


def _risky_place(folder: Path) -> Iterator[Finding]:
    if synced := _SYNCED.search(str(folder)):
        yield warning(
            "folder",
            f"{folder} looks like a folder that is synced ({synced[0]}): syncing an open database "
            "can damage it. Keep it elsewhere, and copy it with gradeq backup",
        )
    kind = filesystem_of(folder)
    if str(folder).startswith("\\\\") or (kind is not None and _NETWORK.fullmatch(kind)):
        yield warning(
            "folder",
            f"{folder} is on a network drive ({kind or 'UNC path'}): SQLite's locks do not hold "
            "there. Keep the database on a disk of this machine",
        )


def filesystem_of(folder: Path, mounts: Path = _MOUNTS) -> str | None:
    """The kind of file system that `folder` is on, where the system tells (Linux)."""
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines]
    points = {_unescaped(parts[1]): parts[2] for parts in found if len(parts) > 2}
    return next((points[str(one)] for one in (folder, *folder.parents) if str(one) in points), None)


def _unescaped(mount: str) -> str:
    return re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), mount)


def _space(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    told = f"{free / 1e9:,.1f} GB free"
    if free < _NO_SPACE:
        return problem("disk", f"{told}: make room before grading")
    return warning("disk", f"{told}: that is little") if free < _LITTLE_SPACE else ok("disk", told)


def _wal(database: Path) -> Iterator[Finding]:
    wal = database.with_name(database.name + "-wal")
    size = wal.stat().st_size if wal.exists() else 0
    if size > _LARGE_WAL:
        yield warning(
            "write-ahead log",
            f"{wal} has {size / 1e6:,.0f} MB: some program reads the database without end and "
            "keeps it from being cleared. Close database browsers",
        )


def _writer(database: Path) -> Finding:
    holder = current_holder(database)
    if holder is None:
        return ok("in use", "no gradeq is working on this database")
    where = f", listening at {holder.url}" if holder.url else ""
    return ok("in use", f"process {holder.pid} is working on it{where}")
