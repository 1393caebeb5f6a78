"""Work that should move and does not, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradeq.limiter.base import LimitedBy
from gradeq.limiter.reading import Reading
from gradeq.store.overview import InHand, Resting
from gradeq.web.site import Site

TIMES_TOO_LONG = 3
"""A job in hand for so many times its grader's timeout is stuck."""
IDLE_SECONDS = 60
"""Ready work that nobody takes for so long while its pool is idle is stuck."""
_USUAL_TIMEOUT = 120.0


@dataclass(frozen=True, slots=True)
class Stuck:
    """`slow` are jobs in hand for too long, `idle` batches that nobody takes although their pool
    could, `unserved` those whose grader this process does not have.
    """

    slow: tuple[InHand, ...] = ()
    idle: tuple[Resting, ...] = ()
    unserved: tuple[Resting, ...] = ()

    @property
    def any(self) -> bool:
        return bool(self.slow or self.idle or self.unserved)


async def stuck(site: Site, in_hand: Sequence[InHand]) -> Stuck:
    """Which of the jobs `in_hand`, and of all ready work, is stuck."""
    now_ms = site.engine.clock.now_ms()
    served = set(site.engine.graders)
    resting = await site.store.overview.resting(now_ms)
    idle_since = now_ms - IDLE_SECONDS * 1000
    return Stuck(
        slow=tuple(one for one in in_hand if now_ms - one.claimed_at > _too_long(site, one.grader)),
        idle=tuple(
            one
            for one in resting
            if one.grader in served and one.since <= idle_since and _is_idle(site, one.pool)
        ),
        unserved=tuple(one for one in resting if one.grader not in served),
    )


def _too_long(site: Site, grader: str) -> float:
    """In milliseconds."""
    return TIMES_TOO_LONG * 1000 * (site.engine.timeout_of(grader) or _USUAL_TIMEOUT)


def _is_idle(site: Site, name: str) -> bool:
    pool = site.engine.pools.get(name)
    return pool is None or _does_nothing(pool.reading())


def _does_nothing(reading: Reading) -> bool:
    return (
        reading.limited_by is LimitedBy.NOTHING
        and reading.in_flight == 0
        and reading.last_minute.requests == 0
    )
