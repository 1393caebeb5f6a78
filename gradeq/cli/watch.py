"""Papers being graded, as numbers that move: counted from their batches, not paper by paper."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields

from gradeq.clock import Clock
from gradeq.store.base import Reading
from gradeq.store.rows import BatchRow

_PACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Spent:
    """What calls have cost, as far as they are settled."""

    requests: int = 0
    rate_limited: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    uncertain_cost: float = 0.0

    @classmethod
    def on(cls, batches: Sequence[BatchRow]) -> Spent:
        return cls(*(sum(getattr(one, name.name) for one in batches) for name in fields(cls)))

    def since(self, before: Spent) -> Spent:
        names = [one.name for one in fields(self)]
        return Spent(*(getattr(self, name) - getattr(before, name) for name in names))


@dataclass(frozen=True, slots=True)
class Standing:
    """How far it is. `waiting` counts papers without an outcome, those in flight included."""

    total: int
    graded: int
    ungraded: int
    waiting: int
    spent: Spent = Spent()
    per_minute: float = 0.0
    seconds_left: float | None = None
    """None where nothing has ended yet, so that nobody can tell."""

    @property
    def is_over(self) -> bool:
        return self.waiting == 0


@dataclass(frozen=True, slots=True)
class Work:
    """What is watched: `total` papers, of which the open jobs of `batch_ids` are left to do.

    `graded` and `ungraded` count the papers that were decided before.
    """

    total: int
    batch_ids: tuple[int, ...]
    graded: int = 0
    ungraded: int = 0


class Watch:
    """Looks at the batches again and again; the first look is what later ones are compared to."""

    def __init__(self, work: Work, clock: Clock) -> None:
        self.batches: tuple[BatchRow, ...] = ()
        self.work = work
        self._clock = clock
        self._began = clock.monotonic()
        self._first: tuple[BatchRow, ...] | None = None
        self._ended: deque[tuple[float, int]] = deque()

    async def look(self, store: Reading) -> Standing:
        found = [await store.batch(batch_id) for batch_id in self.work.batch_ids]
        self.batches = tuple(one for one in found if one is not None)
        if self._first is None:
            self._first = self.batches
        graded = _sum(self.batches, "completed") - _sum(self._first, "completed")
        failed = _sum(self.batches, "failed", "cancelled") - _sum(
            self._first, "failed", "cancelled"
        )
        waiting = _sum(self.batches, "pending", "processing")
        per_minute = self._pace(graded + failed)
        return Standing(
            total=self.work.total,
            graded=self.work.graded + graded,
            ungraded=self.work.ungraded + failed,
            waiting=waiting,
            spent=Spent.on(self.batches).since(Spent.on(self._first)),
            per_minute=per_minute,
            seconds_left=60 * waiting / per_minute if per_minute else None,
        )

    def _pace(self, ended: int) -> float:
        """Papers a minute, over the last half minute."""
        now = self._clock.monotonic()
        self._ended.append((now, ended))
        while len(self._ended) > 1 and self._ended[0][0] < now - _PACE_SECONDS:
            self._ended.popleft()
        since, before = self._ended[0]
        return 60 * (ended - before) / (now - since) if now > since else 0.0


def _sum(batches: Sequence[BatchRow], *names: str) -> int:
    return sum(getattr(one, name) for one in batches for name in names)
