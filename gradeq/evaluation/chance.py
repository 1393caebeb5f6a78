"""Is the difference between two graders more than chance?"""

from __future__ import annotations

import math


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p-value of McNemar's test (1947), 0 to 1.

    Of the papers on which just one of two graders is right, chance would give each half:
    `only_first` are those that only the first got right.
    """
    n, fewer = only_first + only_second, min(only_first, only_second)
    ways = sum(math.comb(n, k) for k in range(fewer + 1))
    return min(1.0, 2 * ways / (1 << n))
