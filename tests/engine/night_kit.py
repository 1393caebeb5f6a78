"""A provider's batch API in the test's own hands: what was posted lies there until it is worked on.

It outlives engines, as a provider does, and counts every answer that it made: what is paid for.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from engine_kit import SECONDS, turns
from school import School, school, simulator

from gradeq import Engine
from gradeq.clock import ManualClock
from gradeq.limiter.base import Usage
from gradeq.outcome import ErrorClass
from gradeq.providers import build
from gradeq.providers.base import Answer, Failure
from gradeq.providers.batching import Entry, Outcome, Progress
from gradeq.providers.simulated import Simulator

HOUR = 3600.0
BEGAN = ManualClock().now_ms()
USAGE = Usage(input_tokens=1000, output_tokens=200)
PRICE = 0.01

Came = Answer | Failure


def reply(**levels: str) -> str:
    chosen = {"claim": "clear", "evidence": "met", **levels}
    criteria = {
        name: {"reason": "So it is.", "evidence": ["Teenagers need sleep"], "level": level}
        for name, level in chosen.items()
    }
    return json.dumps({"criteria": criteria, "feedback": "Well argued."})


def an_answer(text: str | None = None, stop: str = "end") -> Answer:
    return Answer(reply() if text is None else text, "{raw}", "marker-1", USAGE, stop)


def a_failure(error: ErrorClass, status: int | None = None, **given: Any) -> Failure:
    return Failure(error, f"it was {error}", status=status, **given)


EXPIRED = a_failure(ErrorClass.SNOOZED)


@dataclass
class Posted:
    """A batch as the provider has it."""

    id: str
    intent: str
    entries: tuple[Entry, ...]
    at: int
    came: dict[str, Came] = field(default_factory=dict)
    is_cancelled: bool = False
    is_ended: bool = False

    @property
    def papers(self) -> list[str]:
        """The number at the end of each essay, in the order of the entries."""
        return [paper_of(one) for one in self.entries]


def paper_of(entry: Entry) -> str:
    return "e" + entry.prompt.user.rpartition("I wrote this as number ")[2].partition(".")[0]


class NightClock(ManualClock):
    """Tells how many lie asleep until they are woken: dispatchers and the night shift."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0

    async def wait_for(self, event: asyncio.Event, timeout: float) -> bool:
        self.waiting += 1
        try:
            return await super().wait_for(event, timeout)
        finally:
            self.waiting -= 1


