"""What every test may ask for: a clock that is turned by hand, and a store in a real file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from gradeq.clock import ManualClock
from gradeq.store.sqlite import SqliteStore

# A busy machine is no failure: speed is measured in bench/, never asserted here.
settings.register_profile("gradeq", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gradeq")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[SqliteStore]:
    """Open, empty, in a file of its own, on the manual `clock`."""
    opened = SqliteStore(tmp_path / "grades.db", clock=clock)
    await opened.open()
    yield opened
    await opened.close()
