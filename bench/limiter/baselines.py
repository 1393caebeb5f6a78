"""What others do, in the same world: same provider, same wire, same papers, virtual time.

Each is the algorithm as its source tells it, in code of our own. Papers that it gives up on are
counted as lost, not repeated.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from types import MappingProxyType

from bench.limiter.scenarios import Scenario
from bench.limiter.server import Paper, StrictServer
from bench.limiter.simulation import Run, Start, World
from bench.limiter.virtual import least_seconds
from gradeq.clock import ManualClock
from gradeq.limiter.base import Bucket, Limits, Signals

SDK_RETRIES = 2
"""The default of the Anthropic SDK (2.12, `_constants.py`)."""
COOKBOOK_ATTEMPTS = 5
COOKBOOK_PAUSE_SECONDS = 15.0
COOKBOOK_TICK_SECONDS = 0.001
_COOKBOOK_REQUESTS = 1500.0
_COOKBOOK_TOKENS = 125_000.0


@dataclass(slots=True, eq=False)
class Call:
    """One paper on its way, and how often it has failed."""

    paper: Paper
    failures: int = 0


class Rival(World[Call]):
    """A client of somebody else's. Papers that it gives up on are `lost`."""

    def __init__(self, start: Start) -> None:
        super().__init__(start)
        self.lost: list[Paper] = []

    def answered(self, call: Call, paper: Paper, signals: Signals) -> None:
        """Most learn nothing from it."""

    def refused(self, call: Call, paper: Paper, signals: Signals) -> None:
        call.failures += 1
        self.failed(call, signals.retry_after, was_refused=True)

    def overloaded(self, call: Call, paper: Paper) -> None:
        call.failures += 1
        self.failed(call, None, was_refused=False)

    @abstractmethod
    def failed(self, call: Call, retry_after: float | None, *, was_refused: bool) -> None:
        """A 429, else a 529."""


class SdkWorkers(Rival):
    """The Anthropic SDK behind `workers` workers: each sleeps out its retries in its slot."""

    def __init__(self, start: Start, *, workers: int, retries: int = SDK_RETRIES) -> None:
        super().__init__(start)
        self._workers = workers
        self._retries = retries

    def failed(self, call: Call, retry_after: float | None, *, was_refused: bool) -> None:
        if call.failures > self._retries:
            self.lost.append(call.paper)
            return
        self.out[call] = call.paper
        wait = sdk_wait(retry_after, call.failures - 1, self.rng)
        self.later(wait, partial(self.send, call, call.paper))

    def dispatch(self) -> float:
        while self.pending and len(self.out) < self._workers:
            paper = self.pending.popleft()
            self.send(Call(paper), paper)
        return math.inf


def sdk_wait(retry_after: float | None, retries_before: int, rng: Random) -> float:
    """Seconds until the next try (anthropic 2.12, `_base_client._calculate_retry_timeout`)."""
    if retry_after is not None and retry_after > 0:
        return retry_after
    return min(0.5 * 2.0**retries_before, 8.0) * (1 - 0.25 * rng.random())


class Counters:
    """The cookbook's counts of requests and tokens left, refilled continuously; they start full.

    `window` is how many seconds of the rates they can hold. A limit may be infinite.
    """

    def __init__(
        self, requests_per_minute: float, tokens_per_minute: float, *, window: float = 60.0
    ) -> None:
        self._rates = (requests_per_minute / 60, tokens_per_minute / 60)
        self._most = tuple(max(1.0, rate * window) for rate in self._rates)
        self._left = self._most
        self._at: float | None = None

    def take(self, tokens: float, now: float) -> float:
        """Take one request and `tokens` and return 0.0, or the seconds until both are there."""
        passed = 0.0 if self._at is None else now - self._at
        self._at = now
        refilled = (
            min(left + rate * passed, most)
            for left, rate, most in zip(self._left, self._rates, self._most, strict=True)
        )
        self._left = tuple(refilled)
        needs = (1.0, tokens)
        wait = max(
            (need - left) / rate if left < math.inf else 0.0
            for need, left, rate in zip(needs, self._left, self._rates, strict=True)
        )
        if wait > 0:
            return wait
        self._left = (self._left[0] - 1, self._left[1] - tokens)
        return 0.0


class Cookbook(Rival):
    """The OpenAI cookbook's parallel processor (`api_request_parallel_processor.py`).

    Counters of its own, `max_tokens` counted as if used, a pause of 15 seconds after a rate-limit
    error, five attempts, retries first, no bound on the calls in flight, nothing read from
    headers. Other errors are tried again at once.
    """

    def __init__(self, start: Start, *, counters: Counters) -> None:
        super().__init__(start)
        self._counters = counters
        self._again = deque[Call]()
        self._next: Call | None = None
        self._paused_until = -math.inf
        self._tick = 0.0

    def failed(self, call: Call, retry_after: float | None, *, was_refused: bool) -> None:
        if was_refused:
            self._paused_until = self.clock.monotonic() + COOKBOOK_PAUSE_SECONDS
        if call.failures >= COOKBOOK_ATTEMPTS:
            self.lost.append(call.paper)
            return
        self.out[call] = call.paper
        self._again.append(call)

    def dispatch(self) -> float:
        now = self.clock.monotonic()
        due = max(self._paused_until, self._tick)
        if now < due:
            return due
        self._next = self._next or self._taken()
        if self._next is None:
            return math.inf
        paper = self._next.paper
        tokens = paper.usage.input_tokens + paper.cost.max_output_tokens
        wait = self._counters.take(tokens, now)
        if wait == 0:
            self.send(self._next, paper)
            self._next = None
        self._tick = now + max(wait, COOKBOOK_TICK_SECONDS)
        return self._tick

    def _taken(self) -> Call | None:
        if self._again:
            return self._again.popleft()
        if not self.pending:
            return None
        call = Call(self.pending.popleft())
        self.out[call] = call.paper
        return call


