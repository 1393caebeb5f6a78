"""Waits that concern a whole pool, and the rule that one incident cuts only once."""

from __future__ import annotations

import math

from gradeq.limiter.base import LimitedBy

_FIRST_WAIT_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 60.0


class Epoch:
    """Tells whether a bad answer is news: calls sent before the last cut say nothing new."""

    __slots__ = ("_last_seq",)

    def __init__(self) -> None:
        self._last_seq = -1

    def is_news(self, seq: int) -> bool:
        return seq > self._last_seq

    def begin(self, newest_seq: int) -> None:
        """`newest_seq` is the last call sent before this cut."""
        self._last_seq = newest_seq


class Gate:
    """Nothing starts before `until`, in monotonic seconds."""

    __slots__ = ("_unhelpful_refusals", "reason", "until")

    def __init__(self) -> None:
        self.until = -math.inf
        self.reason = LimitedBy.RETRY_AFTER
        self._unhelpful_refusals = 0

    def close(self, until: float, reason: LimitedBy) -> None:
        """Closing never shortens an earlier closing."""
        if until > self.until:
            self.until = until
            self.reason = reason

    def open(self) -> None:
        self.until = -math.inf

    def default_wait(self) -> float:
        """Seconds to wait when neither the provider nor the buckets know: 1, 2, 4 … 60."""
        self._unhelpful_refusals += 1
        doublings = min(self._unhelpful_refusals - 1, 10)
        return min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0**doublings)

    def answered(self) -> None:
        self._unhelpful_refusals = 0

    def seconds_left(self, now: float) -> float:
        return max(0.0, self.until - now)
