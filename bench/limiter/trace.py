"""What a run looked like over time, for pictures; the same for virtual time and for real HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from bench.limiter.simulation import Simulation
from gradeq.limiter.pool import Pool


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the provider. `refused` is counted from the start."""

    at: float
    in_flight: int
    refused: int
    levels: Mapping[str, float]


@dataclass(slots=True)
class Trace:
    """`limits` are what the provider's buckets can hold; `believed` is the limiter's own view of
    their levels, where it has one: pairs of seconds and levels."""

    limits: Mapping[str, float] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    believed: list[tuple[float, Mapping[str, float]]] = field(default_factory=list)


def watch(trace: Trace, every: float, simulation: Simulation) -> None:
    """Take a sample of `simulation` now and every so many seconds of its time."""
    server = simulation.server
    trace.limits = {bucket.value: meter.capacity for bucket, meter in server.buckets.items()}
    _look(trace, every, simulation)


def _look(trace: Trace, every: float, simulation: Simulation) -> None:
    now = simulation.clock.monotonic()
    server = simulation.server
    levels = {bucket.value: meter.level(now) for bucket, meter in server.buckets.items()}
    trace.samples.append(Sample(now, server.in_flight, simulation.run.refused, levels))
    pool = getattr(simulation, "pool", None)
    if isinstance(pool, Pool):
        gauges = pool.reading().levels
        trace.believed.append((now, {gauge.bucket.value: gauge.level for gauge in gauges}))
    simulation.at(now + every, partial(_look, trace, every, simulation))