class Aimd(Rival):
    """TCP's way: one more in flight for each round of answers, half as many after a refusal.

    A kind one: it heeds `retry-after`, frees the slot meanwhile, and cuts once per incident.
    """

    def __init__(self, start: Start, *, most: int) -> None:
        super().__init__(start)
        self._most = most
        self._window = 1.0
        self._resume_at = -math.inf
        self._cut_at = -math.inf
        self._sent_at: dict[Call, float] = {}

    def answered(self, call: Call, paper: Paper, signals: Signals) -> None:
        self._window = min(self._most, self._window + 1 / self._window)

    def failed(self, call: Call, retry_after: float | None, *, was_refused: bool) -> None:
        now = self.clock.monotonic()
        self.pending.appendleft(call.paper)
        if self._sent_at.pop(call) > self._cut_at:
            self._cut_at = now
            self._window = max(1.0, self._window / 2)
        self._resume_at = max(self._resume_at, now + (retry_after or 1.0))

    def dispatch(self) -> float:
        now = self.clock.monotonic()
        if now < self._resume_at:
            return self._resume_at
        while self.pending and len(self.out) < math.floor(self._window):
            call = Call(self.pending.popleft())
            self._sent_at[call] = now
            self.send(call, call.paper)
        return math.inf


Maker = Callable[[Scenario, Start], Rival]


def _sdk(workers: int, retries: int) -> Maker:
    def make(scenario: Scenario, start: Start) -> Rival:
        at_once = min(workers, _most_at_once(scenario.limits))
        return SdkWorkers(start, workers=at_once, retries=retries)

    return make


def _cookbook(scenario: Scenario, start: Start) -> Rival:
    return Cookbook(start, counters=Counters(*told_to_cookbook(scenario.limits, start.server)))


def _aimd(scenario: Scenario, start: Start) -> Rival:
    return Aimd(start, most=_most_at_once(scenario.limits))


RIVALS: Mapping[str, Maker] = MappingProxyType(
    {
        "SDK x 5": _sdk(5, SDK_RETRIES),
        "SDK x 50": _sdk(50, SDK_RETRIES),
        "SDK x 50, 12 retries": _sdk(50, 12),
        "cookbook": _cookbook,
        "AIMD": _aimd,
    }
)


def told_to_cookbook(limits: Limits, server: StrictServer) -> tuple[float, float]:
    """Requests and tokens a minute, as its user would set them: as configured, else as headers
    tell, else its own defaults. It knows one limit on tokens: the sum of input and output."""
    is_known = server.headers != "none"
    if limits.requests_per_minute is None and not is_known:
        return _COOKBOOK_REQUESTS, _COOKBOOK_TOKENS
    real = {bucket: meter.rate * 60 for bucket, meter in server.buckets.items() if is_known}
    tokens = sum(
        configured or real.get(bucket, 0.0)
        for bucket, configured in (
            (Bucket.INPUT_TOKENS, limits.input_tokens_per_minute),
            (Bucket.OUTPUT_TOKENS, limits.output_tokens_per_minute),
        )
    )
    requests = limits.requests_per_minute or real.get(Bucket.REQUESTS, math.inf)
    return requests, tokens or math.inf


@dataclass(frozen=True, slots=True)
class Rivalry:
    """One rival's run of one scenario. `least_seconds` is the bound for the papers it graded;
    a rival that does not know what the user set may be faster."""

    run: Run
    least_seconds: float
    papers: int
    lost: int

    @property
    def efficiency(self) -> float:
        return self.least_seconds / self.run.seconds

    @property
    def refused_share(self) -> float:
        return self.run.refused_share


def try_rival(
    name: str,
    scenario: Scenario,
    seed: int,
    watch: Callable[[Rival], None] | None = None,
) -> Rivalry:
    """The same run as `virtual.try_out` makes of gradeq's pool. Rivals keep nothing over a
    restart, so a scenario with one is a ValueError."""
    if scenario.restart_at is not None:
        raise ValueError(f"{scenario.name}: {name} forgets everything in a restart")
    rng, clock = Random(seed), ManualClock()
    work = scenario.work(rng)
    server = scenario.server(rng)
    rival = RIVALS[name](scenario, Start(clock, server, work, rng))
    for change in scenario.changes:
        rival.at(change.at, partial(server.scale, change.factor, change.at))
    if watch is not None:
        watch(rival)
    run = rival.run_until()
    return Rivalry(run, _least(scenario, seed, work, rival), len(work), len(rival.lost))


def _least(scenario: Scenario, seed: int, work: Sequence[Paper], rival: Rival) -> float:
    lost = {id(paper) for paper in rival.lost}
    graded = [paper for paper in work if id(paper) not in lost]
    if not graded:
        return 0.0
    return least_seconds(scenario, seed, graded, rival.server.share_taken(rival.run.seconds))


def _most_at_once(limits: Limits) -> int:
    return limits.max_concurrency if limits.auto else limits.concurrency
