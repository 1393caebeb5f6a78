"""How long a job waits before its next try."""

from __future__ import annotations

from random import Random

from gradeq.outcome import Wait

_LONGEST_OVERLOAD = 30.0


def delay(wait: Wait, tries: int, rng: Random, asked: float | None = None) -> float:
    """Seconds to wait by the rule `wait` after `tries` (1 or more) tries of that kind.

    `asked` is what a grader asked for. POOL, AT_ONCE and NEVER wait no time of their own.
    """
    match wait:
        case Wait.OVERLOAD:
            return rng.uniform(0.5, 1.0) * min(_LONGEST_OVERLOAD, 2.0 ** min(tries, 10))
        case Wait.POLL:
            return rng.uniform(1.0, 5.0)
        case Wait.JITTER:
            return rng.uniform(1.0, max(2.0, min(30.0, 2.0 ** min(tries, 10))))
        case Wait.SHORT:
            return rng.uniform(1.0, min(10.0, 1.0 + 2.0 * tries))
        case Wait.ASKED:
            return max(0.0, asked or 0.0)
        case _:
            return 0.0
