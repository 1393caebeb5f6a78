"""A token bucket in GCRA form: pure arithmetic on monotonic seconds."""

from __future__ import annotations

import sys

TOLERANCE_SECONDS = 1e-6
"""Sums of floats miss a moment by less than this; a caller who waited for it is let in."""


class Meter:
    """A bucket of `capacity` that refills at `rate` per second.

    It keeps one number, the time at which it will be full again (the theoretical arrival time
    of the Generic Cell Rate Algorithm, ITU-T I.371). `headroom` is what a call leaves over, in
    seconds of rate; a call whose need and headroom exceed the capacity waits for a full bucket.
    """

    __slots__ = ("capacity", "full_at", "headroom", "rate")

    def __init__(
        self, rate: float, capacity: float, *, level: float, now: float, headroom: float = 0.0
    ) -> None:
        self.rate = rate
        self.capacity = capacity
        self.full_at = now
        self.headroom = headroom
        self.correct(level, now)

    def level(self, now: float) -> float:
        """What could be taken at `now`; negative while there is a debt."""
        return self.capacity - self.rate * max(0.0, self.full_at - now)

    def ready_at(self, need: float) -> float:
        """The time at which `need` can be taken; it may have passed."""
        return self.full_at - (self.capacity - self._required(need)) / self.rate

    def times(self, need: float, now: float, spare: float = 0.0) -> int:
        """How many calls of `need` could start at `now`, one after the other, `spare` left over."""
        more = self.level(now) - self._required(need + spare) + TOLERANCE_SECONDS * self.rate
        if more < 0:
            return 0
        return 1 + int(more / need) if need > 0 else sys.maxsize

    def take(self, amount: float, now: float) -> None:
        """Charge `amount`, whether or not it is there."""
        self.full_at = max(self.full_at, now) + amount / self.rate

    def give(self, amount: float) -> None:
        """Take back a charge."""
        self.full_at -= amount / self.rate

    def correct(self, level: float, now: float) -> None:
        """From now on the level is `level`, at most the capacity."""
        self.full_at = now + max(0.0, self.capacity - level) / self.rate

    def retune(self, rate: float, capacity: float, now: float) -> None:
        """Go on at another rate and capacity with what there is."""
        level = self.level(now)
        self.rate = rate
        self.capacity = capacity
        self.correct(level, now)

    def _required(self, need: float) -> float:
        return min(need + self.headroom * self.rate, self.capacity)
