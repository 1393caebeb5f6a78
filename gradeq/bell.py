"""A bell that rings when something was committed: whoever waits looks again."""

from __future__ import annotations

import asyncio

from gradeq.clock import wait_for_event


class Bell:
    """Many may wait at once; a ring wakes all who waited before it."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self.rings = 0

    def ring(self) -> None:
        self.rings += 1
        self._rung.set()
        self._rung = asyncio.Event()

    async def wait(self, seen: int, timeout: float | None = None) -> bool:
        """Return when it has rung more than `seen` times, or after `timeout` seconds (False)."""
        if self.rings > seen:
            return True
        return await wait_for_event(self._rung, timeout)
