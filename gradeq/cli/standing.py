"""How each pool stands, read from the database: live while a process works, else as it was left."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from gradeq.cli import say
from gradeq.clock import SystemClock
from gradeq.limiter.reading import Reading, duration
from gradeq.limiter.state import PoolState
from gradeq.parked import read_states
from gradeq.store.base import Reading as StoreReading
from gradeq.store.rows import Backlog
from gradeq.store.sqlite.lock import current_holder

log = logging.getLogger("gradeq")


@dataclass(frozen=True, slots=True)
class PoolStanding:
    """One pool at `now_ms`. `reading` is None where no process works, or none has called yet."""

    name: str
    state: PoolState
    backlog: Backlog
    reading: Reading | None
    now_ms: int

    @property
    def providers(self) -> tuple[str, ...]:
        return self.state.providers

    @property
    def parked_reason(self) -> str | None:
        return self.state.parked_reason if self.state.is_parked(self.now_ms) else None

    @property
    def parked_until(self) -> int | None:
        return self.state.parked_until_ms if self.parked_reason is not None else None

    @property
    def held_by(self) -> str | None:
        """What holds it back by more than its ordinary limits, for people."""
        if self.parked_reason is not None:
            return f"parked{until(self.parked_until)}: {self.parked_reason}"
        state = self.state
        for ends, what in (
            (state.gate_until_ms, "the provider asked to wait"),
            (state.breaker_until_ms, "the provider is overloaded"),
        ):
            if ends is not None and ends > self.now_ms:
                return f"{what}{until(ends)}"
        return None

    @property
    def open_work(self) -> str:
        papers = say.counted(
            self.backlog.moving + self.backlog.paused, "paper waits", "papers wait"
        )
        return f"{papers} for it"

    @property
    def how_to_resume(self) -> str:
        return f"gradeq resume {shlex.quote(next(iter(self.providers), self.name))}"

    @property
    def what_then(self) -> str:
        """When to resume a parked pool."""
        by_itself = "it goes on by itself then; at once"
        return "when that is mended" if self.parked_until is None else by_itself

    @property
    def is_of_interest(self) -> bool:
        """It has work, or something holds it up."""
        return self.held_by is not None or self.backlog.moving + self.backlog.paused > 0

    def told(self) -> dict[str, Any]:
        """For scripts; as GET /api/queue tells it."""
        reading = {} if self.reading is None else self.reading.to_dict()
        return {
            **reading,
            "pool": self.name,
            "providers": self.providers,
            "held_by": self.held_by,
            "parked_reason": self.parked_reason,
            "parked_until": self.parked_until,
            "limited_by": None if self.reading is None else self.reading.limited_by.value,
            "text": None if self.reading is None else self.reading.text,
            "eta_seconds": self.eta_seconds,
            "backlog": asdict(self.backlog),
        }

    @property
    def eta_seconds(self) -> float | None:
        return None if self.reading is None else self.reading.eta_seconds(self.backlog.moving)

    def lines(self) -> list[str]:
        """For people."""
        if self.parked_reason is not None:
            return [
                f"pool {self.name}: {self.held_by}",
                f"  {self.what_then}: {self.how_to_resume}",
            ]
        if self.reading is None:
            return [f"pool {self.name}: {self.held_by}"] if self.held_by else []
        return _live_lines(self, self.reading)


def _live_lines(standing: PoolStanding, reading: Reading) -> list[str]:
    last = reading.last_minute
    age = duration(reading.seconds_old(standing.now_ms))
    eta = standing.eta_seconds
    left = f"; about {duration(eta)} left" if eta is not None and standing.backlog.moving else ""
    return [
        f"pool {standing.name}, as of {age} ago:",
        f"  limited by {reading.text}",
        f"  in the last minute {say.counted(last.requests, 'call')}, {last.answered:,} answered, "
        f"{last.input_tokens:,} tokens in, {last.output_tokens:,} out{left}",
        f"  refused calls: {reading.refused_last_hour:,} in the last hour, "
        f"{reading.refused_total:,} of {reading.requests_total:,} since the start",
    ]


def until(wall_ms: int | None) -> str:
    """` (until 2026-11-01 00:00:00)` in this machine's own time; nothing without a time."""
    if wall_ms is None:
        return ""
    moment = datetime.fromtimestamp(wall_ms / 1000).astimezone()
    return f" (until {moment.strftime('%Y-%m-%d %H:%M:%S')})"


async def pool_standings(store: StoreReading, path: Path) -> list[PoolStanding]:
    """Every pool that anything is stored of, by name."""
    now_ms = SystemClock().now_ms()
    backlogs = {one.pool: one for one in await store.backlog()}
    readings = _live(await store.readings(), path)
    states = read_states(await store.pools())
    return [
        PoolStanding(name, state, backlogs.get(name, Backlog(name)), readings.get(name), now_ms)
        for name, state in sorted(states.items())
    ]


def _live(stored: Mapping[str, Mapping[str, Any]], path: Path) -> dict[str, Reading]:
    """Readings of a process that is gone are nobody's: the lock says whether it lives."""
    if current_holder(path) is None:
        return {}
    now_ms = SystemClock().now_ms()
    readings = {}
    for name, reading in stored.items():
        try:
            readings[name] = Reading.from_dict(reading).aged(now_ms)
        except ValueError as error:
            log.warning("pool %s: its stored reading cannot be read: %s", name, error)
    return readings
