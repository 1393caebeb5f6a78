"""Processes killed in mid-call under a cap: what they may have paid for counts."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import pytest
from crash_kit import check

from gradeq.providers.simulated import Simulator, SimulatorSettings
from gradeq.store.rows import BatchRow
from gradeq.store.sqlite import SqliteStore

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("spending_process.py")
CAP, PAPERS, CONCURRENCY = 14.0, 120, 2


def paid(sim: Simulator) -> float:
    """What the provider would bill: it goes on writing for clients that are gone."""
    stats = sim.stats
    written, read = stats.cache_creation_tokens, stats.cache_read_tokens
    input_tokens = stats.input_tokens - written + 1.25 * written + 0.1 * read
    return (100.0 * input_tokens + 500.0 * stats.output_tokens) / 1e6


async def start(database: Path, sim: Simulator, cap: float) -> asyncio.subprocess.Process:
    words = (str(one) for one in (database, sim.url, cap, PAPERS, CONCURRENCY))
    return await asyncio.create_subprocess_exec(sys.executable, str(SCRIPT), *words)


async def die_in_mid_call(database: Path, sim: Simulator, rng: random.Random) -> None:
    process = await start(database, sim, CAP)
    wanted = sim.stats.requests + rng.randint(CONCURRENCY, 6)
    try:
        async with asyncio.timeout(30):
            while sim.stats.requests < wanted or not sim.stats.in_flight:
                assert process.returncode is None, "there was too little to do"
                await asyncio.sleep(0.002)
    finally:
        process.kill()
        await process.wait()


async def live(database: Path, sim: Simulator) -> None:
    process = await start(database, sim, CAP)
    async with asyncio.timeout(40):
        assert await process.wait() == 0


async def batch_of(database: Path) -> BatchRow:
    store = SqliteStore(database, read_only=True)
    await store.open()
    try:
        [batch] = await store.batches()
        return batch
    finally:
        await store.close()


async def test_kills_under_a_cap(tmp_path: Path) -> None:
    database = tmp_path / "g.db"
    rng = random.Random(1)
    async with Simulator(SimulatorSettings(latency="0.01-0.05", seed=1)) as sim:
        for _ in range(3):
            await die_in_mid_call(database, sim, rng)
        await live(database, sim)
        batch = await batch_of(database)
        assert await check(database) == []
        assert sim.stats.abandoned > 0
        assert batch.paused_by == "gradeq"
        assert "cost cap of 14.00 USD reached" in (batch.pause_reason or "")
        assert batch.reserved_cost == 0
        assert 0 < batch.completed < PAPERS
        assert batch.cost < paid(sim) <= batch.cost + batch.uncertain_cost <= CAP
