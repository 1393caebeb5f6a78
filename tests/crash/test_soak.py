"""An engine that is opened and stopped again and again, and one that runs under every trouble."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import pytest
from crash_kit import check

from gradeq import Engine, Grade, GradeqError, Job, NewSubmission, ProviderSettings
from gradeq.providers.simulated import Simulator, SimulatorSettings

pytestmark = pytest.mark.slow

RUBRIC = """
[[criteria]]
id = "claim"
description = "Is there a clear position?"
points = 2

[[criteria]]
id = "evidence"
description = "Is it supported with evidence?"
points = 3
"""
FAULTS = (
    "429:0.005,500:0.02,502:0.01,504:0.01,529:0.5@10-14,503:0.002,loading:0.5@25-27,"
    "drop:0.02,drop_body:0.02,html:0.01,garbage:0.02,schema:0.01,refusal:0.02,cut:0.02,hang:0.003"
)
WAL_BOUND = 64 * 1024 * 1024


async def test_thirty_starts_and_stops_count_nothing_and_lose_nothing(tmp_path: Path) -> None:
    rng = random.Random(4)
    graded: list[str] = []

    def an_engine() -> Engine:
        engine = Engine(tmp_path / "g.db", grace_seconds=0.0)

        @engine.grader("slow", concurrency=20)
        async def slow(job: Job) -> Grade:
            await asyncio.sleep(0.01)
            assert job.submission is not None
            graded.append(job.submission.external_id)
            return Grade(1, 1)

        return engine

    for life in range(30):
        async with an_engine() as engine:
            papers = [NewSubmission(f"s{life}-{n}", "text") for n in range(20)]
            await engine.submit(papers, grader="slow")
            for _ in range(rng.randrange(12)):
                await engine.store.last_event()
    async with an_engine() as engine:
        await engine.run()
        assert await engine.store.check() == []
        assert (await engine.badges("default", "default")).graded == 600
        jobs = [
            job
            for batch in await engine.store.batches(limit=100)
            for job in await engine.store.jobs(batch_id=batch.id)
        ]
    counted = {(job.state, job.attempts, job.snoozes, job.interruptions) for job in jobs}
    assert counted == {("completed", 0, 0, 0)}
    assert len(set(graded)) == 600


class Soak:
    """A teacher who never rests: papers come, and everything that can be done to them is done."""

    def __init__(self, engine: Engine, rubric_id: int, seed: int) -> None:
        self._engine = engine
        self._rubric_id = rubric_id
        self._rng = random.Random(seed)
        self._batches: list[int] = []
        self._papers: list[int] = []
        self.done: dict[str, int] = {}

    async def go_on(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        number = 0
        while time.monotonic() < end:
            number += 1
            await self._hand_in(number)
            await self._do_something()
            await asyncio.sleep(0.1)
        for batch_id in self._batches:
            await self._engine.resume(batch_id)

    async def _hand_in(self, number: int) -> None:
        text = f"Schools should start later. A study of {number} pupils found that sleep helps. "
        papers = [
            NewSubmission(f"p{number}-{n}", text * self._rng.randint(1, 20) + str(n))
            for n in range(self._rng.randint(1, 6))
        ]
        batch = await self._engine.submit(
            papers,
            rubric_id=self._rubric_id,
            owner=self._rng.choice(["Ada", "Grace", "Emmy"]),
            priority=self._rng.randint(1, 10),
        )
        self._batches.append(batch.id)
        jobs = await self._engine.store.jobs(batch_id=batch.id)
        self._papers += [job.submission_id for job in jobs if job.submission_id is not None]

    async def _do_something(self) -> None:
        engine, paper = self._engine, [self._rng.choice(self._papers)]
        batch = self._rng.choice(self._batches)
        deeds: dict[str, Any] = {
            "pause": lambda: engine.pause(batch, by="Ada"),
            "resume": lambda: engine.resume(batch),
            "cancel": lambda: engine.cancel(batch),
            "retry": lambda: engine.retry(batch),
            "archive": lambda: engine.archive(paper),
            "unarchive": lambda: engine.unarchive(paper),
            "again": lambda: engine.submit(paper, rubric_id=self._rubric_id),
            "edit": lambda: engine.edit_grade(paper[0], Grade(4, 5), by="Ada"),
            "release": lambda: engine.release(paper, by="Ada"),
            "check": engine.store.check,
        }
        name = self._rng.choice(list(deeds))
        try:
            found = await deeds[name]()
        except GradeqError:
            return
        assert name != "check" or found == [], found
        self.done[name] = self.done.get(name, 0) + 1


@pytest.mark.timeout(200)
async def test_a_minute_of_every_trouble(tmp_path: Path) -> None:
    settings = SimulatorSettings(
        requests_per_minute=12_000, latency="0.05~0.5", fail=FAULTS, retry_after_seconds=0.2, seed=7
    )
    async with Simulator(settings) as sim:
        provider = ProviderSettings(
            "school", "simulated", "m", base_url=sim.url, concurrency=30, timeout_seconds=2.0
        )
        async with Engine(tmp_path / "g.db", providers=[provider]) as engine:
            tasks = len(asyncio.all_tasks())
            soak = Soak(engine, await engine.rubrics.put(RUBRIC, "soak.toml"), seed=7)
            await soak.go_on(60)
            sim.change(fail="")
            async with asyncio.timeout(100):
                await engine.run()
            assert len(asyncio.all_tasks()) <= tasks + 2, "tasks are left over"
            assert (tmp_path / "g.db-wal").stat().st_size <= WAL_BOUND
            await audit(engine)
    assert await check(tmp_path / "g.db") == []
    assert sim.stats.failures.keys() >= {"429", "500", "529", "drop", "garbage", "hang", "cut"}
    assert soak.done.keys() == {
        "pause", "resume", "cancel", "retry", "archive", "unarchive", "again", "edit", "release",
        "check",
    }  # fmt: skip


async def audit(engine: Engine) -> None:
    """Every paper is graded, or says why it is not."""
    totals = await engine.store.totals()
    assert (totals.pending, totals.processing) == (0, 0)
    for batch in await engine.store.batches(limit=100_000):
        for job in await engine.store.jobs(batch_id=batch.id, limit=1000):
            assert job.submission_id is not None
            (row,) = await engine.store.results([job.submission_id])
            if job.state == "failed":
                assert job.error, job.id
                assert job.reason, job.id
            if job.state == "completed":
                assert row.grade is not None, job.id
            if row.submission.status in ("graded", "released"):
                assert row.grade is not None, row.submission.id
