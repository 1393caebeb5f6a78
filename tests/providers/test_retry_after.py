"""Every form in which a response asks to wait."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeq.providers.retry_after import duration, from_headers, from_text, number

NOW = datetime(2026, 11, 1, 12, 0, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)


def http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "30"}, 30.0),
        ({"retry-after": " 0.25 "}, 0.25),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "86400"}, 86400.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "30"}, 1.5),
        ({"retry-after-ms": "-1", "retry-after": "30"}, 30.0),
        ({"retry-after-ms": "nan", "retry-after": "30"}, 30.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Infinity"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "9" * 40}, None),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, None),
        ({"retry-after": "1_000"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "2", "x-ratelimit-reset-tokens": "6m0s"}, 2.0),
        ({"llm_provider-retry-after": "7"}, 7.0),
        ({"llm_provider-retry-after-ms": "70"}, 0.07),
        ({"retry-after": "3", "llm_provider-retry-after": "7"}, 3.0),
        ({"retry-after": "never", "llm_provider-retry-after": "7"}, 7.0),
        ({"retry-after": http_date(NOW + timedelta(seconds=90))}, 90.0),
        ({"retry-after": http_date(NOW - timedelta(seconds=90))}, None),
        ({"retry-after": "Sun, 99 Nov 2026 12:00:00 GMT"}, None),
        ({"retry-after": "Sun, 01 Nov 2026 12:01:00 -0000"}, 60.0),
    ],
)
def test_headers(headers, seconds):
    assert from_headers(headers, NOW_MS) == seconds


@given(skew=st.integers(-400_000, 400_000), wait=st.integers(0, 100_000))
def test_a_date_is_read_by_the_servers_own_clock(skew, wait):
    there = NOW + timedelta(seconds=skew)
    headers = {"date": http_date(there), "retry-after": http_date(there + timedelta(seconds=wait))}
    assert from_headers(headers, NOW_MS) == wait


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the time zone cannot be set here")
def test_a_date_without_a_zone_is_universal_time_wherever_this_runs(monkeypatch):
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "XYZ+5")
        time.tzset()
        seconds = from_headers({"retry-after": "Sun, 01 Nov 2026 12:01:00 -0000"}, NOW_MS)
    time.tzset()
    assert seconds == 60.0


@given(st.dictionaries(st.sampled_from(["retry-after-ms", "retry-after", "date"]), st.text()))
def test_no_header_is_read_as_nonsense(headers):
    seconds = from_headers(headers, NOW_MS)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


@given(st.floats(0, 1e9))
def test_every_plain_number_is_read(value):
    assert number(f"{value:.9f}") == pytest.approx(value, abs=1e-8)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12ms", 0.012),
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("7.66s", 7.66),
        ("250µs", 0.00025),
        ("250us", 0.00025),
        ("2d", 172_800.0),
        ("26 seconds", 26.0),
        ("1 minute 30 seconds", 90.0),
        ("58.93s", 58.93),
        ("12", 12.0),
        ("", None),
        ("-1s", None),
        ("soon", None),
        ("5 apples", None),
        ("2026-11-01T00:00:00Z", None),
    ],
)
def test_durations(text, seconds):
    assert duration(text) == (None if seconds is None else pytest.approx(seconds))


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59_999))
def test_go_durations_add_up(hours, minutes, milliseconds):
    text = f"{hours}h{minutes}m{milliseconds / 1000:.3f}s"
    expected = hours * 3600 + minutes * 60 + milliseconds / 1000
    assert duration(text) == pytest.approx(expected)


@given(st.text())
def test_no_text_is_read_as_nonsense(text):
    for seconds in (duration(text), from_text(text)):
        assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Limit 3, Used 3, Requested 1. Please try again in 20s. Visit https://…", 20.0),
        ("Please try again in 7m12.5s.", 432.5),
        ("Please try again in 840ms.", 0.84),
        ("Please retry after 26 seconds.", 26.0),
        ("Please retry in 58.934s.", 58.934),
        ("Try your request again in 1 minute", 60.0),
        ("wait at least 2 minutes, 5 seconds before", 125.0),
        ("The limit resets in 3h.", 10_800.0),
        ("Rate limit reached", None),
        ("Please try again in 6 monkeys", None),
        ("Please try again in 99999999999999999999h.", None),
        ("Please try again later; you sent 20 messages", None),
    ],
)
def test_sentences(message, seconds):
    assert from_text(message) == seconds
