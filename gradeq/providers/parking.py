"""When a spent quota returns, where the provider says it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gradeq.providers.complaint import Complaint

PER_DAY = re.compile(r"per ?day|\b[RT]PD\b", re.IGNORECASE)
"""How messages and quota ids name a limit per day."""
NO_QUOTA = re.compile(r"\blimit: 0(?!\.?\d)")
"""Google's way to say that this project may not use the model at all."""
_SHORTEST_PARKING = 60.0
"""Seconds. Where a day's limit refills bit by bit, "try again in 8.64s" is good for one call."""
_GOOGLE_PER_DAY = re.compile(r"[a-z]PerDay")
"""As in `GenerateRequestsPerDayPerProjectPerModel`; a gateway may pass it on as words only."""
_ACCESS_RETURNS = re.compile(
    r"(?:regain access|resets?|available again)\D{0,20}"
    r"(\d{4}-\d{2}-\d{2})(?:(?:T| at | )(\d{2}:\d{2}))?",
    re.IGNORECASE,
)


def parked_until(complaint: Complaint, retry_after: float | None, now_ms: int) -> int | None:
    """Wall milliseconds at which to ask again; None where only a person can tell.

    Google's daily quotas return at midnight Pacific time, whatever its retry delay says (Gemini
    API, "Rate limits"). A spent budget has no such time unless its message names a date.
    """
    named = _named_date(complaint.message)
    if named is not None and named > now_ms:
        return named
    if NO_QUOTA.search(complaint.message):
        return None
    if _GOOGLE_PER_DAY.search(" ".join((complaint.message, *complaint.quotas))):
        return midnight_pacific(now_ms)
    if retry_after is not None and PER_DAY.search(complaint.message):
        return now_ms + round(max(retry_after, _SHORTEST_PARKING) * 1000)
    return None


def _named_date(message: str) -> int | None:
    """Anthropic: "You will regain access on 2026-11-01 at 00:00 UTC"."""
    found = _ACCESS_RETURNS.search(message)
    if not found:
        return None
    try:
        moment = datetime.fromisoformat(f"{found.group(1)}T{found.group(2) or '00:00'}")
    except ValueError:
        return None
    return round(moment.replace(tzinfo=UTC).timestamp() * 1000)


def midnight_pacific(now_ms: int) -> int:
    """The next midnight in California, in wall milliseconds."""
    zone = _pacific()
    tomorrow = datetime.fromtimestamp(now_ms / 1000, zone).date() + timedelta(days=1)
    return round(datetime.combine(tomorrow, time(), zone).timestamp() * 1000)


def _pacific() -> tzinfo:
    """Without a time zone database, winter time: at most an hour late."""
    try:
        return ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError:
        return timezone(timedelta(hours=-8))
