"""Overnight through the simulated provider's batch APIs, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from engine_kit import states
from night_kit import HOUR, Night, NightClock, SameTime, real_night
from school import essays

from gradeq.providers.simulated import Simulator, SimulatorSettings

# Whole nights, step by step: beside other tests on few cores they run out of time.
pytestmark = pytest.mark.slow

Open = Callable[..., AbstractAsyncContextManager[Night]]
PRICES = {"price_input": 2.0, "price_output": 10.0}


@pytest.fixture
def clock() -> NightClock:
    return NightClock()


@pytest.fixture
async def sim(clock: NightClock) -> AsyncIterator[Simulator]:
    """Works a batch off in two hours."""
    async with Simulator(SimulatorSettings(batch_seconds=2 * HOUR), clock=SameTime(clock)) as made:
        yield made


@pytest.fixture(params=["simulated", "openai"])
def open_night(
    request: pytest.FixtureRequest, tmp_path: Path, clock: NightClock, sim: Simulator
) -> Open:
    dialect = {"kind": request.param, "api_key_env": "SCHOOL_KEY", **PRICES}
    if request.param == "openai":
        dialect["batch_api"] = True

    def opened(**options: Any) -> AbstractAsyncContextManager[Night]:
        given = {"provider": dialect, "environ": {"SCHOOL_KEY": "of-the-school"}, **options}
        return real_night(tmp_path / "g.db", clock, sim, **given)

    return opened


async def test_a_class_is_graded_at_half_the_price(open_night: Open, sim: Simulator) -> None:
    async with open_night() as night:
        batch = await night.submit(essays(12))
        await night.until_over(batch.id)
        row = await night.engine.store.batch(batch.id)
        assert row is not None
        assert (row.completed, row.requests) == (12, 12)
        live_price = (2.0 * row.input_tokens + 10.0 * row.output_tokens) / 1e6
        assert row.cost == pytest.approx(live_price / 2)
        assert sim.stats.requests == 0
        assert set(night.answers_per_paper().values()) == {1}
        assert (sim.stats.batches, sim.stats.batch_entries) == (1, 12)
        assert 1.9 <= await night.hour_of("job.completed") <= 2.4
        assert await night.engine.store.check() == []


async def test_how_far_it_is_is_told(open_night: Open) -> None:
    async with open_night() as night:
        batch = await night.submit(essays(10))
        await night.passes(1.5 * HOUR)
        row = await night.engine.store.batch(batch.id)
        assert row is not None
        assert row.posted == 10
        # Anthropic's API counts only when a batch has ended.
        assert row.answered == 0 or 5 <= row.answered <= 8


async def test_when_the_night_is_over_the_rest_goes_live(open_night: Open, sim: Simulator) -> None:
    sim.change(batch_seconds=40 * HOUR)
    async with open_night() as night:
        batch = await night.submit(essays(8))
        await night.passes(19.8 * HOUR, step=300)
        assert sim.stats.requests == 0
        await night.until_over(batch.id)
        assert await states(night.engine, batch.id) == {"completed": 8}
        answers = night.answers_per_paper()
        assert (len(answers), set(answers.values())) == (8, {1})
        assert 3 <= sim.stats.requests <= 5


async def test_faulty_entries_go_by_the_table(open_night: Open, sim: Simulator) -> None:
    faults = "500:0.2,529:0.1,garbage:0.2,hang:0.1,refusal:0.1,drop_body:0.1"
    sim.change(batch_seconds=0.2 * HOUR, batch_fail=faults)
    async with open_night() as night:
        batch = await night.submit(essays(40))
        await night.passes(2 * HOUR, step=60)
        sim.change(batch_fail="")
        await night.until_over(batch.id)
        counts = await states(night.engine, batch.id)
        assert sum(counts.values()) == 40
        assert counts["completed"] >= 30
        assert sim.stats.batches > 1
        assert sim.stats.requests == 0
        assert await night.engine.store.check() == []


async def test_cancelling_saves_what_was_not_asked_yet(open_night: Open, sim: Simulator) -> None:
    async with open_night() as night:
        batch = await night.submit(essays(10))
        await night.passes(HOUR)
        await night.engine.cancel(batch.id)
        await night.until_open(0)
        paid = sum(night.answers_per_paper().values())
        assert 2 <= paid <= 8
        uses = [
            one.answer_use
            for job in await night.school.jobs(batch.id)
            for one in await night.engine.store.attempts(job.id)
        ]
        assert uses == ["salvage"] * paid

        ids = [await night.school.id_of(f"e{n}") for n in range(1, 11)]
        again = await night.submit(ids)
        await night.until_over(again.id)
        assert await states(night.engine, again.id) == {"completed": 10}
        assert set(night.answers_per_paper().values()) == {1}


async def test_another_process_goes_on(open_night: Open, sim: Simulator) -> None:
    async with open_night() as night:
        batch = await night.submit(essays(5))
        await night.passes(600)
    async with open_night() as night:
        await night.until_over(batch.id)
        assert await states(night.engine, batch.id) == {"completed": 5}
        assert (sim.stats.batches, sim.stats.requests) == (1, 0)


async def test_a_cap_holds_overnight_too(open_night: Open, sim: Simulator) -> None:
    """Only what the cap has money for is posted; what was kept in vain pays for the next ones."""
    cap = 0.025
    async with open_night() as night:
        batch = await night.submit(essays(14), cost_cap=cap)
        assert "cost cap" in await night.until_paused(batch.id)
        row = await night.engine.store.batch(batch.id)
        assert row is not None
        assert 0 < row.cost <= cap
        assert (row.uncertain_cost, row.reserved_cost) == (0, 0)
        assert 0 < row.completed == sim.stats.batch_entries < 14
        assert sim.stats.batches > 1
        assert sim.stats.requests == 0
        await night.engine.set_cost_cap(batch.id, 10.0)
        await night.engine.resume(batch.id)
        await night.until_over(batch.id)
        assert set(night.answers_per_paper().values()) == {1}
        assert await night.engine.store.check() == []
