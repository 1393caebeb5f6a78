"""How each pool stands as the database knows it: live elsewhere, or as it was left."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from gradeq.limiter.reading import Reading, finite
from gradeq.limiter.state import PoolState
from gradeq.parked import read_states
from gradeq.store import base
from gradeq.store.rows import Backlog

log = logging.getLogger("gradeq")


@dataclass(frozen=True, slots=True)
class Standing:
    """One pool at `now_ms`. `is_live`: its limiter is this process's own; else `state` is what was
    stored, and `reading` what was read last, None where nobody did.
    """

    name: str
    state: PoolState
    backlog: Backlog
    reading: Reading | None
    now_ms: int
    is_live: bool = False

    @classmethod
    async def stored(cls, store: base.Reading, now_ms: int) -> list[Self]:
        """Every pool that anything is stored of, by name."""
        backlogs = {one.pool: one for one in await store.backlog()}
        states = read_states(await store.pools())
        readings = _readings(await store.readings(), now_ms)
        return [
            cls(
                name,
                states.get(name) or PoolState(now_ms),
                backlogs.get(name, Backlog(name)),
                readings.get(name),
                now_ms,
            )
            for name in sorted(states.keys() | readings.keys() | backlogs.keys())
        ]

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
        return self.state.parked_until_ms if self.state.is_parked(self.now_ms) else None

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
    def open_jobs(self) -> int:
        return self.backlog.moving + self.backlog.paused

    def _ahead(self, at_ms: int | None) -> int | None:
        return at_ms if at_ms is not None and at_ms > self.now_ms else None


def _readings(stored: Mapping[str, Mapping[str, Any]], now_ms: int) -> dict[str, Reading]:
    readings = {}
    for name, reading in stored.items():
        try:
            readings[name] = Reading.from_dict(reading).aged(now_ms)
        except ValueError as error:
            log.warning("pool %s: its stored reading cannot be read: %s", name, error)
    return readings
