"""Which failed calls may have been charged: where it cannot be known, they count."""

from __future__ import annotations

import pytest

from gradeq.handlers.purse import may_be_charged
from gradeq.outcome import ErrorClass
from gradeq.providers.base import Failure


@pytest.mark.parametrize(
    ("error", "status", "may_be"),
    [
        # No whole answer came: the model may have written one.
        ("timeout", None, True),
        ("connection_lost", None, True),
        ("server_error", None, True),
        ("server_error", 200, True),
        ("timeout", 408, True),
        # A gateway gave up on whoever stands behind it.
        ("server_error", 502, True),
        ("server_error", 504, True),
        # The model did answer, whatever it was worth.
        ("unusable", 400, True),
        ("refused", 400, True),
        # Nothing was sent, or the provider says that it did nothing.
        ("overloaded", None, False),
        ("overloaded", 529, False),
        ("overloaded", 503, False),
        ("server_error", 500, False),
        ("rate_limited", 429, False),
        ("rate_limited", 200, False),
        ("quota", 402, False),
        ("bad_key", 401, False),
        ("bad_request", 400, False),
        ("too_large", 413, False),
        ("snoozed", 400, False),
    ],
)
def test_what_may_be_charged(error: str, status: int | None, may_be: bool) -> None:
    failure = Failure(ErrorClass(error), "it failed", status=status)
    assert may_be_charged(failure) is may_be
