"""A pool against a strict provider in virtual time: how close to the bound, how few 429s.

The bound is the one nobody can beat: the time in flight over the concurrency, and what each
bucket lets in, the provider's buckets being full at the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from bench.limiter.simulation import Paper, Run, Simulation, StrictServer, bound, papers
from gradeq.clock import ManualClock
from gradeq.limiter.base import LimitedBy, Limits
from gradeq.limiter.pool import Pool
from gradeq.limiter.state import PoolState

# One seed in the ordinary run; the others take their time with the slow tests.
SEEDS = (1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3)))


@dataclass
class Trial:
    run: Run
    pool: Pool
    work: list[Paper]
    server: StrictServer
    limits: Limits

    @property
    def efficiency(self) -> float:
        starts_full = self.server.headers != "none"
        concurrency = self.limits.concurrency
        least = bound(self.work, self.server, concurrency, starts_full=starts_full)
        return least / self.run.seconds


def a_trial(
    seed: int, limits: Limits, server: StrictServer, count: int, **kind: Any
) -> tuple[Simulation, Trial]:
    rng, clock = Random(seed), ManualClock()
    work = papers(count, rng, **kind)
    pool = Pool("strict", limits, clock=clock, rng=Random(seed + 100))
    simulation = Simulation(clock, server, work, rng)
    return simulation, Trial(simulation.run, pool, work, server, limits)


def try_out(seed: int, limits: Limits, server: StrictServer, count: int, **kind: Any) -> Trial:
    simulation, trial = a_trial(seed, limits, server, count, **kind)
    simulation.go(trial.pool)
    assert trial.pool.in_flight == 0
    assert trial.run.most_in_flight <= limits.concurrency
    return trial


def mostly_limited_by(trial: Trial) -> LimitedBy:
    limited = trial.pool.reading().limited_for
    return max(limited, key=lambda cause: limited[cause])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("headers", ["start", "end"])
def test_requests_bind(seed: int, headers: Any) -> None:
    limits = Limits(concurrency=100, requests_per_minute=600)
    trial = try_out(seed, limits, StrictServer(requests=600, headers=headers), 3000)
    assert trial.efficiency >= 0.97
    assert trial.run.refused == 0
    assert mostly_limited_by(trial) is LimitedBy.REQUESTS


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("headers", ["start", "end"])
def test_output_tokens_bind(seed: int, headers: Any) -> None:
    limits = Limits(concurrency=10, output_tokens_per_minute=20_000)
    server = StrictServer(
        requests=1000, input_tokens=450_000, output_tokens=20_000, headers=headers
    )
    trial = try_out(seed, limits, server, 1200)
    assert trial.efficiency >= 0.97
    assert trial.run.refused_share <= 0.002
    assert mostly_limited_by(trial) is LimitedBy.OUTPUT_TOKENS


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("headers", ["start", "end"])
@pytest.mark.parametrize("bias", [0.6, 1.8])
def test_input_tokens_bind_and_the_estimates_are_wrong(
    seed: int, headers: Any, bias: float
) -> None:
    limits = Limits(concurrency=50)
    server = StrictServer(
        requests=1000, input_tokens=100_000, output_tokens=90_000, headers=headers
    )
    trial = try_out(seed, limits, server, 600, bias=bias)
    assert trial.efficiency >= 0.97
    assert trial.run.refused_share <= 0.01
    assert mostly_limited_by(trial) is LimitedBy.INPUT_TOKENS


@pytest.mark.parametrize("seed", SEEDS)
def test_a_small_account_with_all_limits(seed: int) -> None:
    limits = Limits(20, 50, 30_000, 8000)
    server = StrictServer(requests=50, input_tokens=30_000, output_tokens=8000)
    trial = try_out(seed, limits, server, 300)
    assert trial.efficiency >= 0.98
    assert trial.run.refused_share <= 0.01


@pytest.mark.parametrize("seed", SEEDS)
def test_only_the_concurrency_binds(seed: int) -> None:
    server = StrictServer(requests=1000, input_tokens=450_000, output_tokens=90_000)
    trial = try_out(seed, Limits(concurrency=5), server, 300)
    assert trial.efficiency >= 0.97
    assert trial.run.refused == 0
    assert mostly_limited_by(trial) is LimitedBy.CONCURRENCY


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("headers", ["end", "none"])
def test_the_minute_s_limit_is_enforced_each_second(seed: int, headers: Any) -> None:
    limits = Limits(concurrency=100, requests_per_minute=600)
    server = StrictServer(requests=600, per_second=True, headers=headers)
    trial = try_out(seed, limits, server, 2000)
    assert trial.run.seconds <= 2000 / 10 * 1.03 + 7
    assert trial.run.refused_share <= 0.01


@pytest.mark.parametrize("seed", SEEDS)
def test_refused_requests_count_and_still_nothing_is_refused(seed: int) -> None:
    limits = Limits(concurrency=100, requests_per_minute=600)
    trial = try_out(seed, limits, StrictServer(requests=600, refusals_count=True), 3000)
    assert trial.efficiency >= 0.97
    assert trial.run.refused == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_provider_that_sends_no_headers(seed: int) -> None:
    """The configured limits are all there is to go by; nothing is known of the first minute."""
    limits = Limits(50, 600, 450_000, 20_000)
    server = StrictServer(requests=600, input_tokens=450_000, output_tokens=20_000, headers="none")
    trial = try_out(seed, limits, server, 600)
    assert trial.efficiency >= 0.85
    assert trial.run.refused == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_half_a_minute_of_overload(seed: int) -> None:
    """Twice the outage and a minute are lost at most; a handful of probes are sent into it."""
    limits = Limits(concurrency=50)
    whole = try_out(seed, limits, StrictServer(requests=1000), 1500)
    broken = try_out(seed, limits, StrictServer(requests=1000, down=(40.0, 70.0)), 1500)
    assert broken.run.seconds - whole.run.seconds <= 75
    assert 1 <= broken.run.overloaded <= 50 + 8
    assert broken.run.refused == 0


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("known", ["restored", "forgotten"])
def test_a_restart_in_mid_run(seed: int, known: str) -> None:
    """A process dies with its calls in flight; the next one goes on without a burst."""
    limits = Limits(100, 600, 450_000, 90_000)
    server = StrictServer(requests=600, input_tokens=450_000, output_tokens=90_000)
    simulation, trial = a_trial(seed, limits, server, 2000, tokens=(300, 80))
    simulation.go(trial.pool, until=90.0)
    stored = PoolState.from_dict(trial.pool.state().to_dict()) if known == "restored" else None
    lost = trial.pool.in_flight
    assert lost > 20
    simulation.crash()
    again = Pool("strict", limits, clock=simulation.clock, rng=Random(seed), state=stored)
    trial.run.most_in_flight = 0
    simulation.go(again)
    assert trial.run.requests - trial.run.refused == 2000 + lost
    assert trial.run.refused_share <= 0.01
    assert trial.run.seconds <= bound(trial.work, server, 100) + (lost / 10) + 15


@pytest.mark.parametrize("seed", SEEDS)
def test_a_limit_that_is_lowered_in_mid_run(seed: int) -> None:
    """Others use the key, or the provider throttles: the headers show it, and few are refused."""
    server = StrictServer(requests=1000)
    simulation, trial = a_trial(seed, Limits(concurrency=100), server, 2000)
    simulation.go(trial.pool, until=60.0)
    bucket = next(iter(server.buckets.values()))
    bucket.rate, bucket.capacity = 5.0, 300.0
    simulation.go(trial.pool)
    assert trial.run.refused_share <= 0.01
    assert trial.pool.reading().levels[0].limit == 300
