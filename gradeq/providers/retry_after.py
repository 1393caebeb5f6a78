"""How long a response asks to wait, in seconds, in every form that providers use.

Order (OpenAI "Rate limits", RFC 9110 section 10.2.3, LiteLLM's proxy): `retry-after-ms`, then
`retry-after` as a number or an HTTP date, then the same two as `llm_provider-…`, then the body.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from types import MappingProxyType

_LONGEST = 366 * 86_400.0
"""No limit lasts longer: such a figure is a mistake, or means "never"."""
_NUMBER = re.compile(r"\+?(\d+\.?\d*|\.\d+)", re.ASCII)
_UNITS: Mapping[str, float] = MappingProxyType(
    {
        "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6,
        "ms": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3,
        "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0,
        "m": 60.0, "min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0,
        "h": 3600.0, "hour": 3600.0, "hours": 3600.0,
        "d": 86_400.0, "day": 86_400.0, "days": 86_400.0,
    }
)  # fmt: skip
_PART = rf"(\d+(?:\.\d+)?)\s*({'|'.join(_UNITS)})(?![a-zµμ])"
_DURATION_PART = re.compile(_PART, re.ASCII)
_DURATION = re.compile(rf"(?:{_PART}[\s,]*)+", re.ASCII)
_ASKS_TO_WAIT = re.compile(
    r"(?:try(?:\s+\w+){0,3}\s+again|retry|wait|resets?)"
    rf"(?:\s+(?:in|after|for|at\s+least|about))*\s+((?:{_PART}[\s,]*)+)",
    re.ASCII | re.IGNORECASE,
)


def from_headers(headers: Mapping[str, str], now_ms: int) -> float | None:
    """Seconds to wait, at most a year, or None where no header says it in a form that makes sense.

    `headers` have lower-case names; `now_ms` stands in for a missing `Date` header.
    """
    for prefix in ("", "llm_provider-"):
        seconds = _from(headers, prefix, now_ms)
        if seconds is not None and seconds <= _LONGEST:
            return seconds
    return None


def from_text(message: str) -> float | None:
    """Seconds in a sentence such as "Please try again in 1m2.5s" or "retry after 26 seconds"."""
    found = _ASKS_TO_WAIT.search(message)
    seconds = duration(found.group(1)) if found else None
    return seconds if seconds is not None and seconds <= _LONGEST else None


def duration(text: str) -> float | None:
    """Seconds of a Go duration (`6m0s`, `12ms`), of words (`26 seconds`) or of a bare number."""
    plain = number(text)
    if plain is not None:
        return plain
    lowered = text.strip().lower()
    if not _DURATION.fullmatch(lowered):
        return None
    parts = _DURATION_PART.findall(lowered)
    return _finite(sum(float(amount) * _UNITS[unit] for amount, unit in parts))


def number(text: str) -> float | None:
    """A number of 0 or more; None for a negative one, NaN, infinity and anything else."""
    text = text.strip()
    return _finite(float(text)) if _NUMBER.fullmatch(text) else None


def _from(headers: Mapping[str, str], prefix: str, now_ms: int) -> float | None:
    milliseconds = number(headers.get(f"{prefix}retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get(f"{prefix}retry-after", "")
    seconds = number(value)
    return seconds if seconds is not None else _until(value, headers.get("date", ""), now_ms)


def _until(value: str, date: str, now_ms: int) -> float | None:
    """From the server's own clock to `value`: the two clocks need not agree."""
    moment = _timestamp(value)
    if moment is None:
        return None
    now = _timestamp(date)
    wait = moment - (now_ms / 1000 if now is None else now)
    return wait if wait >= 0 else None


def _timestamp(value: str) -> float | None:
    if not value:
        return None
    try:
        moment = parsedate_to_datetime(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, OSError, IndexError):
        return None


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
