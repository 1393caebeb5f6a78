"""What every test may ask for: a clock that is turned by hand, and a store in a real file."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

from gradeq.clock import ManualClock
from gradeq.store.sqlite import SqliteStore

OFFICIAL = "tests/simulated/"
"""Tests with the providers' own clients: each process that runs one loads them for seconds."""

# Tests start many processes: where none may keep what it compiled, each compiles everything.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A busy machine is no failure: speed is measured in bench/, never asserted here.
settings.register_profile("gradeq", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gradeq")


class ByFile(LoadFileScheduling):
    """A file's tests share a process, for they share fixtures, and so do those in OFFICIAL."""

    def _split_scope(self, nodeid: str) -> str:
        return OFFICIAL if nodeid.startswith(OFFICIAL) else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: tests wait for processes, sockets and disks."""
    return (os.cpu_count() or 1) + 1


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
