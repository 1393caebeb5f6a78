"""Days as people count them: the machine's local date, for whatever is counted by the day."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta


def day_of(wall_ms: int) -> str:
    """The local date of a wall time in milliseconds since 1970 UTC, as `2026-03-29`."""
    return _date_of(wall_ms).isoformat()


def next_midnight_ms(wall_ms: int) -> int:
    """When the next local day begins, in wall milliseconds.

    Where clocks are put forward at midnight, the day begins with its first instant.
    """
    midnight = datetime.combine(_date_of(wall_ms) + timedelta(days=1), time.min)
    return round(midnight.timestamp() * 1000)


def _date_of(wall_ms: int) -> date:
    # Whole seconds: a fraction could be rounded into the next day.
    return datetime.fromtimestamp(wall_ms // 1000).date()
