"""The state machine of conformance.machine, run on SQLite."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings

from gradeq.clock import ManualClock
from gradeq.store.base import Store
from gradeq.store.sqlite import SqliteStore

from .conformance.machine import StoreMachine

# A killed process loses nothing that the system has taken; waiting for the disk would add nothing.
_MEMORY = Path("/dev/shm")


class SqliteMachine(StoreMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None)

    def make(self, clock: ManualClock) -> SqliteStore:
        return SqliteStore(Path(self.folder.name) / "grades.db", clock=clock, pause_after=2)

    def kill(self, store: Store) -> None:
        """The operating system frees a killed process's lock; its connection says nothing more."""
        assert isinstance(store, SqliteStore)
        store._lock.release()

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.folder.cleanup()


_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


class TestAnyOrder(SqliteMachine.TestCase):
    settings = settings(_PATIENT, max_examples=25, stateful_step_count=40)


@pytest.mark.slow
@pytest.mark.timeout(900)
class TestAnyOrderForLonger(SqliteMachine.TestCase):
    settings = settings(_PATIENT, max_examples=150, stateful_step_count=60)
