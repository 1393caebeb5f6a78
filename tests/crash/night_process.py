"""A process that grades overnight and kills itself at a given point, as a power cut would.

    night_process.py DATABASE PROVIDER_URL BEGAN PAPERS POINT

BEGAN is the wall time at which the night of all its lives began: time passes SPEED times as fast.
POINT: `intended` (before the POST), `sent` (after it, the id not written), `collected` (some
answers are stored, not read), `settled` (half the grades stand), or `never`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from gradeq import Engine, NewSubmission, ProviderSettings
from gradeq.clock import wait_for_event
from gradeq.overnight import collecting
from gradeq.providers.batches.anthropic import AnthropicBatches
from gradeq.store.sqlite import SqliteStore
from gradeq.store.sqlite.overnight import SqliteProviderBatches

SPEED = 100.0
START_MS = 1_800_000_000_000
RUBRIC = """
[[criteria]]
id = "claim"
description = "Is there a clear position?"
points = 2
"""
TEXT = "Schools should start later, because sleep helps. This is the paper number {n}."


class FastNight:
    """The same fast time for every process that knows when it began."""

    def __init__(self, began: float) -> None:
        self._began = began

    def monotonic(self) -> float:
        return (time.time() - self._began) * SPEED

    def now_ms(self) -> int:
        return START_MS + round(self.monotonic() * 1000)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / SPEED)

    async def wait_for(self, event: asyncio.Event, timeout: float) -> bool:
        return await wait_for_event(event, timeout / SPEED)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)


def after(kind: type, name: str, times: int, then: Callable[[], None]) -> None:
    """Call `then` when `kind.name` has returned for the so-many-th time."""
    original = getattr(kind, name)
    done = 0

    async def wrapped(*args: Any, **options: Any) -> Any:
        nonlocal done
        result = await original(*args, **options)
        done += 1
        if done == times:
            then()
        return result

    setattr(kind, name, wrapped)


def die_at(point: str) -> None:
    collecting._TOGETHER = 5
    match point:
        case "intended":
            after(SqliteProviderBatches, "intend", 1, die)
        case "sent":
            after(AnthropicBatches, "post", 1, die)
        case "collected":
            after(SqliteProviderBatches, "collect", 2, die)
        case "settled":
            # Papers are settled as they come; the first five answers are one transaction or more.
            after(SqliteProviderBatches, "collect", 1, lambda: after(SqliteStore, "settle", 1, die))


async def main(database: str, url: str, began: str, papers: str, point: str) -> None:
    die_at(point)
    provider = ProviderSettings("school", "simulated", "marker-1", base_url=url)
    engine = Engine(database, providers=[provider], clock=FastNight(float(began)))
    async with engine:
        rubric_id = await engine.rubrics.put(RUBRIC, "night.toml")
        batch = await engine.submit(
            [NewSubmission(f"p{n}", TEXT.format(n=n)) for n in range(int(papers))],
            rubric_id=rubric_id,
            idempotency_key="tonight",
            when="overnight",
        )
        async for _ in engine.results(batch.id):
            pass


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
