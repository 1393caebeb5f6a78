"""What refusals teach where no header tells it: how much of the limits is ours, how much to spare.

A key that somebody else uses too, a limit that is set too high and a provider without headers look
alike: calls are refused although the buckets here have enough.
"""

from __future__ import annotations

import math

_CUT = 0.92
_FEW = 3
_MANY = 30
_NEAR = 0.97
_FAST_PER_SECOND = 0.02 / 5
_SLOW_PER_MINUTE = 0.01
_SAME_PLACE = 0.05
_GUESS_DOUBLES_SECONDS = 20.0
_MOST_PATIENCE = 4.0
_LEAST = 1 / 64


class RateFactor:
    """The share of the known limits that is ours: below 1 after refusals, and slowly rising again.

    Each refusal that the buckets do not explain cuts it, at most once per epoch. It comes back
    fast to just below the last failing point, and slowly from there on, a little faster with each
    minute that nothing is refused; more slowly where it fails again at the same place, for every
    try costs some refused calls.
    """

    def __init__(self, ceiling: float = 1.0) -> None:
        self.ceiling = ceiling
        self.failed_at: float | None = None
        self.patience = 1.0
        self.calls_known = _FEW
        """How many calls the present value rests on, 3 to 30: as many more would count as much."""
        self._value = 1.0
        self._since = 0.0

    @property
    def is_well_known(self) -> bool:
        return self.calls_known >= _MANY

    def value(self, now: float) -> float:
        """At most `ceiling`, which is 1 for limits that somebody told."""
        passed = max(0.0, now - self._since)
        if self.failed_at is None:
            # A guess of a limit that nobody told may be far too low: nothing has failed above it.
            doublings = passed / _GUESS_DOUBLES_SECONDS if self.ceiling > 1 else 0.0
            return min(self.ceiling, self._value * math.exp2(min(doublings, 60.0)))
        near = max(self._value, _NEAR * self.failed_at)
        fast_seconds = (near / self._value - 1) / _FAST_PER_SECOND
        if passed < fast_seconds:
            return min(self.ceiling, self._value * (1 + _FAST_PER_SECOND * passed))
        minutes = (passed - fast_seconds) / 60 / self.patience
        return min(self.ceiling, near * (1 + _SLOW_PER_MINUTE * minutes * (1 + minutes)))

    def cut(self, now: float, used: float | None, calls: int) -> None:
        """A call was refused. `used` is the share of the limits that `calls` calls have used since
        the last refusal: the buckets were empty then and are empty now, so that is what they hold.
        A few calls tell it only roughly, as any count of random events; but what was believed
        before the first refusals rests on fewer still.
        """
        failed_at = before = self.value(now)
        value = before * _CUT
        if used is not None and used < before:
            weight = calls / (calls + self.calls_known)
            failed_at = before * (max(_LEAST, used) / before) ** weight
            value = min(value, failed_at)
            self.calls_known = min(_MANY, self.calls_known + calls)
        self._heed(failed_at)
        self.resume_at(max(_LEAST, value), failed_at, now)

    def resume_at(self, value: float, failed_at: float | None, since: float) -> None:
        self._value = value
        self.failed_at = failed_at
        self._since = since

    def forget(self) -> None:
        """The limits are others now: whatever was learned does not hold for them."""
        self.failed_at = None
        self.patience = 1.0
        self.calls_known = _FEW
        self._value = 1.0

    def _heed(self, failed_at: float) -> None:
        is_same = self.failed_at is not None and (
            abs(failed_at - self.failed_at) <= _SAME_PLACE * self.failed_at
        )
        self.patience = min(_MOST_PATIENCE, self.patience * 2) if is_same else 1.0


LEAST_HEADROOM_SECONDS = 0.25
"""Against clocks and networks (a quarter of a second took refusals from 0.9 % to none)."""
_MOST_HEADROOM_SECONDS = 4.0
_HALVED_EVERY_SECONDS = 900.0


class Headroom:
    """What calls leave over of each bucket, in seconds of its rate.

    A level held back costs its size once, not again and again. So it doubles with each refusal
    that the buckets do not explain, and halves with every quarter of an hour.
    """

    def __init__(self) -> None:
        self._seconds = LEAST_HEADROOM_SECONDS
        self._since = 0.0

    def seconds(self, now: float) -> float:
        halvings = max(0.0, now - self._since) / _HALVED_EVERY_SECONDS
        return max(LEAST_HEADROOM_SECONDS, self._seconds * math.exp2(-halvings))

    def double(self, now: float) -> None:
        self.resume_at(min(_MOST_HEADROOM_SECONDS, 2 * self.seconds(now)), now)

    def resume_at(self, seconds: float, since: float) -> None:
        self._seconds = seconds
        self._since = since


_FIRST_TRY_SECONDS = 120.0
_MOST_TRIES_IN_A_ROW = 10
_LONGEST_TRY_SECONDS = 1800.0
_TOGETHER_SECONDS = 2.0


class AtOnce:
    """How many calls the provider takes at once, where it was seen to refuse more; else None.

    One more is tried after two minutes, then two more, four more and so on for as long as nothing
    is refused; less often each time that the first one is.
    """

    def __init__(self) -> None:
        self.most: int | None = None
        self._since = 0.0
        self._every = _FIRST_TRY_SECONDS

    def limit(self, wanted: int, now: float) -> int:
        if self.most is None:
            return wanted
        tries = min(_MOST_TRIES_IN_A_ROW, int(max(0.0, now - self._since) / self._every))
        return min(wanted, self.most + (1 << tries) - 1)

    def refused(self, in_flight: int, now: float) -> None:
        """`in_flight` calls were being answered while one more was refused."""
        if in_flight == 0:
            return
        again = self.most is not None and in_flight >= self.most
        self._every = min(_LONGEST_TRY_SECONDS, self._every * 2) if again else _FIRST_TRY_SECONDS
        self.resume_at(in_flight, now)

    def also_refused(self, now: float) -> None:
        """Another call that was sent together with the refused one: one fewer was being answered.

        How many are so by now says nothing, for meanwhile some were answered.
        """
        if self.most is not None and now - self._since <= _TOGETHER_SECONDS:
            self.most = max(1, self.most - 1)

    def resume_at(self, most: int | None, since: float) -> None:
        self.most = most
        self._since = since


_FEWEST_ANSWERS = 3


class Trickle:
    """What little comes through where no limit is known: from a refusal on, when the provider had
    nothing left, until another one.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._newest_seq = -1
        self._answers = 0

    def refused(self, newest_seq: int, now: float) -> None:
        """`newest_seq` is the last call sent before; the first refusal begins the count."""
        if self._since is None:
            self._since, self._newest_seq = now, newest_seq

    def answered(self, seq: int) -> None:
        self._answers += self._since is not None and seq > self._newest_seq

    def rate(self, now: float) -> float | None:
        """Calls a second; None while too few were answered to tell."""
        if self._since is None or self._answers < _FEWEST_ANSWERS:
            return None
        return self._answers / (now - self._since)
