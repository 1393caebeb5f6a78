"""Numbers as people type them into tables."""

from __future__ import annotations

import math
import re

_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?")


def number(cell: str) -> float | None:
    """`3`, `3.5` or `3,5`; None for anything else."""
    if _NUMBER.fullmatch(cell) is None:
        return None
    found = float(cell.replace(",", "."))
    return found if math.isfinite(found) else None
