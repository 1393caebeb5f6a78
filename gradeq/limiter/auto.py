"""`concurrency = "auto"`: how many calls in flight are worth it.

Where a rate is known, Little's law tells: rate times mean duration, and some headroom. Where none
is, as with a model on this machine, more in flight helps up to a knee and only queues beyond it.
The knee is found by throughput, not by latency: long answers look like congestion, but are not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

_HEADROOM = 1.25
_FEWEST_ANSWERS = 12
_MOSTLY = 0.8
_WORTH_IT = 1.1
_AS_GOOD = 0.93
_SMALL_STEP = 1.25
_BACK = 0.75
_WINDOWS_TO_HOLD = 20


def needed_for(rate: float, seconds: float, haste: float = 1.0) -> int:
    """Calls in flight that `rate` a second keeps busy, each `seconds` long, with headroom."""
    return 1 + math.ceil(rate * seconds * haste * _HEADROOM)


class _Phase(Enum):
    GROWING = 1
    SHRINKING = 2
    HOLDING = 3


@dataclass(slots=True)
class _Window:
    """Answers at one level; those to calls from before the level was chosen do not count."""

    skip: int
    began: float
    answers: int = 0
    at_level: int = 0
    work: float = 0.0


class Knee:
    """Seeks the fewest calls in flight that give all the throughput there is, and some headroom.

    `level` starts at `start` and stays between 1 and `most`.
    """

    def __init__(self, start: int, most: int, now: float) -> None:
        self.level = min(start, most)
        self._most = most
        self._phase = _Phase.GROWING
        self._step = 2.0
        self._good: tuple[int, float] | None = None
        self._held = 0
        self._window = _Window(self.level, now)

    def answered(self, work: float, in_flight: int, now: float) -> None:
        """A call ended that did `work` (tokens); `in_flight` were so while it was."""
        window = self._window
        if window.skip > 0:
            window.skip -= 1
            window.began = now
            return
        window.answers += 1
        window.work += work
        window.at_level += in_flight >= self.level
        if window.answers >= max(_FEWEST_ANSWERS, 1.5 * self.level):
            if window.at_level >= _MOSTLY * window.answers and now > window.began:
                self._judge(window.work / (now - window.began))
            self._window = _Window(self.level, now)

    def resume_at(self, level: int, now: float) -> None:
        """Go on where an earlier process was."""
        self.level = max(1, min(level, self._most))
        self._window = _Window(self.level, now)

    def _judge(self, speed: float) -> None:
        """`speed` is what the present level gives."""
        match self._phase:
            case _Phase.GROWING:
                self._judge_growth(speed)
            case _Phase.SHRINKING:
                self._judge_shrinking(speed)
            case _Phase.HOLDING:
                self._hold(speed)

    def _judge_growth(self, speed: float) -> None:
        if self._good is not None:
            gain = speed / self._good[1]
            if gain < _WORTH_IT:
                self._shrink_from(self._good[0], max(speed, self._good[1]))
                return
            if gain < 1 + (self._step - 1) / 2:
                self._step = _SMALL_STEP
        self._good = (self.level, speed)
        if self.level == self._most:
            self._phase, self._held = _Phase.HOLDING, 0
        self.level = min(self._most, math.ceil(self.level * self._step))

    def _shrink_from(self, level: int, speed: float) -> None:
        self._phase = _Phase.SHRINKING
        self._good = (level, speed)
        self.level = max(1, math.floor(level * _BACK))

    def _judge_shrinking(self, speed: float) -> None:
        assert self._good is not None
        level, best = self._good
        if speed < _AS_GOOD * best or self.level == level:
            # One call too many waits in a line; one too few leaves the server idle.
            self.level = min(self._most, math.ceil(level * _HEADROOM))
            self._phase, self._held = _Phase.HOLDING, 0
            return
        self._good = (self.level, best)
        self.level = max(1, math.floor(self.level * _BACK))

    def _hold(self, speed: float) -> None:
        """After a while, look again: the server or its other users may have changed."""
        self._held += 1
        if self._held >= _WINDOWS_TO_HOLD:
            self._phase, self._step = _Phase.GROWING, _SMALL_STEP
            self._good = (self.level, speed)
            self.level = min(self._most, math.ceil(self.level * self._step))


class Wanted:
    """How many calls in flight are wanted: the number that was set, or what is found."""

    def __init__(self, fixed: int, *, auto: bool, most: int, now: float) -> None:
        self.is_auto = auto
        self._fixed = fixed
        self._most = most
        self.knee = Knee(fixed, most, now)

    def calls(self, needed: int | None) -> int:
        """`needed` for the known rate, with headroom; None while no rate is known."""
        if not self.is_auto:
            return self._fixed
        return self.knee.level if needed is None else min(self._most, needed)
