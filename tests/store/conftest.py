from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .mounts import Mount, mounted

pytest.register_assert_rewrite(f"{__package__}.conformance")


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """A disk of 1 MB; skips where it cannot be had."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    with mounted(folder) as small:
        yield small
