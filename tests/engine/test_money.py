"""Caps on cost, over the whole engine and a provider that counts what it is asked."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine_kit import SECONDS, Desk, FastClock, an_engine, papers, turns, until, until_states
from school import RUBRIC, School, Strikes, essays, school, simulator

from gradeq import ConfigError, Engine, NotFoundError, ProviderSettings
from gradeq.clock import ManualClock
from gradeq.days import day_of, next_midnight_ms
from gradeq.providers.simulated import Simulator
from gradeq.store.costs import DayRow
from gradeq.store.orders import SubmitOrder
from gradeq.store.rows import BatchRow

PRICES = {"price_input": 100.0, "price_output": 500.0}
"""A paper costs about 0.12; beforehand it could cost up to 1.5."""


def paid(sim: Simulator) -> float:
    """What the provider would bill, calls included whose answers nobody heard."""
    stats = sim.stats
    written, read = stats.cache_creation_tokens, stats.cache_read_tokens
    input_tokens = stats.input_tokens - written + 1.25 * written + 0.1 * read
    return (100.0 * input_tokens + 500.0 * stats.output_tokens) / 1e6


def priced(tmp_path: Path, sim: Simulator, **options: Any) -> Any:
    provider = {**PRICES, **options.pop("provider", {})}
    return school(tmp_path / "g.db", sim, provider=provider, **options)


async def batch_of(at: School, batch_id: int) -> BatchRow:
    batch = await at.engine.store.batch(batch_id)
    assert batch is not None
    return batch


async def until_paused(at: School, batch_id: int) -> BatchRow:
    """And nothing of it is in hand any more."""

    async def reached() -> bool:
        batch = await batch_of(at, batch_id)
        return batch.paused_at is not None and not batch.processing

    await until(at.engine, reached)
    return await batch_of(at, batch_id)


async def today(engine: Engine) -> DayRow:
    return await engine.store.day(day_of(engine.clock.now_ms()))


# A batch ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("cap", [1.0, 2.0, 5.0])
async def test_fifty_in_flight_never_overshoot_a_batch_s_cap(tmp_path, cap):
    async with (
        simulator(latency="0.01-0.05") as sim,
        priced(tmp_path, sim, provider={"concurrency": 50}) as at,
    ):
        batch_id = (await at.submit(essays(120), cost_cap=cap)).id
        batch = await until_paused(at, batch_id)
        assert batch.cost == pytest.approx(paid(sim))
        assert cap - 1.6 <= paid(sim) <= cap
        assert batch.reserved_cost == 0
        assert (batch.completed > 0) == (cap > 1.6)
        assert batch.completed + batch.pending == 120
        assert batch.paused_by == "gradeq"
        assert f"cost cap of {cap:.2f} USD reached: " in batch.pause_reason
        assert f"gradeq batch cap {batch_id} AMOUNT" in batch.pause_reason
        assert await at.engine.store.check() == []
        # Few are claimed for nothing, and no call that is not made is on record.
        jobs = await at.jobs(batch_id)
        assert sum(job.snoozes for job in jobs) < 200
        assert {(job.attempts, job.interruptions) for job in jobs} == {(0, 0)}
        assert batch.requests == sim.stats.requests == batch.completed


@pytest.mark.parametrize("concurrency", [1, 20])
async def test_most_of_a_small_cap_is_used(tmp_path, concurrency):
    """A cap of what twenty papers cost, by a rubric that is longer than they are."""
    rubric = f'instructions = "{"Read with care and be fair. " * 100}"\n{RUBRIC}'
    (before := tmp_path / "before").mkdir()
    async with simulator(latency="0.01-0.05") as sim:
        async with priced(before, sim, rubric=rubric) as at:
            await at.graded(essays(20, start=500))
            cap = paid(sim)
        provider = {"concurrency": concurrency}
        async with priced(tmp_path, sim, rubric=rubric, provider=provider) as at:
            batch_id = (await at.submit(essays(60), cost_cap=cap)).id
            batch = await until_paused(at, batch_id)
            assert batch.cost == pytest.approx(paid(sim) - cap)
            assert 0.75 * cap < batch.cost <= cap
            assert (batch.failed, batch.reserved_cost) == (0, 0)


async def test_a_higher_cap_finishes_the_batch(tmp_path):
    async with simulator() as sim, priced(tmp_path, sim) as at:
        batch_id = (await at.submit(essays(30), cost_cap=2.0)).id
        first = await until_paused(at, batch_id)
        assert 0 < first.completed < 30
        await at.engine.set_cost_cap(batch_id, 100.0)
        await turns(at.engine)
        assert (await batch_of(at, batch_id)).completed == first.completed, "until it is resumed"
        await at.engine.resume(batch_id)
        await until_states(at.engine, batch_id, completed=30)
        batch = await batch_of(at, batch_id)
        assert (batch.status, batch.cost_cap) == ("completed", 100.0)
        assert batch.cost == pytest.approx(paid(sim))
        assert sim.stats.requests == 30


async def test_resuming_without_a_higher_cap_says_so_again(tmp_path):
    async with simulator() as sim, priced(tmp_path, sim) as at:
        batch_id = (await at.submit(essays(30), cost_cap=2.0)).id
        first = await until_paused(at, batch_id)
        await at.engine.resume(batch_id)
        again = await until_paused(at, batch_id)
        assert again.pause_reason == first.pause_reason
        assert again.requests == first.requests


async def test_other_batches_go_on(tmp_path):
    async with simulator() as sim, priced(tmp_path, sim) as at:
        poor = (await at.submit(essays(30), cost_cap=2.0)).id
        rich = (await at.submit(essays(10, start=100))).id
        await until_states(at.engine, rich, completed=10)
        assert (await until_paused(at, poor)).pending > 0


async def test_the_configured_cap_is_each_batch_s_unless_it_has_its_own(tmp_path):
    async with simulator() as sim, priced(tmp_path, sim, cost_cap_per_batch=2.0) as at:
        own = await at.submit(essays(3), cost_cap=7.0)
        usual = await at.submit(essays(3, start=10))
        assert (await batch_of(at, own.id)).cost_cap == 7.0
        assert (await batch_of(at, usual.id)).cost_cap == 2.0


async def test_answers_that_cannot_be_used_are_paid_for(tmp_path):
    strikes = Strikes().told(True, True)
    async with (
        simulator(fail="garbage:0.5", rng=strikes) as sim,
        priced(tmp_path, sim, provider={"concurrency": 1}) as at,
    ):
        results = await at.graded(essays(2), cost_cap=50.0)
        assert sum(one.attempts for one in results.values()) == 4
        assert sum(one.cost for one in results.values()) == pytest.approx(paid(sim))
        for result in results.values():
            tried = await attempts(at, result.job_id)
            assert result.cost == pytest.approx(sum(one.cost for one in tried))
            assert all(one.cost > 0 for one in tried)
        assert (await batch_of(at, 1)).cost == pytest.approx(paid(sim))


async def test_calls_that_time_out_count_as_if_they_had_cost_all_they_could(tmp_path):
    """The simulated model goes on writing for nobody, as a real one may."""
    async with (
        simulator(fail="hang:0.5", seed=3) as sim,
        priced(tmp_path, sim, provider={"concurrency": 20, "timeout_seconds": 0.3}) as at,
    ):
        batch_id = (await at.submit(essays(60), cost_cap=6.0)).id
        batch = await until_paused(at, batch_id)
        assert sim.stats.abandoned > 0
        assert batch.cost < paid(sim) <= batch.cost + batch.uncertain_cost <= 6.0
        assert "uncertain (calls that ended without an answer)" in batch.pause_reason
        tried = [one for job in await at.jobs(batch_id) for one in await attempts(at, job.id)]
        lost = [one for one in tried if one.uncertain_cost]
        assert {one.error for one in lost} == {"timeout"}
        assert sum(one.uncertain_cost for one in lost) == pytest.approx(batch.uncertain_cost)


async def attempts(at: School, job_id: int) -> Any:
    return await at.engine.store.attempts(job_id)


async def test_without_a_cap_a_lost_answer_is_told_as_well(tmp_path):
    strikes = Strikes().told(True)
    async with (
        simulator(fail="drop_body:0.5", rng=strikes) as sim,
        priced(tmp_path, sim, provider={"concurrency": 1}) as at,
    ):
        batch_id = (await at.submit(essays(1))).id

        async def was_lost() -> bool:
            return bool((await batch_of(at, batch_id)).uncertain_cost)

        await until(at.engine, was_lost)
        batch = await batch_of(at, batch_id)
        assert batch.uncertain_cost >= paid(sim) > batch.cost == 0


async def test_a_stop_in_mid_call_leaves_it_uncertain(tmp_path):
    async with simulator(latency=30.0) as sim:
        async with priced(tmp_path, sim) as at:
            batch_id = (await at.submit(essays(3), cost_cap=10.0)).id
            async with asyncio.timeout(SECONDS):
                while sim.stats.in_flight < 3:
                    await turns(at.engine, 1)
            in_hand = (await batch_of(at, batch_id)).reserved_cost
        async with an_engine(tmp_path / "g.db", work=False) as engine:
            batch = await engine.store.batch(batch_id)
            assert batch is not None
            assert await engine.store.check() == []
        assert (batch.cost, batch.reserved_cost) == (0, 0)
        assert batch.uncertain_cost == pytest.approx(in_hand)
        assert batch.pending == 3


async def test_a_first_cap_on_a_batch_that_runs(tmp_path):
    async with simulator(latency=0.05) as sim, priced(tmp_path, sim) as at:
        batch_id = (await at.submit(essays(40))).id
        await at.engine.set_cost_cap(batch_id, 2.5)
        batch = await until_paused(at, batch_id)
        assert batch.pending > 0
        assert paid(sim) <= 2.5


# A day ------------------------------------------------------------------------------------------


async def test_fifty_in_flight_never_overshoot_the_day_s_cap(tmp_path):
    async with (
        simulator(latency="0.01-0.05") as sim,
        priced(
            tmp_path, sim, provider={"concurrency": 50}, cost_cap_per_day=4.0, clock=FastClock(1)
        ) as at,
    ):
        ids = [(await at.submit(essays(40, start=100 * n))).id for n in range(3)]
        pool = at.engine.pools[(await batch_of(at, ids[0])).pool]
        await until(at.engine, lambda: is_parked(at, pool))
        spent = await today(at.engine)
        assert spent.cost == pytest.approx(paid(sim))
        assert 2.4 <= paid(sim) <= 4.0
        assert (spent.uncertain_cost, spent.reserved_cost) == (0, 0)
        reading = pool.reading()
        assert reading.parked_reason.startswith("the day's cost cap of 4.00 USD reached: ")
        assert 0 < reading.wait_seconds <= 25 * 3600
        batches = [await batch_of(at, batch_id) for batch_id in ids]
        assert all(batch.paused_at is None for batch in batches)
        jobs = [job for batch_id in ids for job in await at.jobs(batch_id)]
        assert sum(job.snoozes for job in jobs) < 250
        assert await at.engine.is_idle() is False, "it goes on by itself at midnight"
        assert await at.engine.store.check() == []


async def is_parked(at: School, pool: Any) -> bool:
    at_rest = all(not one.processing for one in await at.engine.store.backlog())
    return pool.reading().parked_reason is not None and at_rest


async def test_the_day_s_turn_goes_on(tmp_path):
    clock = ManualClock()
    async with (
        simulator() as sim,
        priced(tmp_path, sim, clock=clock, cost_cap_per_day=3.0) as at,
    ):
        batch_id = (await at.submit(essays(40))).id
        pool = at.engine.pools[(await batch_of(at, batch_id)).pool]
        days = {}
        while (batch := await batch_of(at, batch_id)).finished_at is None:
            await until(at.engine, lambda: is_parked_or_over(at, pool, batch_id))
            spent = await today(at.engine)
            assert 0 < spent.cost <= 3.0
            days[spent.day] = spent.cost
            to_midnight = next_midnight_ms(clock.now_ms()) - clock.now_ms()
            clock.advance(to_midnight / 1000 - 1)
            await turns(at.engine)
            assert (await today(at.engine)).cost == spent.cost
            clock.advance(1)
        assert batch.completed == 40
        assert len(days) > 1
        assert sum(days.values()) == pytest.approx(paid(sim))


async def is_parked_or_over(at: School, pool: Any, batch_id: int) -> bool:
    over = (await batch_of(at, batch_id)).finished_at is not None
    return over or await is_parked(at, pool)


async def test_a_restart_with_a_higher_cap_goes_on_at_once(tmp_path):
    clock = FastClock(1)
    async with simulator() as sim:
        async with priced(tmp_path, sim, cost_cap_per_day=3.0, clock=clock) as at:
            batch_id = (await at.submit(essays(40))).id
            pool = at.engine.pools[(await batch_of(at, batch_id)).pool]
            await until(at.engine, lambda: is_parked(at, pool))
            done = (await batch_of(at, batch_id)).completed
        async with priced(tmp_path, sim, cost_cap_per_day=3.0, clock=clock) as at:
            pool = at.engine.pools[(await batch_of(at, batch_id)).pool]
            async with asyncio.timeout(SECONDS):
                while pool.reading().parked_reason is None:
                    await turns(at.engine, 1)
            assert (await batch_of(at, batch_id)).completed == done, "the same cap still holds"
        async with priced(tmp_path, sim, cost_cap_per_day=4.5, clock=clock) as at:
            await until(at.engine, lambda: has_more(at, batch_id, done))
        async with priced(tmp_path, sim, clock=clock) as at:
            await until_states(at.engine, batch_id, completed=40)


async def has_more(at: School, batch_id: int, done: int) -> bool:
    return (await batch_of(at, batch_id)).completed > done


async def test_what_costs_nothing_goes_on(tmp_path):
    """A model on this machine, and the application's own grader."""
    async with simulator() as sim:
        settings = ProviderSettings("paid", "simulated", "marker-1", sim.url, **PRICES)
        free = replace(settings, name="free", model="other", price_input=0, price_output=0)
        engine = an_engine(
            tmp_path / "g.db", providers=[settings, free], cost_cap_per_day=2.0, clock=FastClock(1)
        )
        desk = Desk()
        engine.grader("desk")(desk)
        async with engine:
            at = School(engine, sim, await engine.rubrics.put(RUBRIC, "sleep.toml"))
            paid_for = (await at.submit(essays(40))).id
            pool = engine.pools[(await batch_of(at, paid_for)).pool]
            await until(engine, lambda: is_parked(at, pool))
            gratis = (await at.submit(essays(10, start=100), grader="llm:free")).id
            await until_states(engine, gratis, completed=10)
            own = (await engine.submit(papers(2), grader="desk")).id
            await desk.finish_all(2)
            await until_states(engine, own, completed=2)
            assert (await batch_of(at, paid_for)).pending > 0


