"""Figures in words, for the screen and for the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from gradeq import money
from gradeq.cli import say
from gradeq.evaluation.bootstrap import Figure
from gradeq.evaluation.summary import Line, Summary

NAMES: Mapping[str, str] = MappingProxyType(
    {
        "exact": "exact",
        "adjacent": "within one level",
        "kappa": "kappa",
        "qwk": "weighted kappa",
        "pearson": "correlation",
        "mae": "mean error, points",
        "bias": "bias, points",
        "auc": "AUC",
    }
)
"""Figures as people read them."""

SIMULATED = (
    "SIMULATED: no model has read these papers. The figures show what a report looks like, "
    "and mean nothing."
)
RULER = "Bias above 0: the grader gives more than people."

_SHARES = ("exact", "adjacent")
_REASONS = 5


def headline_of(summary: Summary) -> Iterator[str]:
    """Which papers, by whom, what became of them and what it cost."""
    run = summary.run
    if run.header.simulated:
        yield SIMULATED
    papers = say.counted(len(run.outcomes), "paper")
    several = f" of {len(run.questions)} questions" if len(run.questions) > 1 else ""
    left_out = f" ({run.header.left_out:,} left out by --limit)" if run.header.left_out else ""
    yield (
        f"{run.header.file}: {papers}{several}{left_out} by {run.header.name}, measured on "
        f"{run.headline.name}; {summary.ungraded_count:,} ungraded"
    )
    reasons = sorted(summary.ungraded.items(), key=lambda one: -one[1])
    yield from (f"  ungraded: {reason} ({count:,})" for reason, count in reasons[:_REASONS])
    yield f"  {spent(summary)}"


def spent(summary: Summary) -> str:
    """Cost of all calls for these papers, and time."""
    each = summary.call_seconds
    paper = "" if each is None else f"; {_seconds(each)} a paper (median)"
    return (
        f"cost {money.told(summary.cost, summary.run.header.currency)}{paper}; "
        f"this run took {_seconds(summary.run.header.spent_seconds)}"
    )


def told(name: str, figure: Figure, *, is_difference: bool = False) -> str:
    """`72 [66, 78] %`, `0.44 [0.33, 0.55]`; a dash where it is undefined."""
    if figure.value is None:
        return "–"
    is_signed = is_difference or name == "bias"
    value = _number(name, figure.value, is_signed)
    if figure.low is not None and figure.high is not None:
        low, high = (_number(name, end, is_signed) for end in (figure.low, figure.high))
        value = f"{value} [{low}, {high}]"
    return f"{value} %" if name in _SHARES else value


def why_missing(lines: Iterable[Line]) -> Iterator[str]:
    """Each reason once, with the figures that it is about."""
    reasons: dict[str, dict[str, None]] = {}
    for line in lines:
        if line.why:
            reasons.setdefault(line.why, {})[line.title] = None
        for name, figure in line.figures.items():
            if figure.why:
                reasons.setdefault(figure.why, {})[NAMES[name]] = None
    yield from (f"{', '.join(names)}: {why}" for why, names in reasons.items())


def share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _number(name: str, value: float, is_signed: bool) -> str:
    text = f"{100 * value:+.0f}" if name in _SHARES else f"{value:+.2f}"
    if not float(text):
        return text[1:]
    return text if is_signed else text.removeprefix("+")


def _seconds(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds:.2g} s"
    return f"{seconds:.1f} s" if seconds < 600 else f"{seconds / 60:.0f} min"
