"""Real HTTP: gradeq, the official SDK and the cookbook side by side, half a minute each.

Everybody has a simulated provider of their own, in a process of its own, and sends it the same
requests. What they are told and what is counted comes from the provider.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from bench.limiter.clients import CLIENTS, GRADEQ, KEY, SAMPLED_EVERY_SECONDS, Task
from bench.limiter.prompts import MODEL, prompts, texts
from bench.limiter.short_runs import LIMITS, ShortRun, others_gaps
from bench.limiter.trace import Sample, Trace
from gradeq.clock import SystemClock
from gradeq.config import ProviderSettings
from gradeq.limiter.base import Usage
from gradeq.providers.base import Answer
from gradeq.providers.build import build_provider
from gradeq.providers.simulated import Simulator, SimulatorSettings

CUT_AFTER = 1.3
"""Whoever takes longer than so many times the bound is stopped: papers left are not lost."""
_SHORTEST_SECONDS = 10.0
_ROOT = Path(__file__).parents[2]
_OTHER_KEY = "somebody-else"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One client's run. `least_seconds` is the bound for the papers it graded."""

    client: str
    seconds: float
    least_seconds: float
    papers: int
    graded: int
    lost: int
    requests: int
    refused: int
    inside_windows: int
    lag_seconds: float
    """By which one sleep in twenty here ended late: where it is long, the machine was the limit."""
    trace: Trace

    @property
    def efficiency(self) -> float:
        return self.least_seconds / self.seconds

    @property
    def refused_share(self) -> float:
        return self.refused / max(1, self.requests)


class Child:
    """A Python process that speaks in lines of JSON; it is gone when the block is left."""

    def __init__(self, *command: str) -> None:
        self._command = command

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *self._command,
            stdin=pipe,
            stdout=pipe,
            limit=1 << 24,
            cwd=_ROOT,
            env=os.environ | {"NO_PROXY": "127.0.0.1"},
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.returncode is None:
            self._process.kill()
        # What it still had to say must be read, or its pipe is never closed.
        await self._process.communicate()

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    async def heard(self, seconds: float = 60.0) -> Any:
        """The next line. Raises TimeoutError, and RuntimeError where the process has ended."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), seconds)
        if not line:
            raise RuntimeError(f"{' '.join(self._command[:1])} ended; see its error above")
        return json.loads(line)


class Provider:
    """The simulated provider of one client, from outside."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http = http
        self.url = url

    async def change(self, **settings: Any) -> None:
        answer = await self._http.post(f"{self.url}/simulated/settings", json=settings)
        answer.raise_for_status()

    async def standing(self, key: str) -> dict[str, Any]:
        """Of one key; empty before its first call."""
        answer = await self._http.get(f"{self.url}/simulated/accounts")
        return next((one for one in answer.json() if one["key"] == key), {})

    async def repeated(self, papers: int) -> int:
        """Calls let in beyond the first for each paper."""
        answer = await self._http.get(f"{self.url}/simulated/stats")
        calls: dict[str, int] = answer.json()["calls_per_paper"]
        return sum(calls.values()) - papers

    async def ask_as_other(self) -> None:
        await self._http.post(
            f"{self.url}/v1/messages",
            headers={"x-api-key": _OTHER_KEY, "anthropic-version": "2023-06-01"},
            json={
                "model": MODEL,
                "max_tokens": 100,
                "messages": [{"role": "user", "content": "Is it so?"}],
            },
        )


