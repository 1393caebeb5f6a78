"""Money that calls may cost, and caps that hold it."""

from __future__ import annotations

from dataclasses import dataclass

from gradeq import money


@dataclass(frozen=True, slots=True)
class Need:
    """The most that the next call for a job in hand can cost: above 0, in configured money.

    `least` is what will do where `amount` does not fit.
    """

    job_id: int
    lease: str
    amount: float
    currency: str = "USD"
    least: float | None = None

    @property
    def amounts(self) -> tuple[float, ...]:
        """What to try to reserve, the last one being what it takes."""
        return (self.amount,) if self.least is None else (self.amount, self.least)


@dataclass(frozen=True, slots=True)
class Reserved:
    """The money is kept back. `at`, wall milliseconds, is when the call counts as begun: that
    instant's local date is the day that it costs.
    """

    amount: float
    at: int


DAY_CAP = "the day's cost cap"
"""What the reason of a day's cap begins with."""


@dataclass(frozen=True, slots=True)
class CapReached:
    """A call that would not fit under a cap; nothing was reserved.

    `batch_id` is None where the cap is the day's. `in_hand` is reserved for calls on their way,
    which may free some of it: while `waits`, there are any. Without any the batch is paused by now.
    """

    cap: float
    spent: float
    uncertain: float
    in_hand: float
    needed: float
    waits: bool
    batch_id: int | None = None
    currency: str = "USD"

    @property
    def reason(self) -> str:
        """For people: what is reached, by how much, and what to do."""
        which = DAY_CAP if self.batch_id is None else "cost cap"
        return (
            f"{which} of {money.told(self.cap, self.currency)} reached: "
            f"{money.figures(self.spent)} spent{self._unsure()}, {money.figures(self.in_hand)} in "
            f"hand, the next call could cost up to {money.figures(self.needed)}; "
            f"{self._what_to_do()}"
        )

    def _unsure(self) -> str:
        if not self.uncertain:
            return ""
        return f", {money.figures(self.uncertain)} uncertain (calls that ended without an answer)"

    def _what_to_do(self) -> str:
        if self.batch_id is None:
            return "it goes on at midnight, or with a higher cost_cap_per_day"
        return (
            f"raise it (gradeq batch cap {self.batch_id} AMOUNT), then resume "
            f"(gradeq batch resume {self.batch_id})"
        )


@dataclass(frozen=True, slots=True)
class DayRow:
    """What the calls that began on one local day have cost, may have cost and may still cost."""

    day: str
    cost: float = 0.0
    uncertain_cost: float = 0.0
    reserved_cost: float = 0.0
