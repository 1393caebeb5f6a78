"""A pool against strict providers in virtual time: how close to the bound, how few refused calls.

The bound is the one that nobody can beat, the provider's buckets being full at the start. Virtual
time is exact, so these are the figures of the goal itself: at least 97 %, at most 1 %.
"""

from __future__ import annotations

from random import Random

import pytest

from bench.limiter.scenarios import SCENARIOS
from bench.limiter.simulation import Simulation, Start
from bench.limiter.virtual import try_out
from gradeq.clock import ManualClock
from gradeq.limiter.base import LimitedBy
from gradeq.limiter.pool import Pool

QUICK = ("input tokens", "output tokens", "reserved output", "concurrency", "small account")
SEEDS = (1,)
CASES = [
    pytest.param(
        name,
        seed,
        marks=() if name in QUICK and seed == 1 else pytest.mark.slow,
        id=f"{name}-{seed}",
    )
    for name in SCENARIOS
    for seed in SEEDS
]
BINDING = {
    "requests": LimitedBy.REQUESTS,
    "input tokens": LimitedBy.INPUT_TOKENS,
    "output tokens": LimitedBy.OUTPUT_TOKENS,
    "concurrency": LimitedBy.CONCURRENCY,
}


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_close_to_the_bound_with_almost_no_refused_call(name: str, seed: int) -> None:
    trial = try_out(SCENARIOS[name], seed)
    assert trial.lost == 0
    assert trial.efficiency >= 0.97
    assert trial.refused_share <= 0.01
    assert trial.run.inside_windows == 0
    if name in BINDING:
        limited = trial.pool.reading().limited_for
        assert max(limited, key=lambda cause: limited[cause]) is BINDING[name]


def test_the_same_seed_gives_the_same_run() -> None:
    first, again = (try_out(SCENARIOS["small account"], 7).run for _ in range(2))
    assert first == again


def test_a_limiter_that_forgets_everything_in_mid_run_does_not_burst() -> None:
    """No record of the pool at the restart: one call tries it out."""
    scenario = SCENARIOS["small account"]
    rng, clock = Random(1), ManualClock()
    start = Start(clock, scenario.server(rng), scenario.work(rng), rng)
    simulation = Simulation(start)
    simulation.go(Pool("first", scenario.limits, clock=clock, rng=rng), until=90.0)
    simulation.crash()
    run = simulation.go(Pool("second", scenario.limits, clock=clock, rng=rng))
    assert run.refused_share <= 0.01