class Stage:
    """One client in front of its provider."""

    def __init__(self, run: ShortRun, usages: Sequence[Usage], seed: int) -> None:
        self._run = run
        self._usages = usages
        self._seed = seed

    async def play(self, client: str, together: asyncio.Barrier) -> Outcome:
        """From the start to the last paper; `together` starts all clients at once."""
        async with AsyncExitStack() as stack:
            told = json.dumps(asdict(self._run.provider))
            server = await stack.enter_async_context(Child("bench.limiter.provider", told))
            http = await stack.enter_async_context(httpx.AsyncClient(timeout=60.0, trust_env=False))
            provider = Provider(http, (await server.heard())["url"])
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            task = self._task(client, provider.url, Path(folder) / "bench.db")
            child = await stack.enter_async_context(self._child(task))
            await child.heard()
            await together.wait()
            return await self._played(task, child, provider, stack)

    def _task(self, client: str, url: str, database: Path) -> Task:
        run = self._run
        return Task(
            client,
            url,
            run.papers,
            self._seed,
            str(database),
            run.concurrency,
            dict(run.configured),
            run.believed,
            run.window,
        )

    def _child(self, task: Task) -> Child:
        return _Client(task)

    async def _played(
        self, task: Task, child: Child, provider: Provider, stack: AsyncExitStack
    ) -> Outcome:
        began, wall = time.monotonic(), time.time()
        child.say("go")
        trace, lags = Trace(self._capacities()), list[float]()
        chores = [
            asyncio.create_task(chore)
            for chore in (
                self._watch(provider, trace, began),
                self._meddle(provider, began),
                self._be_somebody_else(provider),
                _note_lags(lags),
            )
        ]
        try:
            if self._run.killed_at is not None:
                child = await self._restarted(task, child, stack)
            await self._until_over(child, began)
            seconds = time.monotonic() - began
            mine, other = [await provider.standing(key) for key in (KEY, _OTHER_KEY)]
        finally:
            await _cancelled(chores)
        report = await child.heard()
        trace.believed = [(at - wall, levels) for at, levels in report["levels"]]
        return Outcome(
            task.client,
            seconds,
            self._least(report["graded"], await self._more(provider, other)),
            self._run.papers,
            len(report["graded"]),
            report["lost"],
            mine["requests"],
            mine["refused_429"],
            mine["arrived_inside_retry_after"],
            sorted(lags)[int(0.95 * len(lags))],
            trace,
        )

    def _capacities(self) -> dict[str, float]:
        provider = self._run.provider
        limits = {name: getattr(provider, name) for name in LIMITS}
        return {
            name.removesuffix("_per_minute"): limit / 60 * provider.burst_seconds
            for name, limit in limits.items()
            if limit
        }

    async def _restarted(self, task: Task, child: Child, stack: AsyncExitStack) -> Child:
        assert self._run.killed_at is not None
        await asyncio.sleep(self._run.killed_at)
        await child.__aexit__(None, None, None)
        again = await stack.enter_async_context(self._child(task))
        await again.heard()
        again.say("go")
        return again

    async def _until_over(self, child: Child, began: float) -> None:
        ours = self._run.least_seconds(self._usages) / (1 - self._run.other_share)
        left = max(_SHORTEST_SECONDS, CUT_AFTER * ours) - (time.monotonic() - began)
        try:
            await child.heard(left)
        except TimeoutError:
            child.say("stop")
            await child.heard()

    async def _watch(self, provider: Provider, trace: Trace, began: float) -> None:
        while True:
            seen = await provider.standing(KEY)
            if seen:
                levels = {name.replace(" ", "_"): left for name, left in seen["levels"].items()}
                at = time.monotonic() - began
                sample = Sample(at, seen["in_flight"], seen["refused_429"], levels)
                trace.samples.append(sample)
            await asyncio.sleep(SAMPLED_EVERY_SECONDS)

    async def _meddle(self, provider: Provider, began: float) -> None:
        """What happens to the provider on the way."""
        limits = {name: getattr(self._run.provider, name) for name in LIMITS}
        for change in self._run.changes:
            await _sleep_until(began + change.at)
            limits = {name: limit and limit * change.factor for name, limit in limits.items()}
            await provider.change(**limits)
        if self._run.outage is not None:
            for at, fail in zip(self._run.outage, ("529", ""), strict=True):
                await _sleep_until(began + at)
                await provider.change(fail=fail)

    async def _be_somebody_else(self, provider: Provider) -> None:
        """Refused or not, somebody else goes on as before."""
        async with asyncio.TaskGroup() as calls:
            for gap in others_gaps(self._run, self._seed):
                await asyncio.sleep(gap)
                calls.create_task(provider.ask_as_other())

    async def _more(self, provider: Provider, other: dict[str, Any]) -> list[Usage]:
        """What was let in besides one call for each paper."""
        more = [Usage()] * (other.get("requests", 0) - other.get("refused_429", 0))
        if self._run.killed_at is not None:
            more += [_mean(self._usages)] * await provider.repeated(self._run.papers)
        return more

    def _least(self, graded: Sequence[int], more: list[Usage]) -> float:
        if not graded:
            return 0.0
        return self._run.least_seconds([self._usages[number] for number in graded], more=more)


class _Client(Child):
    def __init__(self, task: Task) -> None:
        super().__init__("bench.limiter.clients")
        self._task = task

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.say(json.dumps(asdict(self._task)))
        return self


async def _sleep_until(at: float) -> None:
    await asyncio.sleep(max(0.0, at - time.monotonic()))


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


def _mean(usages: Sequence[Usage]) -> Usage:
    return Usage(
        round(sum(one.input_tokens for one in usages) / len(usages)),
        round(sum(one.output_tokens for one in usages) / len(usages)),
    )


async def rehearsed(run: ShortRun, seed: int) -> list[Usage]:
    """What each paper costs, as this provider counts it: input without what its cache spares."""
    easy = SimulatorSettings(glance=True, seed=run.provider.seed)
    async with Simulator(easy) as simulator:
        settings = ProviderSettings("bench", "anthropic", MODEL, simulator.url, "BENCH_KEY")
        provider = build_provider(settings, SystemClock(), {"BENCH_KEY": KEY})
        try:
            answers = [await provider.complete(p) for p in prompts(texts(run.papers, seed))]
        finally:
            await provider.aclose()
    usages = [answer.usage for answer in answers if isinstance(answer, Answer)]
    assert len(usages) == run.papers, answers
    return [replace(one, input_tokens=one.input_tokens - one.cache_read_tokens) for one in usages]


def clients_of(run: ShortRun) -> list[str]:
    """Who can take part: only gradeq goes on after a restart."""
    return [GRADEQ] if run.killed_at is not None else list(CLIENTS)


async def play(
    run: ShortRun, clients: Sequence[str] = (), *, in_turn: bool = False, seed: int = 1
) -> list[Outcome]:
    """All clients at the same time, or one after the other; `clients` narrows them down."""
    chosen = [one for one in clients_of(run) if not clients or one in clients]
    stage = Stage(run, await rehearsed(run, seed), seed)
    if in_turn:
        return [await stage.play(one, asyncio.Barrier(1)) for one in chosen]
    together = asyncio.Barrier(len(chosen))
    return list(await asyncio.gather(*(stage.play(one, together) for one in chosen)))


async def _note_lags(lags: list[float]) -> None:
    """How late a short sleep ends tells how busy the machine is."""
    while True:
        due = time.monotonic() + 0.05
        await _sleep_until(due)
        lags.append(time.monotonic() - due)