class SameTime(ManualClock):
    """The time of `clock` for somebody else, whose sleep is not counted."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.now_ms = clock.now_ms
        self.monotonic = clock.monotonic
        self.sleep = clock.sleep


class BatchApi:
    """`keeps_names` as OpenAI does; without them `find` tells all of the right size."""

    max_entries = 100
    max_bytes = 1 << 20

    def __init__(self, clock: ManualClock, *, keeps_names: bool = True) -> None:
        self.posts: list[Posted] = []
        self.paid: Counter[str] = Counter()
        self.refusing: list[Failure | None] = []
        """What the next posts end with; None: they go well."""
        self.losing: Failure | None = None
        """The next post is taken, but its poster hears only this."""
        self.dumb: Failure | None = None
        """The answer to everything but a post, while it is set."""
        self.unreadable: Failure | None = None
        """Comes after the first outcome, once."""
        self.hangs = False
        """The next post is taken, and its poster hears nothing any more."""
        self.looks = 0
        self.cancels: list[str] = []
        self._clock = clock
        self._keeps_names = keeps_names

    def size(self, entry: Entry) -> int:
        return len(entry.prompt.user)

    def price(self, usage: Usage) -> float:
        return PRICE

    async def post(self, intent: str, entries: Sequence[Entry]) -> str | Failure:
        refused = self.refusing.pop(0) if self.refusing else None
        if refused is not None:
            return refused
        batch = self.take(intent, entries)
        if self.hangs:
            self.hangs = False
            await asyncio.Event().wait()
        lost, self.losing = self.losing, None
        return lost or batch.id

    def take(self, intent: str, entries: Sequence[Entry]) -> Posted:
        number = len(self.posts) + 1
        batch = Posted(f"batch_{number}", intent, tuple(entries), self._clock.now_ms())
        self.posts.append(batch)
        return batch

    async def find(self, intent: str, *, since_ms: int, entries: int) -> list[str] | Failure:
        found = [one for one in self.posts if one.at > since_ms and len(one.entries) == entries]
        if self._keeps_names:
            found = [one for one in found if one.intent == intent]
        return self.dumb or [one.id for one in found]

    async def progress(self, batch_id: str) -> Progress | Failure:
        self.looks += 1
        if self.dumb is not None:
            return self.dumb
        one = self._posted(batch_id)
        answered = sum(isinstance(came, Answer) for came in one.came.values())
        failed = len(one.came) - answered
        return Progress(
            one.id, one.is_ended, answered, failed, len(one.entries) - answered - failed
        )

    async def outcomes(self, batch_id: str) -> AsyncIterator[Outcome | Failure]:
        unreadable, self.unreadable = self.unreadable, None
        for number, (name, came) in enumerate(self._posted(batch_id).came.items()):
            if number and unreadable is not None:
                yield unreadable
                return
            yield Outcome(name, came)

    async def cancel(self, batch_id: str) -> Failure | None:
        if self.dumb is not None:
            return self.dumb
        self.cancels.append(batch_id)
        self._posted(batch_id).is_cancelled = True
        return None

    async def aclose(self) -> None:
        """An engine that goes takes nothing with it."""

    def _posted(self, batch_id: str) -> Posted:
        return next(one for one in self.posts if one.id == batch_id)

    # What the test does at the provider ---------------------------------------------------------

    def answer(self, batch: Posted, *names: str, came: Came | None = None) -> None:
        """Work on these papers, or on all that are left."""
        for entry in batch.entries:
            paper = paper_of(entry)
            if entry.custom_id not in batch.came and (not names or paper in names):
                outcome = came or an_answer()
                batch.came[entry.custom_id] = outcome
                self.paid[paper] += isinstance(outcome, Answer)

    def end(self, batch: Posted) -> None:
        """What has not been answered was not asked."""
        self.answer(batch, came=EXPIRED)
        batch.is_ended = True

    def finish(self, batch: Posted) -> None:
        self.answer(batch)
        self.end(batch)


@dataclass
class Night:
    """A school whose provider has a batch API, and the clock that all of them go by."""

    school: School
    api: BatchApi
    clock: NightClock

    @property
    def engine(self) -> Engine:
        return self.school.engine

    async def submit(self, papers: Any, **options: Any) -> Any:
        return await self.school.submit(papers, **{"when": "overnight", **options})

    async def has_posted(self, count: int, *, is_heard: bool = True) -> Posted:
        """Wait, for hours if need be, until so many batches were posted; the last one.

        `is_heard`: and until the engine has written down their ids.
        """

        async def reached() -> bool:
            open_ = await self.engine.store.provider_batches.open()
            is_known = all(one.provider_batch_id is not None for one in open_)
            return len(self.api.posts) >= count and (is_known or not is_heard)

        await self.turn_until(reached)
        return self.api.posts[count - 1]

    def answers_per_paper(self) -> Counter[str]:
        """What the simulated provider was paid for, live or overnight, by the papers' digests."""
        stats = self.school.sim.stats
        return Counter(stats.calls_per_paper) + Counter(stats.batch_answers_per_paper)

    async def turn_until(
        self, reached: Callable[[], Awaitable[bool]], *, step: float = 20.0, hours: float = 60
    ) -> None:
        """Turn the clock, whenever everybody waits for it, until it is so."""
        for _ in range(round(hours * HOUR / step)):
            await self._quiet()
            if await reached():
                return
            self.clock.advance(step)
        raise AssertionError(f"it was not so within {hours} hours")

    async def _quiet(self) -> None:
        """Until nothing moves but by the clock: the dispatchers and the night shift lie asleep."""
        pools = self.engine.pools.values()
        async with asyncio.timeout(SECONDS):
            while True:
                await turns(self.engine, 2)
                is_working = any(pool.in_flight for pool in pools) or self.engine._worker.busy
                if self.clock.waiting == len(pools) + 1 and not is_working:
                    return
                # Whoever reads without a pause can keep the thread that writes from its turn:
                # between two threads that hand over to each other all the time, a third starves.
                await asyncio.sleep(0.001)

    async def hour_of(self, kind: str) -> float:
        """When the last such event was, in hours since the night began."""
        found = [one.at for one in await self.engine.store.events(0, 5000) if one.kind == kind]
        return (found[-1] - BEGAN) / 3_600_000

    async def until_over(self, batch_id: int) -> None:
        async def reached() -> bool:
            batch = await self.engine.store.batch(batch_id)
            assert batch is not None
            return batch.finished_at is not None

        await self.turn_until(reached)

    async def until_open(self, count: int) -> None:
        """Until so many provider's batches have not ended."""

        async def reached() -> bool:
            return len(await self.engine.store.provider_batches.open()) == count

        await self.turn_until(reached)

    async def until_paused(self, batch_id: int) -> str:
        async def reached() -> bool:
            batch = await self.engine.store.batch(batch_id)
            assert batch is not None
            return batch.paused_at is not None

        await self.turn_until(reached)
        batch = await self.engine.store.batch(batch_id)
        assert batch is not None
        assert batch.paused_by == "gradeq"
        return batch.pause_reason or ""

    async def passes(self, seconds: float, *, step: float = 20.0) -> None:
        """Time in which whoever is too early would be seen."""
        for _ in range(max(1, round(seconds / step))):
            await self._quiet()
            self.clock.advance(step)
        await self._quiet()

    def paid_once(self, count: int) -> bool:
        """Every paper e1, e2, … was answered once, by the batch API or by a live call."""
        names = [f"e{n}" for n in range(1, count + 1)]
        live = sum(self.school.sim.stats.calls_per_paper.values())
        paid = Counter({name: times for name, times in self.api.paid.items() if times})
        return (
            set(paid) <= set(names)
            and max(paid.values(), default=1) == 1
            and (live + sum(paid.values()) == count)
        )


@asynccontextmanager
async def real_night(
    path: Path, clock: NightClock, sim: Simulator, **options: Any
) -> AsyncIterator[Night]:
    """An engine that speaks to the simulated provider's own batch API over HTTP."""
    async with school(path, sim, clock=clock, **options) as opened:
        yield Night(opened, BatchApi(clock), clock)


class NightMaker:
    """Opens engines on one database, one after the other, before the same provider."""

    def __init__(self, path: Path, patch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.clock = NightClock()
        self.api = BatchApi(self.clock)
        self._patch = patch

    @asynccontextmanager
    async def open(
        self, *, has_batch_api: bool = True, sim: Simulator | None = None, **options: Any
    ) -> AsyncIterator[Night]:
        api = self.api if has_batch_api else None
        self._patch.setattr(build, "build_batch_provider", lambda *_: api)
        if sim is None:
            async with (
                simulator() as made,
                self.open(has_batch_api=has_batch_api, sim=made, **options) as night,
            ):
                yield night
            return
        # The same address in every life: the pool is named by it.
        async with school(self.path, sim, clock=self.clock, **options) as opened:
            yield Night(opened, self.api, self.clock)
