"""The time below which nobody can finish."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.limiter.server import Paper, StrictServer
from gradeq.limiter.base import Bucket


@dataclass(frozen=True, slots=True)
class Change:
    """All limits of the server are multiplied by `factor` at `at` seconds."""

    at: float
    factor: float


def bound(
    work: Sequence[Paper],
    server: StrictServer,
    concurrency: int,
    *,
    changes: Sequence[Change] = (),
    others_share: float = 0.0,
) -> float:
    """Seconds below which nobody can finish: the time in flight, and what each bucket lets in.

    `server` as it is before the run.
    """
    at_once = min(concurrency, server.concurrency or concurrency, server.slots or concurrency)
    seconds = [paper.seconds for paper in work]
    outputs = sorted((paper.usage.output_tokens for paper in work), reverse=True)
    needs = {
        Bucket.REQUESTS: float(len(work)),
        Bucket.INPUT_TOKENS: float(sum(paper.usage.input_tokens for paper in work)),
        Bucket.OUTPUT_TOKENS: float(sum(outputs[0 if server.reserves_output else at_once :])),
    }
    meters = [(meter, needs[bucket]) for bucket, meter in server.buckets.items()]
    if server.second is not None:
        meters.append((server.second, needs[Bucket.REQUESTS]))
    share = 1.0 - others_share
    by_rate = [
        _supplied(need - meter.level(0.0), meter.rate * share, changes) + min(seconds)
        for meter, need in meters
    ]
    idle = server.down[1] - server.down[0] if server.down[0] < math.inf else 0.0
    return max(sum(seconds) / at_once + idle, *seconds, *by_rate)


def _supplied(need: float, rate: float, changes: Sequence[Change]) -> float:
    """Seconds until a refill at `rate`, which changes on the way, has brought `need`."""
    now = 0.0
    for change in changes:
        if need <= rate * (change.at - now):
            break
        need -= rate * (change.at - now)
        now, rate = change.at, rate * change.factor
    return now + max(0.0, need) / rate
