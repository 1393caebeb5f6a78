"""Time, passed in: one clock for everything that waits, expires or is written down."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from typing import Protocol


class Clock(Protocol):
    """What gradeq asks of time."""

    def now_ms(self) -> int:
        """Wall time in milliseconds since 1970 UTC: what is stored and shown."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards: what durations are measured with."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` (0 or less: after one turn of the event loop)."""
        ...

    async def wait_for(self, event: asyncio.Event, timeout: float) -> bool:
        """Return when `event` is set (True) or after `timeout` seconds (False)."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    async def wait_for(self, event: asyncio.Event, timeout: float) -> bool:
        return await wait_for_event(event, timeout)


class ManualClock:
    """A clock that moves when it is told to: virtual time for tests and simulations."""

    def __init__(self, start_ms: int = 1_800_000_000_000) -> None:
        self._start_ms = start_ms
        self._elapsed = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now_ms(self) -> int:
        return self._start_ms + round(self._elapsed * 1000)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), waker))
        await waker

    async def wait_for(self, event: asyncio.Event, timeout: float) -> bool:
        waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self.sleep(timeout))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        return event.is_set()

    def next_waking(self) -> float | None:
        """Monotonic time at which the next sleeper is due, or None."""
        return self._sleepers[0][0] if self._sleepers else None

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`, waking whoever is due on the way."""
        self._elapsed += seconds
        while self._sleepers and self._sleepers[0][0] <= self._elapsed:
            _, _, waker = heapq.heappop(self._sleepers)
            if not waker.done():
                waker.set_result(None)


async def wait_for_event(event: asyncio.Event, timeout: float | None) -> bool:
    """Wait until `event` is set or `timeout` seconds of real time pass; True if it was set."""
    if timeout is None:
        return await event.wait()
    try:
        async with asyncio.timeout(timeout):
            return await event.wait()
    except TimeoutError:
        return False
