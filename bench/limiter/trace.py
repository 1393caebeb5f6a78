"""What a run looked like over time, for pictures; the same for virtual time and for real HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from bench.limiter.simulation import World


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


def watch(trace: Trace, every: float, world: World[Any]) -> None:
    """Take a sample of `world` now and every so many seconds of its time."""
    server = world.server
    trace.limits = {bucket.value: meter.capacity for bucket, meter in server.buckets.items()}
    _look(trace, every, world)


def _look(trace: Trace, every: float, world: World[Any]) -> None:
    now = world.clock.monotonic()
    server = world.server
    levels = {bucket.value: meter.level(now) for bucket, meter in server.buckets.items()}
    trace.samples.append(Sample(now, server.in_flight, world.run.refused, levels))
    if (believed := world.believed()) is not None:
        trace.believed.append((now, believed))
    world.at(now + every, partial(_look, trace, every, world))
