"""How far the charges of one bucket ran ahead of its refill."""

from __future__ import annotations

from bisect import bisect_left

_REMEMBERED = 1024


class Spending:
    """Answers for any recent moment: since when, at the worst, was how much more charged than
    refilled?

    It keeps the balance (charged less refilled) from before each charge, but only where it was
    lower than at every later one: the worst start of a span is always among those. `mark`
    numbers the charges, so that two at the same instant have an order.
    """

    __slots__ = ("_at", "_balance", "_lows", "_marks")

    def __init__(self, now: float) -> None:
        self._at = now
        self._balance = 0.0
        self._marks: list[int] = []
        self._lows: list[float] = []

    def charge(self, amount: float, mark: int, rate: float, now: float) -> None:
        """`amount` was charged as number `mark`."""
        self._refill(rate, now)
        while self._lows and self._lows[-1] >= self._balance:
            self._lows.pop()
            self._marks.pop()
        self._lows.append(self._balance)
        self._marks.append(mark)
        self._balance += amount
        if len(self._marks) > _REMEMBERED:
            del self._marks[: _REMEMBERED // 2], self._lows[: _REMEMBERED // 2]

    def ahead_since(self, mark: int, rate: float, now: float) -> float:
        """The most that was charged beyond the refill, from any moment after `mark` to `now`."""
        self._refill(rate, now)
        first_later = bisect_left(self._marks, mark + 1)
        if first_later == len(self._marks):
            return 0.0
        return max(0.0, self._balance - self._lows[first_later])

    def _refill(self, rate: float, now: float) -> None:
        self._balance -= rate * (now - self._at)
        self._at = now
