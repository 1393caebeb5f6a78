"""What work has cost, in words."""

from __future__ import annotations

from gradeq import money
from gradeq.store.costs import DayRow
from gradeq.store.rows import BatchRow


def costs(spent: BatchRow | DayRow, currency: str, cap: float | None = None) -> str:
    """`cost 1.97 of 2.00 USD (0.04 in hand)`; nothing where nothing was spent or is capped."""
    cap = spent.cost_cap if isinstance(spent, BatchRow) else cap
    if not (spent.cost or spent.uncertain_cost or spent.reserved_cost or cap):
        return ""
    beside = [
        f"{money.figures(amount)} {what}"
        for amount, what in ((spent.uncertain_cost, "uncertain"), (spent.reserved_cost, "in hand"))
        if amount
    ]
    of = f"{money.figures(spent.cost)} of " if cap else ""
    last = money.told(cap or spent.cost, currency)
    return f"cost {of}{last}" + (f" ({', '.join(beside)})" if beside else "")
