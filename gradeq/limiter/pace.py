"""Requests within the minute: a limit of 60 a minute may be enforced as one a second."""

from __future__ import annotations

from gradeq.limiter.accounts import Account
from gradeq.limiter.buckets import Meter

_WINDOW_SECONDS = 1.0
_CAREFUL_WINDOW_SECONDS = 0.75
_LEAST_MARGIN_SECONDS = 0.04
"""Between two calls, by which the wire may make the second one early."""
_MOST_MARGIN_SECONDS = 0.64
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

    It refills up to three times as fast, the more so the more of the minute's requests is left:
    at the limit where just the headroom is, thrice where responses show 4 % or more. It never
    refills faster than the limit where a shorter window was seen, and a little slower where that
    window holds no more than one call: `margin` seconds lie between two of them then.
    """

    def __init__(self) -> None:
        self._meter: Meter | None = None
        self._second: Meter | None = None
        self.short_window = False
        self.margin = 0.0
        self.slow_down = SlowDown()

    def tune(self, requests: Account | None, now: float) -> Meter | None:
        """The bucket as it is at `now`; None while no rate is known."""
        base = self._base_rate(requests, now)
        if base is None:
            self._meter = self._second = None
            return None
        rate = base * self._haste(requests, base, now) / (1 + self.margin * min(1.0, base))
        capacity = max(1.0, base * self._window())
        self._meter = _tuned(self._meter, rate, capacity, 1.0, now)
        a_second_s = max(1.0, base)
        self._second = _tuned(self._second, base, a_second_s, a_second_s, now)
        return self._meter

    def take(self, now: float) -> bool:
        """A call starts; True where it is one of so many that a limit of each second may say no."""
        if self._meter is None or self._second is None:
            return True
        self._meter.take(1, now)
        self._second.take(1, now)
        return self._second.level(now) < self._second.capacity / 2

    def give(self) -> None:
        if self._meter is not None and self._second is not None:
            self._meter.give(1)
            self._second.give(1)

    def heed_short_window(self) -> bool:
        """Calls that start within a second were too many. False where that is heeded already.

        Of several calls a second some room is left for the wire's unrest; one call a second has
        none but time.
        """
        is_news = not self.short_window
        self.short_window = True
        if self._second is None or self._second.rate * _CAREFUL_WINDOW_SECONDS >= 1:
            return is_news
        if self.margin >= _MOST_MARGIN_SECONDS:
            self.margin = _LEAST_MARGIN_SECONDS
            return False
        self.margin = max(_LEAST_MARGIN_SECONDS, 2 * self.margin)
        return True

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
        if base < meter.rate:
            return 1.0
        kept = 1 + meter.headroom * meter.rate
        plenty = max(_PLENTY * meter.capacity, 2 * kept)
        share = (meter.level(now) - kept) / (plenty - kept)
        return 1 + (FASTEST - 1) * min(1.0, max(0.0, share))

    def _window(self) -> float:
        return _CAREFUL_WINDOW_SECONDS if self.short_window else _WINDOW_SECONDS


def _tuned(
    meter: Meter | None, rate: float, capacity: float, first_level: float, now: float
) -> Meter:
    if meter is None:
        return Meter(rate, capacity, level=first_level, now=now)
    if (meter.rate, meter.capacity) != (rate, capacity):
        meter.retune(rate, capacity, now)
    return meter
