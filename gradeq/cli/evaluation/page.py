"""The report as one HTML file: no script, nothing from elsewhere, light and dark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import jinja2

from gradeq.cli import say
from gradeq.cli.evaluation.forest import Forest, forest
from gradeq.cli.evaluation.grading import Graded
from gradeq.cli.evaluation.told import chance_told
from gradeq.cli.evaluation.wording import NAMES, RULER, SIMULATED, share, spent, told, why_missing
from gradeq.errors import ConfigError
from gradeq.evaluation.compare import Comparison
from gradeq.evaluation.people import Measure
from gradeq.evaluation.runs import Outcome, Run
from gradeq.evaluation.summary import Summary, by_grader, by_person, papers_in
from gradeq.web.pages.plots import Chart, Tick, chart

_HERE = Path(__file__).parent
_DRAWN = ("exact", "kappa", "qwk", "pearson", "auc")
_MOST_PAPERS = 25
_MOST_TEXT = 600
_MOST_BARS = 13


@dataclass(frozen=True, slots=True)
class Plot:
    title: str
    forest: Forest
    told: str


@dataclass(frozen=True, slots=True)
class Far:
    """A paper on which grader and people differ."""

    id: str
    question: str
    person: str
    grader: str
    flags: str
    text: str
    said: str


def write_page(
    path: Path, summary: Summary, comparison: Comparison | None, papers: Sequence[Graded]
) -> None:
    """Raises ConfigError where it cannot be written."""
    try:
        path.write_text(page(summary, comparison, papers), "utf-8", errors="backslashreplace")
    except OSError as error:
        raise ConfigError(
            f"{path}: the report could not be written ({error.strerror or error}); the grades are "
            "safe in the database. Run the same command again with another --html"
        ) from error


def page(summary: Summary, comparison: Comparison | None, papers: Sequence[Graded]) -> str:
    """Students' and models' texts stand in it as text alone."""
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FileSystemLoader([_HERE, _HERE.parents[1] / "web" / "templates"]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals.update(
        NAMES=NAMES,
        told=told,
        share=share,
        chance_told=chance_told,
        counted=say.counted,
        papers_in=papers_in,
    )
    far = list(_far(summary.run, papers))
    drawn = _differences(summary.run)
    return environment.get_template("page.html").render(
        summary=summary,
        run=summary.run,
        comparison=comparison,
        simulated=SIMULATED if summary.run.header.simulated else "",
        ruler=RULER,
        spent=spent(summary),
        names=[name for name in NAMES if _is_told(summary, name)],
        reasons=list(why_missing(summary.lines)),
        plots=list(_plots(summary)),
        differences=drawn,
        differences_told="; ".join(f"{bar.label}: {bar.count}" for bar in drawn.bars),
        far=far[:_MOST_PAPERS],
        far_count=len(far),
        mark=summary.run.headline.scale.name_of,
    )


def _is_told(summary: Summary, name: str) -> bool:
    """A figure that nobody has is no row; why it is missing stands below."""
    return any(
        name in line.figures and line.figures[name].value is not None for line in summary.lines
    )


def _plots(summary: Summary) -> Iterator[Plot]:
    # For yes or no, both kappas are the same.
    left_out = "qwk" if summary.run.headline.scale.is_yes_or_no else ""
    for name in _DRAWN:
        if name == left_out:
            continue
        lines = [(line.title, line.figures[name]) for line in summary.lines if name in line.figures]
        if any(figure.value is not None for _, figure in lines):
            words = "; ".join(f"{title}: {told(name, figure)}" for title, figure in lines)
            yield Plot(NAMES[name], forest(lines), words)


def _differences(run: Run) -> Chart:
    """How many papers the grader gave so many steps less or more."""
    measure = run.headline
    steps = Counter(
        round(measure.scale.step_of(grader) - measure.scale.step_of(person))
        for _, person, grader in _judged(run.outcomes, measure)
    )
    reach = min(_MOST_BARS // 2, max((abs(step) for step in steps), default=0))
    reach = max(1, reach)
    stretches = range(-reach, reach + 1)
    counts = [
        sum(count for step, count in steps.items() if max(-reach, min(reach, step)) == one)
        for one in stretches
    ]
    labels = [f"{one:+d}" if one else "0" for one in stretches]
    drawn = chart(counts, labels, [""] * (len(labels) + 1), ("0", f"{max(counts):,}"))
    # The labels stand under the bars, not between them.
    below = [Tick(bar.label, round(bar.x + bar.width / 2, 1)) for bar in drawn.bars]
    return replace(drawn, below=tuple(below))


def _judged(
    outcomes: Sequence[Outcome], measure: Measure
) -> Iterator[tuple[Outcome, float, float]]:
    person, grader = by_person(1, measure), by_grader(measure)
    for one in outcomes:
        said, given = person(one), grader(one)
        if said is not None and given is not None:
            yield one, said, given


def _far(run: Run, papers: Sequence[Graded]) -> Iterator[Far]:
    """The farthest apart first; of those alike the ones that the grader was surest of."""
    measure = run.headline
    graded = {one.outcome.id: one for one in papers}
    apart = [one for one in _judged(run.outcomes, measure) if one[1] != one[2]]
    for outcome, person, grader in sorted(apart, key=_how_far, reverse=True):
        paper = graded[outcome.id]
        yield Far(
            id=outcome.id,
            question=outcome.question,
            person=measure.scale.name_of(person),
            grader=measure.scale.name_of(grader),
            flags=", ".join(flag.replace("_", " ") for flag in outcome.flags),
            text=_cut(paper.text),
            said=_cut(paper.said),
        )


def _how_far(one: tuple[Outcome, float, float]) -> tuple[float, float]:
    outcome, person, grader = one
    return abs(person - grader), outcome.confidence or 0.0


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"