# What cannot be held ----------------------------------------------------------------------------


async def test_a_cap_that_could_never_hold_is_refused(tmp_path):
    async with simulator() as sim, school(tmp_path / "g.db", sim, cost_cap_per_batch=2.0) as at:
        with pytest.raises(ConfigError, match="'llm' has no prices"):
            await at.submit(essays(1), cost_cap=1.0)
        batch_id = (await at.submit(essays(1))).id
        assert (await batch_of(at, batch_id)).cost_cap is None, "a default is left out"
        with pytest.raises(ConfigError, match="'llm' has no prices"):
            await at.engine.set_cost_cap(batch_id, 1.0)
        await at.engine.set_cost_cap(batch_id, None)
        with pytest.raises(NotFoundError):
            await at.engine.set_cost_cap(99, 1.0)


async def test_a_grader_of_one_s_own_has_no_prices(tmp_path):
    engine = an_engine(tmp_path / "g.db", cost_cap_per_batch=1.0)
    engine.grader("desk")(Desk())
    async with engine:
        with pytest.raises(ConfigError, match="'desk' has no prices"):
            await engine.submit(papers(1), grader="desk", cost_cap=1.0)
        submitted = await engine.submit(papers(1), grader="desk")
        batch = await engine.store.batch(submitted.id)
        assert batch is not None
        assert batch.cost_cap is None


