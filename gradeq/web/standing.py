"""How each pool stands: those of this process, and others that the database knows of."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gradeq.limiter.pool import Pool
from gradeq.limiter.reading import Reading, finite
from gradeq.limiter.state import PoolState
from gradeq.parked import read_states
from gradeq.store.rows import Backlog
from gradeq.web.site import Site

log = logging.getLogger("gradeq")


@dataclass(frozen=True, slots=True)
class Standing:
    """One pool at `now_ms`. `is_live`: its limiter is this process's own; else `reading` is what
    was read last, None where nobody did, and `state` what was stored.
    """

    name: str
    state: PoolState
    reading: Reading | None
    backlog: Backlog
    now_ms: int
    is_live: bool = False

    @property
    def providers(self) -> tuple[str, ...]:
        return self.state.providers

    @property
    def parked_reason(self) -> str | None:
        return self.state.parked_reason if self.state.is_parked(self.now_ms) else None

    @property
    def parked_cause(self) -> str | None:
        return self.state.parked_cause if self.state.is_parked(self.now_ms) else None

    @property
    def parked_until(self) -> int | None:
        """Wall milliseconds; None while only a person can end it."""
        return self.state.parked_until_ms

    @property
    def gate_until(self) -> int | None:
        """Until when the provider asked to wait, wall milliseconds."""
        return self._ahead(self.state.gate_until_ms)

    @property
    def breaker_until(self) -> int | None:
        """Until when nothing is sent to an overloaded provider, wall milliseconds."""
        return self._ahead(self.state.breaker_until_ms)

    @property
    def wait_seconds(self) -> float | None:
        return None if self.reading is None else finite(self.reading.wait_seconds)

    @property
    def seconds_old(self) -> float:
        return 0.0 if self.reading is None else self.reading.seconds_old(self.now_ms)

    @property
    def eta_seconds(self) -> float | None:
        return None if self.reading is None else self.reading.eta_seconds(self.backlog.moving)

    @property
    def is_of_interest(self) -> bool:
        open_work = self.backlog.moving + self.backlog.paused
        return bool(self.is_live or self.parked_reason is not None or self.reading or open_work)

    def _ahead(self, at_ms: int | None) -> int | None:
        return at_ms if at_ms is not None and at_ms > self.now_ms else None


async def standings(site: Site) -> list[Standing]:
    """The pools of this process first, then the others, by name."""
    now_ms = site.engine.clock.now_ms()
    backlogs = {one.pool: one for one in await site.store.backlog()}
    live = site.engine.pools
    stored = read_states(await site.store.pools())
    readings = _readings(await site.store.readings(), now_ms)
    own = [
        _live(pool, backlogs.get(name, Backlog(name)), now_ms)
        for name, pool in sorted(live.items())
    ]
    others = [
        Standing(
            name,
            stored.get(name) or PoolState(now_ms),
            readings.get(name),
            backlogs.get(name, Backlog(name)),
            now_ms,
        )
        for name in sorted((stored.keys() | readings.keys() | backlogs.keys()) - live.keys())
    ]
    return own + [one for one in others if one.is_of_interest]


def _live(pool: Pool, backlog: Backlog, now_ms: int) -> Standing:
    return Standing(pool.name, pool.state(), pool.reading(), backlog, now_ms, is_live=True)


def _readings(stored: Mapping[str, Mapping[str, Any]], now_ms: int) -> dict[str, Reading]:
    readings = {}
    for name, reading in stored.items():
        try:
            readings[name] = Reading.from_dict(reading).aged(now_ms)
        except ValueError as error:
            log.warning("pool %s: its stored reading cannot be read: %s", name, error)
    return readings
