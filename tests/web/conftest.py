from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from web_kit import Desk, Service, make_engine, serving


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def service(tmp_path: Path, desk: Desk) -> AsyncIterator[Service]:
    """Grades with the simulated provider ("llm"), or as the test says ("desk")."""
    async with serving(make_engine(tmp_path, desk)) as running:
        yield running


@pytest.fixture
async def resting(tmp_path: Path, desk: Desk) -> AsyncIterator[Service]:
    """Takes work in and does none of it."""
    async with serving(make_engine(tmp_path, desk, work=False)) as running:
        yield running
