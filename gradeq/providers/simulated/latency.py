"""How long an answer takes: a fixed time, a range, or a long-tailed spread."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from enum import StrEnum

_NUMBER = r"\d+(?:\.\d+)?|\.\d+"
_FORM = re.compile(rf"({_NUMBER})(?:([-~])({_NUMBER}))?")


class Spread(StrEnum):
    FIXED = "fixed"
    UNIFORM = "uniform"
    LOGNORMAL = "lognormal"


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from `low` to `high`; for LOGNORMAL the median is `low` and sigma is `high`."""

    spread: Spread = Spread.FIXED
    low: float = 0.0
    high: float = 0.0

    @classmethod
    def parse(cls, text: str | float) -> Latency:
        """Read "0.2" (fixed), "0.5-2.0" (uniform) or "1.2~0.4" (lognormal: median~sigma).

        Raises ValueError, with the three forms, for anything else.
        """
        form = _FORM.fullmatch(str(text).strip())
        if form is None:
            raise ValueError(_advice(text))
        low, sign, high = form[1], form[2], form[3]
        if sign is None:
            return cls(Spread.FIXED, float(low), float(low))
        if sign == "~":
            return cls(Spread.LOGNORMAL, float(low), float(high))
        if float(high) < float(low):
            raise ValueError(f"latency {text!r}: the range ends before it begins")
        return cls(Spread.UNIFORM, float(low), float(high))

    def sample(self, rng: random.Random) -> float:
        """Seconds for one answer. Draws from `rng` only where there is something to draw."""
        if self.spread is Spread.UNIFORM:
            return rng.uniform(self.low, self.high)
        if self.spread is Spread.LOGNORMAL and self.low > 0:
            return rng.lognormvariate(math.log(self.low), self.high)
        return self.low


def _advice(text: object) -> str:
    return (
        f"latency {text!r} cannot be read: write seconds (0.2), a range (0.5-2.0) "
        "or median~sigma of a lognormal spread (1.2~0.4)"
    )
