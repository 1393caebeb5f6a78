"""Parts that the engine's tests are made of: a watched store, a grader under control, clocks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from gradeq import Engine, Grade, Job, NewSubmission
from gradeq.clock import ManualClock, wait_for_event
from gradeq.store.claims import Attempt, Claimed, PaidAnswer, Recovery, Settlement
from gradeq.store.sqlite import SqliteStore

SECONDS = 30.0
"""How long a test waits for what must happen, before it fails."""


def papers(count: int, *, start: int = 1, **given: Any) -> list[NewSubmission]:
    return [
        NewSubmission(f"p{n}", f"Paper number {n}.", **given) for n in range(start, start + count)
    ]


class WatchedStore(SqliteStore):
    """The real store; it keeps count of what is asked of it and can be made to stumble.

    `room` tells how many calls could start, to compare with what is claimed at that moment.
    `dead` stands for a process that was killed: nothing that it settles is written any more.
    """

    def __init__(self, path: Path, **options: Any) -> None:
        super().__init__(path, **options)
        self.claims: list[tuple[str, int, int]] = []
        self.room: Callable[[], int] | None = None
        self.asked_beyond_room = 0
        self.upkeeps = 0
        self.dead = False
        self._claimed = asyncio.Event()
        self.after_claim: Callable[[], Awaitable[None]] | None = None
        self.after_answer: Callable[[], Awaitable[None]] | None = None

    async def claim(
        self, pool: str, limit: int, lease_seconds: float, *, but: Sequence[int] = ()
    ) -> list[Claimed]:
        if self.room is not None:
            self.asked_beyond_room = max(self.asked_beyond_room, limit - self.room())
        claimed = await super().claim(pool, limit, lease_seconds, but=but)
        self.claims.append((pool, limit, len(claimed)))
        self._claimed.set()
        if self.after_claim is not None:
            await self.after_claim()
        return claimed

    async def next_claim(self) -> None:
        """Wait until somebody asks for work once more."""
        await self.has_claimed(len(self.claims) + 1)

    async def has_claimed(self, wanted: int) -> None:
        """Wait until work was asked for `wanted` times in all."""
        async with asyncio.timeout(SECONDS):
            while len(self.claims) < wanted:
                self._claimed.clear()
                await self._claimed.wait()

    async def settle(self, settlements: Sequence[Settlement]) -> list[bool]:
        if self.dead:
            return [False for _ in settlements]
        return await super().settle(settlements)

    async def expire(self) -> Recovery:
        try:
            return await super().expire()
        finally:
            self.upkeeps += 1

    async def store_answer(self, claimed: Claimed, attempt: Attempt, answer: PaidAnswer) -> int:
        attempt_id = await super().store_answer(claimed, attempt, answer)
        if self.after_answer is not None:
            await self.after_answer()
        return attempt_id


class Desk:
    """A grader whose papers lie on its desk until the test finishes them."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.most_at_once = 0
        self._finished = 0
        self._lying: dict[str, asyncio.Future[Grade]] = {}
        self._arrived = asyncio.Event()

    async def __call__(self, job: Job) -> Grade:
        name = job.submission.external_id if job.submission else str(job.id)
        self.order.append(name)
        self._lying[name] = asyncio.get_running_loop().create_future()
        self.most_at_once = max(self.most_at_once, len(self._lying))
        self._arrived.set()
        try:
            return await self._lying[name]
        finally:
            del self._lying[name]

    @property
    def lying(self) -> list[str]:
        return list(self._lying)

    async def has(self, count: int) -> None:
        """Wait until `count` papers have come in all."""
        async with asyncio.timeout(SECONDS):
            while len(self.order) < count:
                self._arrived.clear()
                await self._arrived.wait()

    def finish(self, *names: str) -> None:
        for name in names or self.lying:
            if not self._lying[name].done():
                self._lying[name].set_result(Grade(score=1, max_score=1))
                self._finished += 1

    async def finish_all(self, count: int) -> None:
        """Finish papers as they come, until `count` have been finished in all."""
        while self._finished < count:
            await self.has(self._finished + 1)
            self.finish()
            await asyncio.sleep(0)


class HeldClock(ManualClock):
    """A ManualClock that tells when somebody has lain down: a call that waits for its answer."""

    def __init__(self) -> None:
        super().__init__()
        self.sleepers = 0
        self._lain_down = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.sleepers += seconds > 0
        self._lain_down.set()
        await super().sleep(seconds)

    async def holds(self, count: int) -> None:
        """Wait until `count` sleeps have begun in all."""
        async with asyncio.timeout(SECONDS):
            while self.sleepers < count:
                self._lain_down.clear()
                await self._lain_down.wait()


class FastClock:
    """Real time, `speed` times as fast: long waits pass in a moment, in their right order."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self._began = time.monotonic()

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * self.speed

    def now_ms(self) -> int:
        return 1_800_000_000_000 + round(self.monotonic() * 1000)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self.speed)

    async def wait_for(self, event: asyncio.Event, timeout: float) -> bool:
        return await wait_for_event(event, timeout / self.speed)


def an_engine(path: Path, **options: Any) -> Engine:
    options.setdefault("rng", Random(1))
    options.setdefault("grace_seconds", 0.0)
    return Engine(path, **options)


def with_desk(folder: Any, desk: Desk, *, concurrency: int = 2, **options: Any) -> Engine:
    engine = an_engine(folder / "g.db", **options)
    engine.grader("desk", concurrency=concurrency)(desk)
    return engine


async def until(engine: Engine, reached: Callable[[], Awaitable[bool]]) -> None:
    """Look again after each commit until it is so."""
    rung = asyncio.Event()
    engine.store.subscribe(rung.set)
    async with asyncio.timeout(SECONDS):
        while not await reached():
            await rung.wait()
            rung.clear()


async def until_over(engine: Engine, batch_id: int) -> None:
    await until(engine, lambda: _is_over(engine, batch_id))


async def _is_over(engine: Engine, batch_id: int) -> bool:
    batch = await engine.store.batch(batch_id)
    assert batch is not None
    return batch.finished_at is not None


async def until_in_state(engine: Engine, job_ids: Iterable[int], state: str) -> None:
    wanted = list(job_ids)

    async def reached() -> bool:
        return [await state_of(engine, one) for one in wanted] == [state] * len(wanted)

    await until(engine, reached)


async def until_states(engine: Engine, batch_id: int, **expected: int) -> None:
    """Wait until the batch has exactly so many jobs in these states."""

    async def reached() -> bool:
        return await states(engine, batch_id) == expected

    await until(engine, reached)


async def state_of(engine: Engine, job_id: int) -> str:
    job = await engine.store.job(job_id)
    assert job is not None
    return job.state.value


async def states(engine: Engine, batch_id: int) -> dict[str, int]:
    """How many jobs of the batch are pending, processing, … ; zeros left out."""
    batch = await engine.store.batch(batch_id)
    assert batch is not None
    names = ("pending", "processing", "completed", "failed", "cancelled")
    return {name: getattr(batch, name) for name in names if getattr(batch, name)}


async def turns(engine: Engine, count: int = 50) -> None:
    """Time in which whoever polls busily would be seen: `count` ways to the disk and back."""
    for _ in range(count):
        await engine.store.last_event()
