"""The provider's own overload (529, 503, no connection): a matter apart from rate limits."""

from __future__ import annotations

import math
from collections import deque
from random import Random

from gradeq.limiter.gate import Epoch

_LONGEST_WAIT_SECONDS = 30.0
_WATCHED = 20
_TOO_MANY = _WATCHED // 2


class Breaker:
    """Halves the concurrency once per outage, waits, tries one call, then opens up by one each.

    `trips` counts the failures in a row of one outage, 0 while there is none; `cap` is what the
    concurrency was cut to, None while it is whole.
    """

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._epoch = Epoch()
        self._failed = deque[bool](maxlen=_WATCHED)
        self._probe: int | None = None
        self.cap: int | None = None
        self.trips = 0
        self.until = -math.inf

    @property
    def is_tripped(self) -> bool:
        return self.trips > 0

    def concurrency(self, configured: int) -> int:
        """How many calls may be in flight at all."""
        return configured if self.cap is None else min(configured, self.cap)

    def slots(self, in_flight: int, configured: int) -> int:
        """How many calls may start, apart from the wait until `until`."""
        if not self.is_tripped:
            return max(0, self.concurrency(configured) - in_flight)
        return int(self._probe is None and in_flight < configured)

    def started(self, seq: int) -> None:
        if self.is_tripped:
            self._probe = seq

    def ended(self, seq: int) -> None:
        """The call says nothing about overload; if it was the probe, another one may go."""
        if seq == self._probe:
            self._probe = None

    def succeeded(self, seq: int, configured: int) -> None:
        """One call more may be in flight than before; a probe ends the outage."""
        if not self._epoch.is_news(seq):
            return
        self._failed.append(False)
        if self.is_tripped:
            self._probe = None
            self.trips = 0
        elif self.cap is not None:
            self.cap = self.cap + 1 if self.cap + 1 < configured else None

    def overloaded(
        self, seq: int, *, newest_seq: int, calls: int, now: float, asked: float | None
    ) -> None:
        """`calls` were in flight with this one; `asked` is the wait that the provider wants."""
        if not self._epoch.is_news(seq):
            return
        if not self.is_tripped:
            self.cap = max(1, (calls if self.cap is None else min(calls, self.cap)) // 2)
        self._probe = None
        self.trips += 1
        self._failed.clear()
        self._epoch.begin(newest_seq)
        self.until = now + max(self._wait(), asked or 0.0)

    def is_failing(self, seq: int) -> bool:
        """Count a server error; True if it was the probe, or half of the last 20 calls failed."""
        if not self._epoch.is_news(seq):
            return False
        self._failed.append(True)
        return seq == self._probe or sum(self._failed) >= _TOO_MANY

    def _wait(self) -> float:
        longest = min(_LONGEST_WAIT_SECONDS, 2.0 ** min(self.trips, 10))
        return self._rng.uniform(0.5, 1.0) * longest
