"""A day is the machine's local date, whatever its clocks do."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeq.days import day_of, next_midnight_ms

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows takes its zone from the system alone"
)
# Written out, so that no zone database is needed: the last two change their clocks at midnight.
ZONES = [
    "UTC0",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "EST5EDT,M3.2.0,M11.1.0",
    "IST-5:30",
    "<+14>-14",
    "CLT4CLST,M9.1.6/24,M4.1.6/24",
    "EET-2EEST,M3.5.0/0,M10.5.0/0",
]
HOUR = 3_600_000
MOMENTS = st.integers(0, 4_000_000_000_000)


@contextmanager
def zone(name: str) -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@given(name=st.sampled_from(ZONES), moment=MOMENTS)
def test_the_next_midnight_is_where_the_date_changes(name: str, moment: int) -> None:
    with zone(name):
        midnight = next_midnight_ms(moment)
        assert moment < midnight <= moment + 26 * HOUR
        assert day_of(midnight - 1) == day_of(moment) < day_of(midnight)


@pytest.mark.parametrize(
    ("name", "moment", "day", "midnight"),
    [
        ("UTC0", "2026-03-28T23:59:59.999", "2026-03-28", "2026-03-29T00:00"),
        ("IST-5:30", "2026-03-28T18:30", "2026-03-29", "2026-03-29T18:30"),
        # 23 hours: the clocks go forward in the night.
        ("CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-28T23:00", "2026-03-29", "2026-03-29T22:00"),
        # The day begins at one: there is no midnight.
        ("EET-2EEST,M3.5.0/0,M10.5.0/0", "2026-03-28T21:00", "2026-03-28", "2026-03-28T22:00"),
    ],
)
def test_days_in_their_zones(name: str, moment: str, day: str, midnight: str) -> None:
    with zone(name):
        assert day_of(at(moment)) == day
        assert next_midnight_ms(at(moment)) == at(midnight)
