"""gradeq's pool through a scenario, in virtual time: exact, and the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

from bench.limiter.bound import bound
from bench.limiter.scenarios import Scenario
from bench.limiter.server import Paper
from bench.limiter.simulation import Run, Simulation, Start
from gradeq.clock import ManualClock
from gradeq.limiter.pool import Pool
from gradeq.limiter.state import PoolState

_SAVED_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of one scenario. `efficiency` is the bound over the time it took, at most 1."""

    run: Run
    least_seconds: float
    papers: int
    pool: Pool

    @property
    def efficiency(self) -> float:
        return self.least_seconds / self.run.seconds

    @property
    def refused_share(self) -> float:
        return self.run.refused_share

    @property
    def lost(self) -> int:
        """Papers without an answer at the end."""
        answered = self.run.requests - self.run.refused - self.run.overloaded
        return self.papers - (answered - self.run.lost_in_crashes)


def try_out(
    scenario: Scenario, seed: int, watch: Callable[[Simulation], None] | None = None
) -> Trial:
    """Run `scenario` to its end. `watch` is called with the simulation before it starts."""
    rng, clock = Random(seed), ManualClock()
    work = scenario.work(rng)
    server = scenario.server(rng)
    simulation = Simulation(Start(clock, server, work, rng))
    for change in scenario.changes:
        simulation.at(change.at, partial(server.scale, change.factor, change.at))
    if watch is not None:
        watch(simulation)
    pool = Pool("strict", scenario.limits, clock=clock, rng=Random(seed + 100))
    repeated = 0
    if scenario.restart_at is not None:
        pool, repeated = _killed(simulation, scenario, pool, seed)
    run = simulation.go(pool)
    least = least_seconds(scenario, seed, work, server.share_taken(run.seconds))
    return Trial(run, least * (1 + repeated / len(work)), len(work), pool)


def least_seconds(
    scenario: Scenario, seed: int, work: Sequence[Paper], others_share: float
) -> float:
    """The bound. What calls that were paid twice add to it is their share of the whole."""
    limits = scenario.limits
    concurrency = limits.max_concurrency if limits.auto else limits.concurrency
    server = (scenario.wishes or scenario.server)(Random(seed))
    return bound(work, server, concurrency, changes=scenario.changes, others_share=others_share)


def _killed(simulation: Simulation, scenario: Scenario, pool: Pool, seed: int) -> tuple[Pool, int]:
    """Run until the kill; the next process's pool, and how many calls were in flight."""
    assert scenario.restart_at is not None
    simulation.go(pool, until=scenario.restart_at - _SAVED_EVERY_SECONDS)
    stored = PoolState.from_dict(pool.state().to_dict())
    simulation.go(pool, until=scenario.restart_at)
    repeated = pool.in_flight
    simulation.crash()
    clock = simulation.clock
    again = Pool("strict", scenario.limits, clock=clock, rng=Random(seed), state=stored)
    return again, repeated
