"""A folder to be in, and a simulated provider."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_kit import KEYS, School, simulated


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands are typed in an empty folder, without keys."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def school(here: Path) -> Iterator[School]:
    with simulated() as simulator:
        yield School(simulator, here)
