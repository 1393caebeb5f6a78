"""How each pool stands, read from the database: live while a process works, else as it was left."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from gradeq.cli import say
from gradeq.clock import SystemClock
from gradeq.limiter.reading import Reading, duration
from gradeq.outcome import ErrorClass
from gradeq.standing import Standing
from gradeq.store.base import Reading as StoreReading
from gradeq.store.sqlite.lock import current_holder

_BY_ITSELF = "it goes on by itself then; at once"


@dataclass(frozen=True, slots=True)
class PoolStanding(Standing):
    """A pool, told to people and scripts. It has a reading only while a process works."""

    @property
    def held_by(self) -> str | None:
        """What holds it back by more than its ordinary limits, for people."""
        if self.parked_reason is not None:
            return f"parked{until(self.parked_until)}: {self.parked_reason}"
        if self.gate_until is not None:
            return f"the provider asked to wait{until(self.gate_until)}"
        if self.breaker_until is not None:
            return f"the provider is overloaded{until(self.breaker_until)}"
        return None

    @property
    def open_work(self) -> str:
        return f"{say.counted(self.open_jobs, 'paper waits', 'papers wait')} for it"

    @property
    def way_on(self) -> str:
        """When a parked pool goes on, and by what."""
        then = "when that is mended" if self.parked_until is None else _BY_ITSELF
        return f"{then}: {self._at_once}"

    @property
    def _at_once(self) -> str:
        if self.parked_cause == ErrorClass.COST_CAP.value:
            # Resumed under the same cap, it would stop at its next call.
            return "raise cost_cap_per_day, and start gradeq again"
        return f"gradeq resume {shlex.quote(next(iter(self.providers), self.name))}"

    @property
    def is_of_interest(self) -> bool:
        """It has work, or something holds it up."""
        return self.held_by is not None or self.open_jobs > 0

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

    def lines(self) -> list[str]:
        """For people."""
        if self.parked_reason is not None:
            return [
                f"pool {self.name}: {self.held_by}",
                f"  {self.way_on}",
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
    found = await PoolStanding.stored(store, SystemClock().now_ms())
    # Readings of a process that is gone are nobody's: the lock says whether it lives.
    is_live = current_holder(path) is not None
    return found if is_live else [replace(one, reading=None) for one in found]
