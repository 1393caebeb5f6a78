"""Processes ended at random moments while papers are handed in, graded, edited and released."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from crash_kit import Work, audit, check

from gradeq.providers.simulated import Simulator, SimulatorSettings

pytestmark = pytest.mark.slow

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process as a kill")


async def ended_and_finished(
    work: Work, *, deaths: int, longest: float, latency: str, seed: int, soft: bool = False
) -> None:
    rng = random.Random(seed)
    settings = SimulatorSettings(latency=latency, seed=seed)
    async with Simulator(settings) as sim:
        for number in range(1, deaths + 1):
            await work.die(sim.url, rng, longest=longest, soft=soft)
            if number % 10 == 0:
                assert await check(work.database) == []
        await work.live(sim.url)
        await audit(work, sim, deaths=deaths, soft=soft)


@pytest.mark.timeout(240)
async def test_fifty_kills(tmp_path: Path) -> None:
    work = Work(tmp_path, chunks=75, size=40, concurrency=20)
    await ended_and_finished(work, deaths=50, longest=1.0, latency="0.1-0.4", seed=2)
    assert len(work.acknowledged("edit")) > 100
    assert len(work.acknowledged("release")) > 100


@pytest.mark.timeout(240)
@posix_only
async def test_thirty_soft_stops(tmp_path: Path) -> None:
    work = Work(tmp_path, chunks=50, size=40, concurrency=20)
    await ended_and_finished(work, deaths=30, longest=0.8, latency="0.1-0.4", seed=3, soft=True)
