"""A pool that stands still: a spent quota, a refused key, or a person's wish."""

from __future__ import annotations

import math

from gradeq.clock import Clock


class Parking:
    """Nothing starts until resumed, or until a wall time.

    `setup` is the fingerprint of today's configuration, `parked_for` that of the one which a
    parking is the fault of; None for a person's wish. `cause` is the word of a failure that no
    retry mends, where one parked it; `reason` tells more of it, for people.
    """

    def __init__(self, clock: Clock, park_after: int) -> None:
        self._clock = clock
        self._park_after = park_after
        self._struck_by: str | None = None
        self._strikes = 0
        self._until = -math.inf
        self.setup: str | None = None
        self.reason: str | None = None
        self.cause: str | None = None
        self.until_ms: int | None = None
        self.parked_for: str | None = None

    @property
    def is_parked(self) -> bool:
        if self.reason is not None and self._is_over():
            self.resume()
        return self.reason is not None

    @property
    def ready_at(self) -> float | None:
        """Monotonic time of the end; None while only a person can end it."""
        return self._until if math.isfinite(self._until) else None

    def park(
        self,
        reason: str,
        until_ms: int | None,
        *,
        cause: str | None = None,
        parked_for: str | None = None,
    ) -> None:
        """The longer of two parkings holds: a quota's date does not lift a person's stop."""
        until = self._monotonic(until_ms)
        if not self.is_parked or until >= self._until:
            self.reason = reason
            self.cause = cause
            self.until_ms = until_ms
            self.parked_for = parked_for
            self._until = until

    def resume(self) -> None:
        self.reason = None
        self.cause = None
        self.until_ms = None
        self.parked_for = None
        self._until = -math.inf
        self.mended()

    def struck(self, cause: str | None, reason: str, until_ms: int | None) -> None:
        """A call failed in a way that no retry mends; enough of one cause in a row park.

        Without a cause the reason itself tells them apart.
        """
        by = cause or reason
        self._strikes = self._strikes + 1 if by == self._struck_by else 1
        self._struck_by = by
        if until_ms is not None or self._strikes >= self._park_after:
            self.park(reason, until_ms, cause=cause, parked_for=self.setup)

    def mended(self) -> None:
        self._struck_by = None
        self._strikes = 0

    def _is_over(self) -> bool:
        # Either clock ends it: the wall clock after a laptop slept, the monotonic one where
        # somebody set the wall clock back.
        wall_is_past = self.until_ms is not None and self._clock.now_ms() >= self.until_ms
        return wall_is_past or self._clock.monotonic() >= self._until

    def _monotonic(self, until_ms: int | None) -> float:
        if until_ms is None:
            return math.inf
        return self._clock.monotonic() + max(0, until_ms - self._clock.now_ms()) / 1000
