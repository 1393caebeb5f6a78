"""Amounts as people read them."""

from __future__ import annotations

import pytest

from gradeq import money


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        (0, "0.00 EUR"),
        (1234.5, "1,234.50 EUR"),
        (0.0123, "0.0123 EUR"),
        (0.00043, "0.00043 EUR"),
        (0.0000000123, "0.000000012 EUR"),
    ],
)
def test_no_amount_is_told_as_nothing(amount: float, told: str) -> None:
    assert money.told(amount, "EUR") == told
