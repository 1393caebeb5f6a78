"""What came of it, in a few lines and as the summary for scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from gradeq import money
from gradeq.cli import say
from gradeq.cli.plan import Plan
from gradeq.cli.session import Ended
from gradeq.cli.stores import result_pages
from gradeq.cli.watch import Spent
from gradeq.export import Exported, kept_columns, write_results
from gradeq.model import Flag
from gradeq.results import GRADED, Result
from gradeq.store.base import Store

_NAMED = 6
_REASONS = 8

_OF_ALL = (Flag.SIMULATED, Flag.PROVISIONAL)
"""Flags of every grade of a run: they say nothing of one paper."""

PROVISIONAL_NOTE = (
    "PROVISIONAL: no model reads these papers. Their words are compared with the reference, which\n"
    "is right about seven times in ten; look at every grade before you release it."
)
BLEND_NOTE = (
    "PROVISIONAL: the words of the papers are compared with the reference, and what a model finds\n"
    "probable is added; look at every grade before you release it."
)
SIMULATED_NOTE = (
    "SIMULATED: no model reads these papers. The simulated provider makes the grades\n"
    "up; they carry the flag 'simulated' and are for trying gradeq, not for students."
)


@dataclass(slots=True)
class Tally:
    """Counts over results, and which papers each remark is about."""

    graded: int = 0
    ungraded: dict[str, list[str]] = field(default_factory=dict)
    flagged: dict[str, list[str]] = field(default_factory=dict)
    scores: list[float] = field(default_factory=list)
    most: Counter[float] = field(default_factory=Counter)

    def add(self, result: Result) -> None:
        if result.status != GRADED or result.grade is None:
            self.ungraded.setdefault(result.reason or "unknown", []).append(result.id)
            return
        self.graded += 1
        self.scores.append(result.grade.score)
        self.most[result.grade.max_score] += 1
        for flag in result.grade.flags:
            self.flagged.setdefault(flag, []).append(result.id)

    @property
    def ungraded_count(self) -> int:
        return sum(map(len, self.ungraded.values()))


async def report(plan: Plan, store: Store, out: Path | None) -> Tally:
    """Count what became of the papers; write it to `out` as well."""
    tallies: list[Tally] = []

    async def pages() -> AsyncIterator[Sequence[Exported]]:
        tally = Tally()
        tallies.append(tally)
        async for page in result_pages(store, plan.ids):
            exported = [Exported(plan.result(row), kept_columns(row)) for row in page]
            for one in exported:
                tally.add(one.result)
            yield exported

    if out is not None:
        await write_results(out, pages)
    else:
        async for _ in pages():
            pass
    return tallies[-1]


def summary(
    tally: Tally, ended: Ended, spent: Spent, seconds: float, currency: str
) -> dict[str, Any]:
    """The documented fields. Requests, tokens and cost are those of this run's calls alone."""
    return {
        "submitted": tally.graded + tally.ungraded_count,
        "graded": tally.graded,
        "ungraded": tally.ungraded_count,
        "seconds": round(seconds, 3),
        "requests": ended.requests,
        "rate_limited": ended.rate_limited,
        "input_tokens": spent.input_tokens,
        "output_tokens": spent.output_tokens,
        "cost": round(spent.cost, 6),
        "uncertain_cost": round(spent.uncertain_cost, 6),
        "currency": currency,
        "limited_by": ended.limited_by,
        "limited_by_text": ended.limited_by_text,
        "stuck_on": ended.stuck_on,
    }


def tell(tally: Tally, told: dict[str, Any], *, as_json: bool) -> None:
    """The same for people."""
    lines = [
        f"{tally.graded:,} graded, {tally.ungraded_count:,} ungraded in {told['seconds']:.1f} s: "
        f"{say.counted(told['requests'], 'request')}, {told['rate_limited']:,} rate-limited, "
        f"{told['input_tokens']:,} tokens in, {told['output_tokens']:,} out"
        + (f", cost {money.told(told['cost'], told['currency'])}" if told["cost"] else "")
        + _unsure(told["uncertain_cost"], told["currency"])
        + _limited(told)
    ]
    lines += _scores(tally)
    lines += _remarks("Ungraded", tally.ungraded)
    looks = {
        flag.replace("_", " "): ids for flag, ids in tally.flagged.items() if flag not in _OF_ALL
    }
    lines += _remarks("To look at first", looks)
    say.fact("\n".join(lines), as_json=as_json)


def _unsure(amount: float, currency: str) -> str:
    most = money.told(amount, currency)
    return f" (and up to {most} for calls that ended without an answer)" if amount else ""


def _limited(told: dict[str, Any]) -> str:
    """What stopped it early is told by itself."""
    is_told = told["requests"] and told["stuck_on"] is None
    return f"; limited by {told['limited_by_text']}" if is_told else ""


def _scores(tally: Tally) -> list[str]:
    if not tally.scores:
        return []
    middle, low, high = median(tally.scores), min(tally.scores), max(tally.scores)
    most = f" of {max(tally.most):g}" if len(tally.most) == 1 else ""
    return [f"Scores: {low:g} to {high:g}{most}, half of them {middle:g} or more"]


def _remarks(title: str, remarks: dict[str, list[str]]) -> list[str]:
    if not remarks:
        return []
    ordered = sorted(remarks.items(), key=lambda item: -len(item[1]))
    lines = [f"  {remark}: {named(ids)}" for remark, ids in ordered[:_REASONS]]
    more = [f"  … and {len(ordered) - _REASONS} others"] if len(ordered) > _REASONS else []
    return [f"{title}:", *lines, *more]


def named(ids: Sequence[str]) -> str:
    """`e01, e02 and 28 more`."""
    if len(ids) <= _NAMED:
        return ", ".join(ids)
    return f"{', '.join(ids[: _NAMED - 1])} and {len(ids) - _NAMED + 1:,} more"
