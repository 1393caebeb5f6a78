"""Scenarios for real HTTP: from half a minute to two, for the buckets are small."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType
from typing import Any

from bench.limiter.bound import Change, bound
from bench.limiter.server import Paper, ServerBucket, StrictServer
from gradeq.limiter.base import Cost, Usage
from gradeq.providers.simulated import SimulatorSettings
from gradeq.providers.simulated.latency import Latency

LIMITS = ("requests_per_minute", "input_tokens_per_minute", "output_tokens_per_minute")
_ONE_CALL = Cost(0, 0)


@dataclass(frozen=True, slots=True)
class ShortRun:
    """One scenario. Times in seconds from its start.

    `concurrency` is gradeq's setting, `configured` what it is told of the limits (nothing: it has
    to read the headers). `other_share` of the requests belongs to somebody else with another key
    of the same organization. At `killed_at` gradeq is killed and started again.
    """

    name: str
    about: str
    papers: int
    provider: SimulatorSettings
    concurrency: int = 50
    configured: Mapping[str, float] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    outage: tuple[float, float] | None = None
    other_share: float = 0.0
    killed_at: float | None = None

    @property
    def believed(self) -> dict[str, float]:
        """The limits as somebody would be told them who reads no headers."""
        real = {name: getattr(self.provider, name) for name in LIMITS}
        return {name: limit for name, limit in (real | dict(self.configured)).items() if limit}

    @property
    def window(self) -> float:
        """How many seconds of the limits can be saved up, as far as anybody can know."""
        return self.provider.burst_seconds

    def least_seconds(self, usages: Sequence[Usage], *, more: Sequence[Usage] = ()) -> float:
        """The bound of `simulation.bound` for calls that use `usages`.

        `more` was let in besides: calls of somebody else, calls that had to be made again.
        """
        work = [self._paper(usage) for usage in (*usages, *more)]
        least = bound(work, self._strict(), self.concurrency, changes=self.changes)
        return least + self._outage_seconds()

    def _paper(self, usage: Usage) -> Paper:
        provider = self.provider
        seconds = Latency.parse(provider.latency).low
        seconds += provider.seconds_per_output_token * usage.output_tokens
        return Paper(_ONE_CALL, usage, seconds)

    def _strict(self) -> StrictServer:
        """The provider as the simulation knows it, with what there is at first."""
        provider = self.provider
        server = StrictServer(
            requests=provider.requests_per_minute,
            input_tokens=provider.input_tokens_per_minute,
            output_tokens=provider.output_tokens_per_minute,
            per_second=provider.enforce_per_second,
            concurrency=provider.concurrency,
            reserves_output=provider.output_accounting == "reserved",
        )
        there = provider.burst_seconds if provider.start_seconds is None else provider.start_seconds
        for bucket, meter in server.buckets.items():
            server.buckets[bucket] = ServerBucket(meter.rate, meter.rate * there)
        return server

    def _outage_seconds(self) -> float:
        """What an outage costs: the refill that does not fit into the buckets meanwhile."""
        if self.outage is None:
            return 0.0
        return max(0.0, self.outage[1] - self.outage[0] - self.provider.burst_seconds)


def _limited(**given: Any) -> SimulatorSettings:
    """Answers take 0.3 to 0.5 s. Of each limit half a second is there at first, and five seconds
    can be saved up: a key that was in use until now."""
    told = {
        "requests_per_minute": 1200,
        "burst_seconds": 5.0,
        "start_seconds": 0.5,
        "latency": "0.3-0.5",
        "glance": True,
        **given,
    }
    return SimulatorSettings(**told)


def _at_most_8() -> SimulatorSettings:
    return _limited(concurrency=8, requests_per_minute=2400, latency="1.2")


_ALL = (
    ShortRun("requests", "1,200 requests a minute bind", 560, _limited()),
    ShortRun(
        "input tokens",
        "360,000 input tokens a minute bind",
        270,
        _limited(input_tokens_per_minute=360_000),
    ),
    ShortRun(
        "output tokens",
        "300,000 output tokens a minute bind",
        1300,
        _limited(requests_per_minute=2400, output_tokens_per_minute=300_000),
        concurrency=12,
    ),
    ShortRun(
        "all limits",
        "requests, input and output tokens all nearly bind; one paper in five is long",
        800,
        _limited(
            requests_per_minute=1000,
            input_tokens_per_minute=600_000,
            output_tokens_per_minute=270_000,
        ),
        concurrency=12,
    ),
    ShortRun(
        "concurrency",
        "no more than 8 calls at once, which is configured",
        750,
        _at_most_8(),
        concurrency=8,
    ),
    ShortRun(
        "calls at once",
        "no more than 8 calls at once, which nothing tells but refusals",
        750,
        _at_most_8(),
    ),
    ShortRun(
        "per second",
        "1,200 a minute, enforced as 20 a second behind headers that speak of the minute",
        1400,
        _limited(burst_seconds=60.0, start_seconds=60.0, enforce_per_second=True),
    ),
    ShortRun(
        "no headers",
        "the limits are configured rightly, and no response tells of them",
        560,
        _limited(headers=False, input_tokens_per_minute=1_200_000),
        configured={"requests_per_minute": 1200, "input_tokens_per_minute": 1_200_000},
    ),
    ShortRun(
        "nothing known",
        "no limit is configured and no response tells of one",
        560,
        _limited(headers=False),
    ),
    ShortRun(
        "failed calls count",
        "refused calls use up requests too",
        800,
        _limited(failed_calls_count=True),
    ),
    ShortRun(
        "shared limits",
        "somebody else makes half the calls, at random moments",
        400,
        _limited(requests_per_minute=1800, shared_limits=True),
        other_share=0.5,
    ),
    ShortRun(
        "limits halved",
        "the provider halves its limits after 8 seconds",
        540,
        _limited(requests_per_minute=1800),
        changes=(Change(8.0, 0.5),),
    ),
    ShortRun(
        "set twice too high",
        "configured twice as high as they are; headers tell the truth",
        800,
        _limited(),
        configured={"requests_per_minute": 2400},
    ),
    ShortRun(
        "set twice too high, no headers",
        "as before, and nothing tells of it but refusals",
        800,
        _limited(headers=False),
        configured={"requests_per_minute": 2400},
    ),
    ShortRun(
        "outage",
        "every call is answered 529 from second 8 to second 12",
        560,
        _limited(burst_seconds=10.0),
        outage=(8.0, 12.0),
    ),
    ShortRun(
        "restart",
        "the process is killed after 10 seconds and started again",
        560,
        _limited(),
        killed_at=10.0,
    ),
)

SHORT_RUNS: Mapping[str, ShortRun] = MappingProxyType({one.name: one for one in _ALL})


def others_gaps(run: ShortRun, seed: int) -> Iterator[float]:
    """Seconds between the calls of somebody else."""
    rate = run.other_share * (run.provider.requests_per_minute or 0.0) / 60
    rng = Random(seed)
    while rate > 0:
        yield rng.expovariate(rate)
