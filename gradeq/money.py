"""Amounts of money, in the one currency of the configured prices, and caps on them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from gradeq.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Caps:
    """What calls may cost: each batch unless it has a cap of its own, and each local day.

    None: no cap. `currency` is that of the providers' prices, too.
    """

    per_batch: float | None = None
    per_day: float | None = None
    currency: str = "USD"

    @property
    def any(self) -> bool:
        return self.per_batch is not None or self.per_day is not None


def checked_cap(cap: float | None, what: str = "a cost cap") -> float | None:
    """`cap` itself. Raises ConfigError unless it is None or a number above 0."""
    if cap is not None and not 0 < cap < math.inf:
        raise ConfigError(f"{what} must be above 0, not {cap:g}; nothing was changed")
    return cap


def is_currency(code: str) -> bool:
    """Written as ISO 4217 writes currencies: three capital letters."""
    return re.fullmatch("[A-Z]{3}", code) is not None


def checked_currency(code: str) -> str:
    """`code` itself. Raises ConfigError unless it is written as ISO 4217 writes currencies."""
    if not is_currency(code):
        raise ConfigError(f"currency must be a code of three letters, such as EUR, not {code!r}")
    return code


def told_short(cap: float | None, currency: str) -> str:
    """Why a batch starts fewer calls than it could."""
    return (
        f"cost cap: calls on their way could use up what is left of {told(cap or 0, currency)}, "
        "so others wait for them"
    )


def told(amount: float, currency: str) -> str:
    """`1.97 USD`, in texts; pages write it as their reader's language does."""
    return f"{figures(amount)} {currency}"


def figures(amount: float) -> str:
    """Where the currency stands beside it."""
    return f"{amount:,.{decimals(amount)}f}"


def decimals(amount: float) -> int:
    """How many to show: small sums keep four, very small ones two that are not 0."""
    if amount >= 1 or amount <= 0:
        return 2
    return max(4, 1 - math.floor(math.log10(amount)))
