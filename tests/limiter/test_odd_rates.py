"""Slow providers in virtual time: a second or a minute is few calls there, so little tells much."""

from __future__ import annotations

from random import Random

import pytest

from bench.limiter.bound import bound
from bench.limiter.server import StrictServer, papers
from bench.limiter.simulation import Run, Simulation, Start
from gradeq.clock import ManualClock
from gradeq.limiter.base import Limits
from gradeq.limiter.pool import Pool

SEEDS = (1, 2, 3)


def graded(count: int, limits: Limits, server: StrictServer, seed: int) -> tuple[Run, float]:
    """What came of `count` papers, and the bound as a share of the time it took."""
    rng, clock = Random(seed), ManualClock()
    work = papers(count, rng)
    least = bound(work, server, limits.concurrency)
    simulation = Simulation(Start(clock, server, work, rng))
    run = simulation.go(Pool("slow", limits, clock=clock, rng=Random(seed)))
    return run, least / run.seconds


@pytest.mark.parametrize("seed", SEEDS)
def test_sixty_a_minute_enforced_as_one_a_second(seed: int) -> None:
    """Two calls a second apart are refused where the wire makes the second one early."""
    server = StrictServer(requests=60, per_second=True)
    run, efficiency = graded(500, Limits(20, 60), server, seed)
    assert efficiency >= 0.95
    assert run.refused_share <= 0.01


@pytest.mark.parametrize("seed", SEEDS)
def test_seven_a_minute_that_nobody_tells(seed: int) -> None:
    """Neither a header nor the configuration knows of the limit: a handful of refusals do."""
    run, efficiency = graded(200, Limits(), StrictServer(requests=7, headers="none"), seed)
    assert efficiency >= 0.97
    assert run.refused <= 15


@pytest.mark.parametrize("seed", SEEDS)
def test_three_a_minute_and_not_even_a_wait_is_told(seed: int) -> None:
    server = StrictServer(requests=3, headers="none", asks="nothing")
    run, efficiency = graded(100, Limits(), server, seed)
    assert efficiency >= 0.95
    assert run.refused <= 40
