"""Opening stores, and being refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from gradeq.errors import StoreError
from gradeq.store.sqlite import SqliteStore

Opener = Callable[..., Awaitable[SqliteStore]]

# A killed process loses nothing that the system has taken: what is not about disks need not wait
# for one.
_MEMORY = Path("/dev/shm")


@contextmanager
def quick_folder() -> Iterator[Path]:
    """An empty folder, in memory where the system has such a place."""
    with TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@asynccontextmanager
async def refused(text: str, kind: type[StoreError] = StoreError) -> AsyncIterator[None]:
    """Something raises a StoreError that says this; nothing else is left behind."""
    with pytest.raises(kind, match=text):
        yield


async def sound(store: SqliteStore) -> None:
    assert await store.check() == []
