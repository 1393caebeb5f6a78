"""A strict provider in virtual time, and the papers that it is asked about."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from gradeq.limiter.base import Bucket, Cost, Level, Usage


@dataclass(frozen=True, slots=True)
class Paper:
    """One call: `cost` is the raw estimate, the rest what it really takes."""

    cost: Cost
    usage: Usage
    seconds: float


def papers(
    count: int,
    rng: Random,
    *,
    tokens: tuple[int, int] = (2000, 400),
    seconds: float = 5.0,
    bias: float = 1.0,
) -> list[Paper]:
    """Papers whose raw estimates are wrong by `bias` and by some noise."""

    def one() -> Paper:
        spread = rng.uniform(0.6, 1.4)
        used = Usage(round(tokens[0] * spread), round(tokens[1] * rng.uniform(0.6, 1.4)))
        guess = Cost(round(used.input_tokens * bias * rng.uniform(0.9, 1.1)), tokens[1], 1024)
        return Paper(guess, used, seconds * rng.uniform(0.6, 1.4))

    return [one() for _ in range(count)]


class ServerBucket:
    """A token bucket; the level falls below zero by what is charged late."""

    def __init__(self, rate: float, capacity: float) -> None:
        self.rate = rate
        self.capacity = capacity
        self._level = capacity
        self._at = 0.0

    def level(self, now: float) -> float:
        self._level = min(self.capacity, self._level + self.rate * (now - self._at))
        self._at = now
        return self._level

    def take(self, amount: float, now: float) -> None:
        self._level = self.level(now) - amount

    def scale(self, factor: float, now: float) -> None:
        """Another limit from now on, with what there is."""
        self.level(now)
        self.rate *= factor
        self.capacity *= factor
        self._level = min(self._level, self.capacity)


@dataclass
class Others:
    """Somebody else with the same key: `share` of each limit, call by call, at random moments.

    They always get in: what is left of the limits is the rest.
    """

    share: float
    usage: Usage
    rng: Random
    next_at: float = 0.0
    calls: int = 0


@dataclass
class StrictServer:
    """Limits per minute. `headers` tells when the server looks at its buckets, if it says so.

    Requests and input are charged at admission. Output is charged when the answer is there, and a
    call is let in while any is left; with `reserves_output` the most that the answer may take is
    charged at admission, and what was not used comes back. `concurrency` refuses more calls at
    once than that; `asks` is how it tells when to come again. With `slots`, a model on this
    machine, calls beyond those wait in a line.
    """

    requests: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None
    per_second: bool = False
    headers: Literal["start", "end", "none"] = "end"
    rounding: float = 1000.0
    refusals_count: bool = False
    reserves_output: bool = False
    concurrency: int | None = None
    slots: int | None = None
    asks: Literal["whole seconds", "nothing"] = "whole seconds"
    down: tuple[float, float] = (math.inf, math.inf)
    starts_full: bool = True
    others: Others | None = None
    buckets: dict[Bucket, ServerBucket] = field(init=False)
    slots_free_at: list[float] = field(default_factory=list)
    in_flight: int = 0

    def __post_init__(self) -> None:
        limits = {
            Bucket.REQUESTS: self.requests,
            Bucket.INPUT_TOKENS: self.input_tokens,
            Bucket.OUTPUT_TOKENS: self.output_tokens,
        }
        self.buckets = {b: ServerBucket(limit / 60, limit) for b, limit in limits.items() if limit}
        self.second: ServerBucket | None = None
        if self.requests is not None and self.per_second:
            rate = self.requests / 60
            self.second = ServerBucket(rate, max(1.0, rate))
        if not self.starts_full:
            for bucket in self.buckets.values():
                bucket.take(bucket.capacity, 0.0)

    def is_down(self, now: float) -> bool:
        return self.down[0] <= now < self.down[1]

    def scale(self, factor: float, now: float) -> None:
        for meter in (*self.buckets.values(), *([self.second] if self.second else [])):
            meter.scale(factor, now)

    def admit(self, paper: Paper, now: float) -> float:
        """Charge the call and return 0.0, or the seconds after which it may come again."""
        self._let_others_in(now)
        wait = self._wait(paper.usage, paper.cost.max_output_tokens, now)
        if self.concurrency is not None and self.in_flight >= self.concurrency:
            wait = max(wait, 0.5)
        if wait > 1e-9:
            if self.refusals_count:
                self._charge_request(now)
            return wait
        self.in_flight += 1
        self._charge_request(now)
        self._charge(Bucket.INPUT_TOKENS, paper.usage.input_tokens, now)
        if self.reserves_output:
            self._charge(Bucket.OUTPUT_TOKENS, paper.cost.max_output_tokens, now)
        return 0.0

    def seconds_in_line(self, paper: Paper, now: float) -> float:
        """Until a slot is free for the paper, which takes it."""
        if self.slots is None:
            return 0.0
        if len(self.slots_free_at) < self.slots:
            self.slots_free_at.append(now + paper.seconds)
            return 0.0
        free_at = max(now, heapq.heappop(self.slots_free_at))
        heapq.heappush(self.slots_free_at, free_at + paper.seconds)
        return free_at - now

    def finish(self, paper: Paper, now: float) -> None:
        self.in_flight -= 1
        reserved = paper.cost.max_output_tokens if self.reserves_output else 0
        self._charge(Bucket.OUTPUT_TOKENS, paper.usage.output_tokens - reserved, now)

    def levels(self, now: float) -> tuple[Level, ...]:
        if self.headers == "none":
            return ()
        return tuple(self._level(bucket, now) for bucket in self.buckets)

    def retry_after(self, wait: float) -> float | None:
        return float(math.ceil(wait)) if self.asks == "whole seconds" else None

    def _level(self, bucket: Bucket, now: float) -> Level:
        meter = self.buckets[bucket]
        left = max(0.0, meter.level(now))
        if bucket is Bucket.REQUESTS:
            return Level(bucket, meter.capacity, math.floor(left))
        rounded = round(left / self.rounding) * self.rounding
        return Level(bucket, meter.capacity, rounded, rounding=self.rounding)

    def _wait(self, usage: Usage, max_output: int, now: float) -> float:
        waits = [
            (need - bucket.level(now)) / bucket.rate
            for bucket, need in self._needs(usage, max_output)
        ]
        return max(waits, default=0.0)

    def _needs(self, usage: Usage, max_output: int) -> Iterator[tuple[ServerBucket, float]]:
        output = max_output if self.reserves_output else 1e-6
        needs = {Bucket.REQUESTS: 1.0, Bucket.INPUT_TOKENS: float(usage.input_tokens)}
        for bucket, meter in self.buckets.items():
            yield meter, needs.get(bucket, output)
        if self.second is not None:
            yield self.second, 1

    def _charge_request(self, now: float) -> None:
        self._charge(Bucket.REQUESTS, 1, now)
        if self.second is not None:
            self.second.take(1, now)

    def _charge(self, bucket: Bucket, amount: float, now: float) -> None:
        if bucket in self.buckets:
            self.buckets[bucket].take(amount, now)

    def _let_others_in(self, now: float) -> None:
        others = self.others
        while others is not None and others.next_at <= now:
            others.calls += 1
            self._charge_request(others.next_at)
            self._charge(Bucket.INPUT_TOKENS, others.usage.input_tokens, others.next_at)
            self._charge(Bucket.OUTPUT_TOKENS, others.usage.output_tokens, others.next_at)
            others.next_at += others.rng.expovariate(self._others_rate(others))

    def share_taken(self, seconds: float) -> float:
        """Of whatever binds the others, what they really took until then."""
        if self.others is None:
            return 0.0
        expected = self._others_rate(self.others) * seconds
        return self.others.share * self.others.calls / expected

    def _others_rate(self, others: Others) -> float:
        """Calls a second: their share of whatever binds them."""
        needs = {
            Bucket.REQUESTS: 1,
            Bucket.INPUT_TOKENS: others.usage.input_tokens,
            Bucket.OUTPUT_TOKENS: others.usage.output_tokens,
        }
        return others.share * min(m.rate / needs[b] for b, m in self.buckets.items() if needs[b])
