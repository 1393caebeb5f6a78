"""The state machines of the conformance suite, run on SQLite."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, settings

from gradeq.clock import ManualClock
from gradeq.store.base import Store
from gradeq.store.sqlite import SqliteStore

from .conformance.machine import StoreMachine
from .conformance.money_machine import MoneyMachine
from .conformance.night_machine import NightMachine
from .opening import quick_folder


class OnSqlite:
    """How its store is made and killed; the machine stands behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = ExitStack()
        self.folder = self.kept.enter_context(quick_folder())

    def make(self, clock: ManualClock) -> SqliteStore:
        return SqliteStore(self.folder / "grades.db", clock=clock, pause_after=2)

    def kill(self, store: Store) -> None:
        """The operating system frees a killed process's lock; its connection says nothing more."""
        assert isinstance(store, SqliteStore)
        store._lock.release()

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            self.kept.close()


class SqliteMachine(OnSqlite, StoreMachine):
    """Everything that a store can be asked."""


class SqliteMoneyMachine(OnSqlite, MoneyMachine):
    """Caps and reservations."""


class SqliteNights(OnSqlite, NightMachine):
    """Provider's batches, with crashes between."""


_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


class TestAnyOrder(SqliteMachine.TestCase):
    settings = settings(_PATIENT, max_examples=12, stateful_step_count=40)


class TestMoneyInAnyOrder(SqliteMoneyMachine.TestCase):
    settings = settings(_PATIENT, max_examples=10, stateful_step_count=40)


class TestNightsInAnyOrder(SqliteNights.TestCase):
    settings = settings(_PATIENT, max_examples=10, stateful_step_count=40)


@pytest.mark.slow
@pytest.mark.timeout(900)
class TestAnyOrderForLonger(SqliteMachine.TestCase):
    settings = settings(_PATIENT, max_examples=50, stateful_step_count=60)


@pytest.mark.slow
@pytest.mark.timeout(900)
class TestMoneyInAnyOrderForLonger(SqliteMoneyMachine.TestCase):
    settings = settings(_PATIENT, max_examples=50, stateful_step_count=60)


@pytest.mark.slow
@pytest.mark.timeout(900)
class TestNightsInAnyOrderForLonger(SqliteNights.TestCase):
    settings = settings(_PATIENT, max_examples=50, stateful_step_count=60)
