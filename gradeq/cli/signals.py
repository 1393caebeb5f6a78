"""Ctrl-C and SIGTERM: the first asks for a soft stop, the second for a stop at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stop:
    """What was asked for so far. A third signal ends the process as Ctrl-C usually does."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self._at_once: list[Callable[[], None]] = []
        self._count = 0

    def at_once(self, action: Callable[[], None]) -> None:
        """Call `action` at the second signal, or now if that has come."""
        self._at_once.append(action)
        if self._count > 1:
            action()

    def note(self) -> None:
        """A signal came."""
        self._count += 1
        self.asked.set()
        if self._count == 2:
            for action in self._at_once:
                action()
        if self._count > 2:
            raise KeyboardInterrupt


@contextmanager
def stopping() -> Iterator[Stop]:
    """Signals count for the Stop as long as the block lasts.

    By signal.signal and not by the loop's add_signal_handler, which Windows does not have; there
    it is Ctrl-C, Ctrl-Break and a console that closes.
    """
    stop = Stop()
    loop = asyncio.get_running_loop()

    def heard(_number: int, _frame: object) -> None:
        loop.call_soon_threadsafe(stop.note)

    before = {one: signal.signal(one, heard) for one in _signals()}
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _signals() -> list[signal.Signals]:
    names = ("SIGINT", "SIGTERM", "SIGBREAK")
    return [getattr(signal, name) for name in names if hasattr(signal, name)]
