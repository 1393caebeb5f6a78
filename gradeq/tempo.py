"""How fast each batch gets on, whatever shares its pool."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from gradeq.clock import Clock

WINDOW_SECONDS = 180.0
_SLOT_SECONDS = 5.0


@dataclass(slots=True)
class _Slot:
    """What ended within 5 seconds of `at`; the first of it was begun at `began`."""

    at: float
    began: float
    ended: int = 0


class Tempo:
    """Counts the jobs of each batch that ended in the last three minutes of this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._slots: dict[int, deque[_Slot]] = {}

    def note(self, batch_id: int, began: float) -> None:
        """A job ended that was begun at the monotonic time `began`."""
        now = self._clock.monotonic()
        if batch_id not in self._slots:
            self._forget(now)
        slots = self._slots.setdefault(batch_id, deque())
        if not slots or now - slots[-1].at >= _SLOT_SECONDS:
            slots.append(_Slot(now, began))
        slots[-1].began = min(slots[-1].began, began)
        slots[-1].ended += 1
        _drop(slots, now)

    def per_second(self, batch_id: int) -> float | None:
        """Since the first of them was begun; None where none ended lately."""
        now = self._clock.monotonic()
        slots = self._slots.get(batch_id, deque())
        _drop(slots, now)
        if not slots:
            return None
        seconds = min(WINDOW_SECONDS, now - min(one.began for one in slots))
        return sum(one.ended for one in slots) / max(1.0, seconds)

    def restart(self, batch_id: int) -> None:
        """It stood still: the time until now is none of its pace."""
        self._slots.pop(batch_id, None)

    def _forget(self, now: float) -> None:
        for slots in self._slots.values():
            _drop(slots, now)
        self._slots = {batch_id: slots for batch_id, slots in self._slots.items() if slots}


def _drop(slots: deque[_Slot], now: float) -> None:
    while slots and now - slots[0].at > WINDOW_SECONDS:
        slots.popleft()
