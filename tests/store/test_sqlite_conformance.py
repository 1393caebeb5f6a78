"""The conformance suites, run on SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gradeq.clock import ManualClock
from gradeq.store.base import Store
from gradeq.store.sqlite import SqliteStore

from . import conformance
from .opening import quick_folder


class SqliteMaker:
    """A StoreMaker for one file."""

    def __init__(self, path: Path, clock: ManualClock) -> None:
        self._path = path
        self._clock = clock
        self._made: list[SqliteStore] = []

    async def __call__(self, *, pause_after: int = 5) -> SqliteStore:
        store = SqliteStore(self._path, clock=self._clock, pause_after=pause_after)
        self._made.append(store)
        await store.open()
        return store

    async def kill(self, store: Store) -> None:
        """The operating system frees a killed process's lock; its connection says nothing more."""
        assert isinstance(store, SqliteStore)
        store._lock.release()

    async def close(self) -> None:
        for store in self._made:
            await store.close()


@pytest.fixture
async def make_store(clock: ManualClock) -> AsyncIterator[SqliteMaker]:
    with quick_folder() as folder:
        maker = SqliteMaker(folder / "grades.db", clock)
        yield maker
        await maker.close()


class TestArchive(conformance.ArchiveSuite): ...


class TestBadOutcome(conformance.BadOutcomeSuite): ...


class TestBatch(conformance.BatchSuite): ...


class TestCap(conformance.CapSuite): ...


class TestClaim(conformance.ClaimSuite): ...


class TestCollect(conformance.CollectSuite): ...


class TestConfiguredStreak(conformance.ConfiguredStreakSuite): ...


class TestCrashedAnswer(conformance.CrashedAnswerSuite): ...


class TestDay(conformance.DaySuite): ...


class TestEvent(conformance.EventSuite): ...


class TestGrade(conformance.GradeSuite): ...


class TestIdempotency(conformance.IdempotencySuite): ...


class TestJudged(conformance.JudgedSuite): ...


class TestLease(conformance.LeaseSuite): ...


class TestLife(conformance.LifeSuite): ...


class TestNight(conformance.NightSuite): ...


class TestNightCrash(conformance.NightCrashSuite): ...


class TestOverview(conformance.OverviewSuite): ...


class TestPaper(conformance.PaperSuite): ...


class TestPosition(conformance.PositionSuite): ...


class TestPost(conformance.PostSuite): ...


class TestReading(conformance.ReadingSuite): ...


class TestRecovery(conformance.RecoverySuite): ...


class TestRelease(conformance.ReleaseSuite): ...


class TestReview(conformance.ReviewSuite): ...


class TestWalk(conformance.WalkSuite): ...


class TestReservation(conformance.ReservationSuite): ...


class TestResult(conformance.ResultSuite): ...


class TestRetry(conformance.RetrySuite): ...


class TestSalvage(conformance.SalvageSuite): ...


class TestSettle(conformance.SettleSuite): ...


class TestStatus(conformance.StatusSuite): ...


class TestStreak(conformance.StreakSuite): ...


class TestSubmit(conformance.SubmitSuite): ...


class TestWriteOff(conformance.WriteOffSuite): ...


class TestCourse(conformance.CourseSuite): ...


class TestLink(conformance.LinkSuite): ...


class TestPass(conformance.PassSuite): ...


class TestPeople(conformance.PeopleSuite): ...
