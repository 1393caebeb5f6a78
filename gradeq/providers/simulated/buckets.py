"""A token bucket as the providers describe theirs: refilled continuously, up to a capacity."""

from __future__ import annotations

import math

_SLACK = 1e-9
"""Share of a need that may be missing: whoever waited exactly as told must not fail on rounding."""
_DAY_SECONDS = 86_400.0


class TokenBucket:
    """`rate` per second up to `capacity`; starts full. Times are monotonic seconds.

    The level may go below zero where a charge is known only after it was spent.
    """

    __slots__ = ("_at", "_level", "capacity", "rate")

    def __init__(self, rate: float, capacity: float, now: float) -> None:
        self.rate = rate
        self.capacity = capacity
        self._level = capacity
        self._at = now

    def level(self, now: float) -> float:
        """What is in the bucket at `now`."""
        if now > self._at:
            self._level = min(self.capacity, self._level + self.rate * (now - self._at))
            self._at = now
        return self._level

    def wait(self, need: float, now: float) -> float:
        """Seconds until `need` is there: 0.0 at once, infinite where it never fits."""
        if need > self.capacity:
            return math.inf
        missing = need - self.level(now)
        return 0.0 if missing <= need * _SLACK else missing / self.rate

    def take(self, amount: float, now: float) -> None:
        self._level = self.level(now) - amount

    def give(self, amount: float, now: float) -> None:
        """Put back what was reserved and not used."""
        self._level = min(self.capacity, self.level(now) + amount)

    def drain(self, amount: float, now: float) -> None:
        """Take what is there, at most `amount`: the price of a refused call where it has one."""
        self._level = min(self.level(now), max(0.0, self.level(now) - amount))

    def until_full(self, now: float) -> float:
        """Seconds until the bucket is full again, which is what providers call `reset`."""
        return max(0.0, self.capacity - self.level(now)) / self.rate

    def resize(self, rate: float, capacity: float, now: float) -> None:
        """Change the limit in mid-run; what is in the bucket stays, as far as it fits."""
        self._level = min(capacity, self.level(now))
        self.rate = rate
        self.capacity = capacity


class DailyBucket(TokenBucket):
    """Filled whole at once at a fixed time of day; in between nothing comes back.

    `renewal` is the monotonic time at which it is filled next.
    """

    __slots__ = ("_renewal",)

    def __init__(self, capacity: float, renewal: float, now: float) -> None:
        super().__init__(0.0, capacity, now)
        self._renewal = renewal

    def level(self, now: float) -> float:
        if now >= self._renewal:
            self._renewal += _DAY_SECONDS * (1 + (now - self._renewal) // _DAY_SECONDS)
            self._level = self.capacity
        return self._level

    def wait(self, need: float, now: float) -> float:
        if need > self.capacity:
            return math.inf
        return 0.0 if need <= self.level(now) else self._renewal - now

    def until_full(self, now: float) -> float:
        return 0.0 if self.level(now) >= self.capacity else self._renewal - now
