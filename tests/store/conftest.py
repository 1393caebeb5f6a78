from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from gradeq.store.sqlite import SqliteStore

from .mounts import Mount, mounted
from .opening import Opener

pytest.register_assert_rewrite(f"{__package__}.conformance")


@pytest.fixture
async def open_store() -> AsyncIterator[Opener]:
    """Opens stores that are closed when the test is over."""
    opened: list[SqliteStore] = []

    async def open_(path: Path, **options: Any) -> SqliteStore:
        store = SqliteStore(path, **options)
        opened.append(store)
        await store.open()
        return store

    yield open_
    for store in opened:
        await store.close()


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """A disk of 1 MB; skips where it cannot be had."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    with mounted(folder) as small:
        yield small