@pytest.mark.parametrize("cap", [0, -1, float("nan"), float("inf")])
async def test_a_cap_is_above_nothing(tmp_path, cap):
    with pytest.raises(ConfigError, match="cost_cap_per_day must be above 0"):
        Engine(tmp_path / "g.db", cost_cap_per_day=cap)
    async with simulator() as sim, priced(tmp_path, sim) as at:
        with pytest.raises(ConfigError, match="above 0"):
            await at.submit(essays(1), cost_cap=cap)


async def test_a_provider_elsewhere_needs_prices_for_a_configured_cap(tmp_path):
    remote = ProviderSettings("claude", "anthropic", "claude-sonnet-4-5")
    keys = {"ANTHROPIC_API_KEY": "sk-x"}
    engine = an_engine(tmp_path / "g.db", providers=[remote], environ=keys, cost_cap_per_day=1.0)
    with pytest.raises(ConfigError, match=r"'claude' has no prices.*\[provider.claude\]"):
        await engine.__aenter__()
    assert not engine.is_open
    with_prices = replace(remote, price_input=3.0, price_output=15.0)
    async with an_engine(
        tmp_path / "g.db", providers=[with_prices], environ=keys, cost_cap_per_day=1.0
    ) as engine:
        assert engine.caps.per_day == 1.0


async def test_a_capped_batch_meets_a_provider_without_prices(tmp_path):
    """It was queued where nobody knew who would grade it."""
    async with simulator() as sim, school(tmp_path / "g.db", sim) as at:
        [added] = await at.engine.add(essays(1))
        pool = next(iter(at.engine.pools))
        order = SubmitOrder([added.id], pool=pool, rubric_id=at.rubric_id, cost_cap=1.0)
        batch_id = (await at.engine.store.submit(order)).id
        await at.engine.resume(batch_id)
        batch = await until_paused(at, batch_id)
        assert "has no prices to count by" in batch.pause_reason
        assert sim.stats.requests == 0
        await at.engine.set_cost_cap(batch_id, None)
        await at.engine.resume(batch_id)
        await until_states(at.engine, batch_id, completed=1)
