"""Requests within the minute: a limit of 60 a minute may be enforced as one a second."""

from __future__ import annotations

from gradeq.limiter.accounts import Account
from gradeq.limiter.buckets import Meter

_WINDOW_SECONDS = 1.0
_CAREFUL_WINDOW_SECONDS = 0.75
FASTEST = 3.0
_PLENTY = 0.04
_HALF_REGAINED_SECONDS = 120.0
_SLOWEST = 1 / 64


class SlowDown:
    """The rate after the provider asked to slow down: halved, then slowly whole again.

    `full_rate` is requests per second when it first asked, `factor` what is left of it.
    """

    def __init__(self) -> None:
        self.full_rate: float | None = None
        self._factor = 1.0
        self._since = 0.0

    def factor(self, now: float) -> float:
        regained = 0.5 * max(0.0, now - self._since) / _HALF_REGAINED_SECONDS
        return min(1.0, self._factor + regained)

    def rate(self, now: float) -> float | None:
        """Requests per second; None when it is whole again."""
        if self.full_rate is None:
            return None
        factor = self.factor(now)
        return self.full_rate * factor if factor < 1.0 else None

    def halve(self, current_rate: float, *, until: float, now: float) -> None:
        """Halve, and begin to regain at `until`."""
        if self.rate(now) is None:
            self.full_rate = current_rate
        self.resume_at(max(_SLOWEST, self.factor(now) / 2), until)

    def resume_at(self, factor: float, since: float) -> None:
        self._factor = factor
        self._since = since


class Pace:
    """A bucket of one second's requests, refilled at the rate of the minute's limit.

    It refills up to three times as fast while responses show that more than 4 % of the minute's
    requests are left, and never faster than the limit where a shorter window was seen.
    """

    def __init__(self) -> None:
        self._meter: Meter | None = None
        self.short_window = False
        self.slow_down = SlowDown()

    def tune(self, requests: Account | None, now: float) -> Meter | None:
        """The bucket as it is at `now`; None while no rate is known."""
        base = self._base_rate(requests, now)
        if base is None:
            self._meter = None
            return None
        rate = base * self._haste(requests, base, now)
        capacity = max(1.0, base * self._window())
        if self._meter is None:
            self._meter = Meter(rate, capacity, level=1.0, now=now)
        elif (self._meter.rate, self._meter.capacity) != (rate, capacity):
            self._meter.retune(rate, capacity, now)
        return self._meter

    def take(self, now: float) -> None:
        if self._meter is not None:
            self._meter.take(1, now)

    def give(self) -> None:
        if self._meter is not None:
            self._meter.give(1)

    def _base_rate(self, requests: Account | None, now: float) -> float | None:
        slowed = self.slow_down.rate(now)
        if requests is None:
            return slowed
        return requests.meter.rate if slowed is None else min(slowed, requests.meter.rate)

    def _haste(self, requests: Account | None, base: float, now: float) -> float:
        if requests is None or self.short_window:
            return 1.0
        if not (requests.is_reported or requests.is_assumed):
            return 1.0
        meter = requests.meter
        is_slowed = base < meter.rate
        has_plenty = meter.level(now) > _PLENTY * meter.capacity
        return FASTEST if has_plenty and not is_slowed else 1.0

    def _window(self) -> float:
        return _CAREFUL_WINDOW_SECONDS if self.short_window else _WINDOW_SECONDS
