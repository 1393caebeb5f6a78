"""What work has cost, in words."""

from __future__ import annotations

from gradeq import money
from gradeq.store.costs import DayRow
from gradeq.store.rows import BatchRow


def costs(spent: BatchRow | DayRow, cap: float | None = None) -> str:
    """`cost 1.97 of 2.00 (0.04 in hand)`; nothing where nothing was spent and nothing is capped."""
    cap = spent.cost_cap if isinstance(spent, BatchRow) else cap
    if not (spent.cost or spent.uncertain_cost or spent.reserved_cost or cap):
        return ""
    beside = [
        f"{money.told(amount)} {what}"
        for amount, what in ((spent.uncertain_cost, "uncertain"), (spent.reserved_cost, "in hand"))
        if amount
    ]
    of = f" of {money.told(cap)}" if cap else ""
    return f"cost {money.told(spent.cost)}{of}" + (f" ({', '.join(beside)})" if beside else "")
