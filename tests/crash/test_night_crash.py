"""Processes killed while a provider's batch is posted and collected: no paper is paid for twice."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from crash_kit import check
from night_process import FastNight

from gradeq.providers.simulated import Simulator, SimulatorSettings

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("night_process.py")
PAPERS = 17


@dataclass
class Nights:
    """The lives of one night's process, before a provider that outlives them."""

    folder: Path
    sim: Simulator
    began: float
    lives: list[int] = field(default_factory=list)

    @property
    def database(self) -> Path:
        return self.folder / "g.db"

    async def live(self, point: str = "never", *, kill_after: float | None = None) -> int:
        """One life; its exit code."""
        numbers = (str(one) for one in (self.database, self.sim.url, self.began, PAPERS, point))
        with (self.folder / "stderr.txt").open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable, SCRIPT, *numbers, stderr=stderr
            )
        try:
            async with asyncio.timeout(50 if kill_after is None else kill_after):
                return await process.wait()
        except TimeoutError:
            return -9
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def to_its_end(self) -> None:
        assert await self.live() == 0, (self.folder / "stderr.txt").read_text()

    def rows(self, sql: str) -> list[Any]:
        uri = f"{self.database.as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as conn:
            return conn.execute(sql).fetchall()

    async def audit(self) -> None:
        """Every paper has one grade, from one answer that was paid for once."""
        stats = self.sim.stats
        assert stats.requests == 0, "nothing was called live"
        assert len(stats.batch_answers_per_paper) == PAPERS
        assert set(stats.batch_answers_per_paper.values()) == {1}
        assert stats.batches == 1
        assert self.rows("SELECT count(*), count(DISTINCT submission_id) FROM grades") == [
            (PAPERS, PAPERS)
        ]
        assert self.rows("SELECT DISTINCT state FROM jobs") == [("completed",)]
        assert self.rows("SELECT count(*) FROM attempts WHERE answer_use = 'applied'") == [
            (PAPERS,)
        ]
        assert self.rows("SELECT sum(requests) FROM batches") == [(PAPERS,)]
        assert await check(self.database) == []


@pytest.fixture
async def nights(tmp_path: Path) -> Any:
    began = time.time()
    clock = FastNight(began)
    async with Simulator(SimulatorSettings(batch_seconds=60.0), clock=clock) as sim:
        yield Nights(tmp_path, sim, began)


@pytest.mark.parametrize(
    ("point", "left"),
    [
        ("intended", {("intended", PAPERS)}),
        ("sent", {("intended", PAPERS)}),
        ("collected", {("posted", PAPERS - 10)}),
        ("settled", {("posted", PAPERS - 5)}),
    ],
)
async def test_a_kill_at_the_worst_moments(
    nights: Nights, point: str, left: set[tuple[str, int]]
) -> None:
    assert await nights.live(point) != 0
    found = nights.rows(
        "SELECT p.state, count(i.job_id) FROM provider_batches p"
        " JOIN provider_batch_items i ON i.provider_batch_id = p.id GROUP BY p.id"
    )
    assert set(found) == left
    await nights.to_its_end()
    await nights.audit()


async def test_killed_twice_while_it_looks_for_what_it_posted(nights: Nights) -> None:
    assert await nights.live("sent") != 0
    assert await nights.live(kill_after=1.0) == -9
    assert await nights.live("collected") != 0
    await nights.to_its_end()
    await nights.audit()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_kills_at_any_moment(nights: Nights, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(8):
        await nights.live(kill_after=rng.uniform(0.5, 2.5))
    await nights.to_its_end()
    await nights.audit()
