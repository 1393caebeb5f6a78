"""What a run says about its grader: a screen for people, a line for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import shorten
from typing import Any

from gradeq.cli import say
from gradeq.cli.evaluation.wording import NAMES, RULER, headline_of, share, told, why_missing
from gradeq.evaluation.bootstrap import Figure
from gradeq.evaluation.compare import Change, Comparison
from gradeq.evaluation.confidence import ByConfidence
from gradeq.evaluation.runs import Run
from gradeq.evaluation.summary import Confusion, Line, Marked, Summary, papers_in

_BESIDE = 3
_MOST_COLUMNS = 7
_OF_CRITERIA = ("exact", "qwk", "bias")
_NAMED = 5
_LONGEST_NAME = 60


def report_lines(summary: Summary, comparison: Comparison | None) -> Iterator[str]:
    """Everything but the details, which are in the --html report."""
    yield from headline_of(summary)
    for start in range(0, len(summary.lines), _BESIDE):
        yield ""
        yield from _beside(summary.lines[start : start + _BESIDE])
    yield from (f"  {reason}" for reason in why_missing(summary.lines))
    yield f"  95 % intervals in brackets: bootstrap, {summary.drawn}. {RULER}"
    yield ""
    if len(summary.confusions) > 1:
        yield from _by_criterion(summary.confusions)
    else:
        yield from _confused(summary.confusions[0])
    yield ""
    yield from _flagged(summary.flags)
    yield from _sure(summary.confidence)
    yield from _questions(summary)
    if comparison is not None:
        yield ""
        yield from compared_lines(comparison)


def as_json_line(
    summary: Summary, comparison: Comparison | None, told: Mapping[str, Any]
) -> dict[str, Any]:
    """The documented fields."""
    run = summary.run
    return {
        **_as_json(summary.headline),
        "ungraded": summary.ungraded_count,
        "cost": round(summary.cost, 6),
        "currency": run.header.currency,
        "seconds": told["seconds"],
        "seconds_per_paper": summary.call_seconds,
        "requests": told["requests"],
        "papers": len(run.outcomes),
        "left_out": run.header.left_out,
        "grader": run.header.grader,
        "model": run.header.model,
        "simulated": run.header.simulated,
        "measure": run.headline.name,
        "lines": {line.title: _as_json(line.figures) for line in summary.lines[1:]},
        "criteria": {
            one.measure.name: {
                **_as_json(one.figures),
                "unassessed": one.unassessed,
                "people": {line.title: _as_json(line.figures) for line in one.people},
            }
            for one in summary.confusions
        },
        "flags": {
            one.name: {"n": one.n, "wrong": one.wrong, "more_wrong": _number(one.difference)}
            for one in summary.flags
        },
        "confidence": None if summary.confidence is None else _sure_json(summary.confidence),
        "questions": {
            one.name: {"n": one.n, "ungraded": one.ungraded, "exact": one.exact.value}
            for one in summary.questions
        },
        "against": None if comparison is None else _compared_json(comparison),
        "interrupted": told["interrupted"],
        "stuck_on": told["stuck_on"],
        "db": told["db"],
    }


def compared_lines(comparison: Comparison) -> Iterator[str]:
    """Against the earlier run: what changed, and whether it is more than chance."""
    one = comparison
    yield (
        f"Against {one.earlier.header.name} on {say.counted(one.n, 'paper')} that both graded: "
        f"{len(one.changes):,} graded otherwise, {len(one.nearer):,} nearer to people, "
        f"{len(one.farther):,} farther away"
    )
    for title, changes in (("nearer", one.nearer), ("farther", one.farther)):
        if changes:
            yield f"  {title}: {_some(one.earlier, changes)}"
    rows: list[Sequence[str]] = [("", "earlier", "now", "difference [95 %]")]
    known = {name: each for name, each in one.differences.items() if each.value is not None}
    for name, figure in known.items():
        before, now = one.before[name], one.now[name]
        plain = [told(name, Figure(each.n, each.value)) for each in (before, now)]
        rows.append((NAMES[name], *plain, told(name, figure, is_difference=True)))
    yield say.table(rows, numbers=True)
    yield f"  {chance_told(one)}"


def chance_told(one: Comparison) -> str:
    """Whether the shares of exactly right papers differ by more than chance."""
    verdict = "more than chance" if one.p < 0.05 else "not more than chance would give"
    return (
        f"Exactly right by one of them alone: {one.only_before:,} by the earlier, {one.only_now:,} "
        f"by this one; {verdict} (McNemar, p = {one.p:.2g})"
    )


def _beside(lines: Sequence[Line]) -> Iterator[str]:
    told_lines = [line for line in lines if line.figures]
    if told_lines:
        names = dict.fromkeys(
            name
            for line in told_lines
            for name, one in line.figures.items()
            if one.value is not None
        )
        rows = [("", *(line.title for line in told_lines))]
        rows.append(("papers", *(f"{_n(line):,}" for line in told_lines)))
        for name in names:
            figures = (line.figures.get(name) for line in told_lines)
            cells = ("" if one is None else told(name, one) for one in figures)
            rows.append((NAMES[name], *cells))
        yield say.table(rows, numbers=True)


def _n(line: Line) -> int:
    return next(iter(line.figures.values())).n


def _confused(confusion: Confusion) -> Iterator[str]:
    name = confusion.measure.name
    if not confusion.measure.scale.names or len(confusion.columns) > _MOST_COLUMNS:
        return
    header = (f"{name}: people", *(f"grader: {one}" for one in confusion.columns))
    rows = [
        (mark, *(f"{count:,}" for count in counts))
        for mark, counts in zip(confusion.rows, confusion.counts, strict=True)
    ]
    yield say.table([header, *rows], numbers=True)
    if confusion.unassessed:
        yield f"  {say.counted(confusion.unassessed, 'paper')} that the grader could not assess"


def _by_criterion(confusions: Sequence[Confusion]) -> Iterator[str]:
    """The tables themselves would fill screens: they are in the --html report."""
    rows = [("", "papers", *(NAMES[name] for name in _OF_CRITERIA), "not assessed")]
    for one in confusions:
        figures = [one.figures[name] for name in _OF_CRITERIA]
        cells = map(told, _OF_CRITERIA, figures)
        rows.append((one.measure.name, f"{figures[0].n:,}", *cells, f"{one.unassessed:,}"))
    yield say.table(rows, numbers=True)


def _flagged(flags: Sequence[Marked]) -> Iterator[str]:
    for one in flags:
        if one.n:
            more = "" if one.difference is None else f"; {_more(one.difference)}"
            yield f"  {one.name.replace('_', ' ')}: {one.wrong:,} of {one.n:,} wrong{more}"


def _sure(found: ByConfidence | None) -> Iterator[str]:
    if found is None:
        yield "  confidence: this grader tells none"
        return
    parts = (
        f"{one.low:.2f} to {one.high:.2f}: {share(one.exact.value)} of {one.exact.n:,}"
        for one in found.parts
    )
    yield f"  exact by confidence: {'; '.join(parts)}; AUC {told('auc', found.auc)}"


def _more(difference: Figure) -> str:
    if difference.low is None:
        return difference.why
    more = told("exact", difference, is_difference=True)
    verdict = "" if difference.excludes_zero else ", which may be chance"
    return f"{more} beside papers without it{verdict}"


def _questions(summary: Summary) -> Iterator[str]:
    known = [one for one in summary.questions if one.exact.value is not None]
    if known:
        ordered = sorted(known, key=lambda one: one.exact.value or 0.0)
        worst, best = ordered[0], ordered[-1]
        yield (
            f"  By question: exact from {share(worst.exact.value)} ({_short(worst.name)}) "
            f"to {share(best.exact.value)} ({_short(best.name)})"
        )


def _short(name: str) -> str:
    """A question may be named by all of its words."""
    shown = "".join(one if one.isprintable() else " " for one in name)
    return shorten(shown, _LONGEST_NAME, placeholder=" …")


def _some(run: Run, changes: Sequence[Change]) -> str:
    name = run.headline.scale.name_of
    some = [
        f"{one.id} ({name(one.before)} → {name(one.now)}; people {name(one.person)})"
        for one in changes[:_NAMED]
    ]
    more = f" and {len(changes) - _NAMED:,} more" if len(changes) > _NAMED else ""
    return ", ".join(some) + more


def _as_json(figures: Mapping[str, Figure]) -> dict[str, Any]:
    """Numbers, null where undefined; `intervals` and `undefined` by name."""
    return {
        "n": papers_in(figures),
        **{name: _rounded(one.value) for name, one in figures.items()},
        "intervals": {
            name: [_rounded(one.low), _rounded(one.high)]
            for name, one in figures.items()
            if one.low is not None
        },
        "undefined": {name: one.why for name, one in figures.items() if one.why},
    }


def _number(figure: Figure | None) -> dict[str, Any] | None:
    if figure is None or figure.value is None:
        return None
    return {
        "value": _rounded(figure.value),
        "interval": [_rounded(figure.low), _rounded(figure.high)],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6) + 0.0  # never -0.0


def _sure_json(found: ByConfidence) -> dict[str, Any]:
    return {
        "auc": _number(found.auc),
        "parts": [
            {"low": one.low, "high": one.high, "n": one.exact.n, "exact": one.exact.value}
            for one in found.parts
        ],
    }


def _compared_json(one: Comparison) -> dict[str, Any]:
    return {
        "grader": one.earlier.header.grader,
        "model": one.earlier.header.model,
        "changed": [change.id for change in one.changes],
        "nearer": [change.id for change in one.nearer],
        "farther": [change.id for change in one.farther],
        "difference": _as_json(one.differences),
        "only_before": one.only_before,
        "only_now": one.only_now,
        "mcnemar_p": one.p,
    }
