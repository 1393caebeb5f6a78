"""Those who call the provider, each in a process of its own: `python -m bench.limiter.clients`.

The task comes as one line of JSON on stdin. "ready" is told when everything is set up; the line
"go" starts it, the line "stop" ends it early; "over" is told when the last paper is done, and
then what came of it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from bench.limiter.baselines import (
    COOKBOOK_ATTEMPTS,
    COOKBOOK_PAUSE_SECONDS,
    SDK_RETRIES,
    Counters,
)
from bench.limiter.prompts import MODEL, RUBRIC, prompts, submissions, texts
from gradeq import Engine, ProviderSettings
from gradeq.providers.anthropic import AnthropicDialect
from gradeq.providers.base import Prompt
from gradeq.providers.tokens import guess_cost

KEY = "bench-key"
SAMPLED_EVERY_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Task:
    """What a client is told. Limits are per minute, `window` in seconds of them."""

    client: str
    url: str
    papers: int
    seed: int
    database: str
    concurrency: int
    configured: Mapping[str, float]
    believed: Mapping[str, float]
    window: float


@dataclass(slots=True)
class Report:
    """What came of it. `graded` are the papers' numbers, `levels` (wall seconds, level by bucket)
    as the limiter saw them."""

    graded: list[int] = field(default_factory=list)
    lost: int = 0
    levels: list[tuple[float, dict[str, float]]] = field(default_factory=list)


class Cue:
    """The other end of stdin and stdout."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._go = asyncio.Event()
        self._stop = asyncio.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    async def ready(self) -> None:
        """Tell so, and wait for the start."""
        say({"ready": True})
        await self._go.wait()

    async def until_over(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work` until it is done or stopped, and tell."""
        working = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait((working, stopped), return_when=asyncio.FIRST_COMPLETED)
        say({"over": True})
        stopped.cancel()
        if not working.done():
            working.cancel()
        await asyncio.gather(working, stopped, return_exceptions=True)
        if not working.cancelled() and (error := working.exception()):
            raise error

    def _listen(self) -> None:
        for line, event in zip(sys.stdin, (self._go, self._stop), strict=False):
            assert line.strip() in ("go", "stop"), line
            self._loop.call_soon_threadsafe(event.set)
        # Whoever gave the cues is gone, perhaps killed: nobody is left to work for.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._go.set)
            self._loop.call_soon_threadsafe(self._stop.set)


def say(what: Mapping[str, Any]) -> None:
    print(json.dumps(what), flush=True)


async def with_gradeq(task: Task, cue: Cue) -> Report:
    """The whole engine: queue on disk, limiter, calls, checked answers, grades on disk."""
    settings = ProviderSettings(
        "bench",
        "anthropic",
        MODEL,
        task.url,
        "BENCH_KEY",
        concurrency=task.concurrency,
        **dict[str, Any](task.configured),
    )
    engine = Engine(
        task.database, providers=[settings], environ={"BENCH_KEY": KEY}, grace_seconds=0.0
    )
    report = Report()
    async with engine:
        rubric_id = await engine.rubrics.put(RUBRIC, "bench")
        papers = submissions(texts(task.papers, task.seed))
        await cue.ready()
        batch = await engine.submit(papers, rubric_id=rubric_id, idempotency_key="bench")
        sampler = asyncio.create_task(_sample(engine, report))
        await cue.until_over(_all_results(engine, batch.id, report))
        sampler.cancel()
    return report


async def _all_results(engine: Engine, batch_id: int, report: Report) -> None:
    async for result in engine.results(batch_id):
        if result.grade is None:
            report.lost += 1
        else:
            report.graded.append(int(result.id))


async def _sample(engine: Engine, report: Report) -> None:
    (pool,) = engine.pools.values()
    while True:
        levels = {gauge.bucket.value: gauge.level for gauge in pool.reading().levels}
        report.levels.append((time.time(), levels))
        await asyncio.sleep(SAMPLED_EVERY_SECONDS)


def with_sdk(workers: int, retries: int) -> Callable[[Task, Cue], Awaitable[Report]]:
    """The Anthropic SDK behind `workers` workers; retries as it makes them itself."""

    async def run(task: Task, cue: Cue) -> Report:
        import anthropic

        report = Report()
        waiting = enumerate(_sdk_request(prompt) for prompt in _prompts(task))
        async with anthropic.AsyncAnthropic(
            api_key=KEY, base_url=task.url, max_retries=retries
        ) as client:

            async def work() -> None:
                for number, request in waiting:
                    try:
                        await client.messages.create(**request)
                        report.graded.append(number)
                    except anthropic.APIError:
                        report.lost += 1

            await cue.ready()
            await cue.until_over(_together(work() for _ in range(workers)))
        return report

    return run


async def _together(workers: Iterator[Coroutine[Any, Any, None]]) -> None:
    await asyncio.gather(*workers)


def _sdk_request(prompt: Prompt) -> dict[str, Any]:
    """The same request as gradeq's; the API version that the SDK speaks knows no temperature."""
    request: dict[str, Any] = json.loads(_body(prompt))
    del request["temperature"]
    return request


def _body(prompt: Prompt) -> bytes:
    dialect = AnthropicDialect(MODEL)
    return dialect.encode(prompt, dialect.first_form)


def _prompts(task: Task) -> list[Prompt]:
    return prompts(texts(task.papers, task.seed))


class CookbookProcessor:
    """`baselines.Cookbook` over HTTP: see there."""

    def __init__(self, task: Task, report: Report) -> None:
        self._report = report
        self._url = f"{task.url}/v1/messages"
        self._prompts = _prompts(task)
        self._new = iter([(number, COOKBOOK_ATTEMPTS) for number in range(task.papers)])
        self._again: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
        self._open = task.papers
        self._refused_at = float("-inf")
        self._calls: set[asyncio.Task[None]] = set()
        tokens = sum(v for name, v in task.believed.items() if "tokens" in name)
        self._counters = Counters(
            task.believed.get("requests_per_minute", float("inf")),
            tokens or float("inf"),
            window=task.window,
        )

    async def run(self) -> None:
        import aiohttp

        async with aiohttp.ClientSession(headers=self._headers()) as session:
            try:
                await self._process(session)
            finally:
                for call in self._calls:
                    call.cancel()

    async def _process(self, session: Any) -> None:
        job = self._next()
        while self._open:
            if job is not None and self._counters.take(self._tokens(job[0]), time.monotonic()) == 0:
                self._start(self._call(session, *job))
                job = None
            await asyncio.sleep(0.001)
            pause = self._refused_at + COOKBOOK_PAUSE_SECONDS - time.monotonic()
            if pause > 0:
                await asyncio.sleep(pause)
            job = job or self._next()

    def _headers(self) -> dict[str, str]:
        (version,) = AnthropicDialect.extra_headers
        return {"x-api-key": KEY, version[0].decode(): version[1].decode()}

    def _tokens(self, number: int) -> float:
        prompt = self._prompts[number]
        return guess_cost(prompt).input_tokens + prompt.max_output_tokens

    def _next(self) -> tuple[int, int] | None:
        if not self._again.empty():
            return self._again.get_nowait()
        return next(self._new, None)

    def _start(self, call: Coroutine[Any, Any, None]) -> None:
        running = asyncio.create_task(call)
        self._calls.add(running)
        running.add_done_callback(self._calls.discard)

    async def _call(self, session: Any, number: int, attempts: int) -> None:
        async with session.post(
            self._url,
            data=_body(self._prompts[number]),
            headers={"content-type": "application/json"},
        ) as answer:
            await answer.read()
        if answer.status == 200:
            self._report.graded.append(number)
            self._open -= 1
            return
        if answer.status == 429:
            self._refused_at = time.monotonic()
        if attempts > 1:
            self._again.put_nowait((number, attempts - 1))
            return
        self._report.lost += 1
        self._open -= 1


async def with_cookbook(task: Task, cue: Cue) -> Report:
    report = Report()
    processor = CookbookProcessor(task, report)
    await cue.ready()
    await cue.until_over(processor.run())
    return report


GRADEQ = "gradeq"
CLIENTS: Mapping[str, Callable[[Task, Cue], Awaitable[Report]]] = MappingProxyType(
    {
        GRADEQ: with_gradeq,
        "SDK x 5": with_sdk(5, SDK_RETRIES),
        "SDK x 50": with_sdk(50, SDK_RETRIES),
        "SDK x 50, 12 retries": with_sdk(50, 12),
        "cookbook": with_cookbook,
    }
)


async def main() -> None:
    task = Task(**json.loads(sys.stdin.readline()))
    cue = Cue()
    report = await CLIENTS[task.client](task, cue)
    say(asdict(report))


if __name__ == "__main__":
    asyncio.run(main())
