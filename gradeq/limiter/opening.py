"""The first calls of a pool of which little is known: not everything at once."""

from __future__ import annotations

import math

from gradeq.limiter.buckets import TOLERANCE_SECONDS

OVER = 500
_ALWAYS = 5
_DOUBLES_IN_SECONDS = 0.5


class Opening:
    """Five calls may always be in flight. Beyond them one more starts each time, so soon that the
    number of all calls so far doubles in half a second.

    A refusal comes back much sooner than an answer, so only the few calls that left meanwhile
    share its fate. Time in which nobody wants to start opens nothing. After 500 calls it is over.
    A refusal of unknown reason halves how far it has come, and no five may start at once any more.
    """

    def __init__(self, steps: int = 0, *, is_refused: bool = False) -> None:
        self.steps = steps
        """How far it has come, in calls: 0 at the start, `OVER` in the end."""
        self._next_at = -math.inf
        self.is_refused = is_refused
        """True after such a refusal."""

    def room(self, in_flight: int, now: float) -> int | None:
        """How many may start at `now`; None where it sets no limit."""
        if self.steps >= OVER:
            return None
        return max(self._always() - in_flight, int(self._next_at <= now + TOLERANCE_SECONDS))

    def ready_at(self, in_flight: int) -> float:
        """When one more may start."""
        return -math.inf if in_flight < self._always() or self.steps >= OVER else self._next_at

    def started(self, now: float) -> None:
        self.steps = min(OVER, self.steps + 1)
        self._next_at = now + _DOUBLES_IN_SECONDS / (math.log(2) * self.steps)

    def refused(self) -> None:
        """A call was, and nothing tells why."""
        self.steps = max(1, self.steps // 2)
        self.is_refused = True
        self._next_at = -math.inf  # the gate is closed anyway, for as long as the provider asks

    def _always(self) -> int:
        return 0 if self.is_refused else _ALWAYS
