"""Everything that a run says about its grader: figures, confusion, flags, questions, costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import median

from gradeq.evaluation.baselines import on_a_line
from gradeq.evaluation.bootstrap import Figure, Sample, estimated, how_drawn
from gradeq.evaluation.confidence import ByConfidence, Told, by_confidence
from gradeq.evaluation.figures import Pair, Undefined, auc, bias, exact, figures_on, pearson
from gradeq.evaluation.people import Measure
from gradeq.evaluation.runs import Outcome, Run

_FEWEST = 5
"""Papers with a flag, or without, that tell nothing by their number."""

Figures = Mapping[str, Figure]
Value = Callable[[Outcome], float | None]


@dataclass(frozen=True, slots=True)
class Line:
    """Two raters beside each other, or a baseline beside a person."""

    title: str
    figures: Figures
    why: str = ""
    """Why there are no figures at all."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often people's mark (row) met the grader's (column), both by the level's name.

    `people` is how far they agree among themselves, each pair that judged the same papers.
    """

    measure: Measure
    figures: Figures
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    people: tuple[Line, ...]
    unassessed: int
    """Graded papers where the grader could not assess this criterion."""


@dataclass(frozen=True, slots=True)
class Marked:
    """The papers with a flag, with any, or with none; `difference` is to those without it."""

    name: str
    n: int
    wrong: int
    difference: Figure | None = None


@dataclass(frozen=True, slots=True)
class ByQuestion:
    name: str
    n: int
    ungraded: int
    exact: Figure
    bias: Figure


@dataclass(frozen=True, slots=True)
class Summary:
    """`lines` begins with the grader beside the first person: the headline."""

    run: Run
    lines: tuple[Line, ...]
    confusions: tuple[Confusion, ...]
    flags: tuple[Marked, ...]
    confidence: ByConfidence | None
    questions: tuple[ByQuestion, ...]
    ungraded: Mapping[str, int]
    cost: float
    call_seconds: float | None
    """The median time of a graded paper's calls; None where no call was timed."""
    drawn: str

    @property
    def headline(self) -> Figures:
        return self.lines[0].figures

    @property
    def ungraded_count(self) -> int:
        return sum(self.ungraded.values())


def summarised(run: Run) -> Summary:
    """Pure: the same run gives the same figures and intervals."""
    timed = [one.seconds for one in run.outcomes if one.is_graded and one.seconds]
    lines = tuple(_lines(run))
    return Summary(
        run=run,
        lines=lines,
        confusions=tuple(_confusion(run, one, lines[0]) for one in run.header.measures),
        flags=tuple(_flags(run)),
        confidence=by_confidence(list(_confidences(run))),
        questions=tuple(_questions(run)),
        ungraded=Counter(one.reason for one in run.outcomes if one.reason is not None),
        cost=sum(one.cost for one in run.outcomes),
        call_seconds=median(timed) if timed else None,
        drawn=how_drawn(Counter(one.question for one in run.outcomes).values()),
    )


def papers_in(figures: Figures) -> int:
    """How many papers the figures are about."""
    return next((one.n for one in figures.values()), 0)


def by_person(person: int, measure: Measure) -> Value:
    return lambda one: one.people.get(person, {}).get(measure.name)


def by_grader(measure: Measure) -> Value:
    return lambda one: one.grader.get(measure.name)


def by_rating(measure: Measure) -> Value:
    """Of yes or no: how probable a yes is to the grader, by its confidence where it tells one."""
    low, high = measure.scale.marks[0], measure.scale.marks[-1]

    def rating(one: Outcome) -> float | None:
        if (given := one.grader.get(measure.name)) is None:
            return None
        share = (given - low) / (high - low)
        if one.confidence is None:
            return share
        return one.confidence if share >= 0.5 else 1 - one.confidence

    return rating


def paired(outcomes: Iterable[Outcome], one: Value, other: Value) -> list[tuple[str, Pair]]:
    """(question, pair of points) of each paper that both have judged."""
    found = ((each.question, one(each), other(each)) for each in outcomes)
    return [
        (question, (first, second))
        for question, first, second in found
        if first is not None and second is not None
    ]


def _lines(run: Run) -> Iterable[Line]:
    measure = run.headline
    for person in run.people:
        human = by_person(person, measure)
        line = _line(run, f"grader and {_person(run, person)}", human, by_grader(measure))
        rated = paired(run.outcomes, human, by_rating(measure))
        ranked = estimated(Sample.of(rated), {"auc": auc} if measure.scale.is_yes_or_no else {})
        yield replace(line, figures={**line.figures, **ranked})
    yield from _among_people(run, measure)
    yield _baseline(run, "by length alone", lambda one: float(one.words))
    yield _baseline(run, "by word overlap", lambda one: one.overlap)


def _among_people(run: Run, measure: Measure) -> Iterable[Line]:
    for one, other in combinations(run.people, 2):
        pairs = paired(run.outcomes, by_person(one, measure), by_person(other, measure))
        title = f"{_person(run, one)} and {_person(run, other)}"
        yield Line(title, _figures(measure, pairs))


def _person(run: Run, person: int) -> str:
    return "people" if len(run.people) == 1 else f"person {person}"


def _line(run: Run, title: str, one: Value, other: Value) -> Line:
    return Line(title, _figures(run.headline, paired(run.outcomes, one, other)))


def _figures(measure: Measure, pairs: Sequence[tuple[str, Pair]]) -> dict[str, Figure]:
    return estimated(Sample.of(pairs), figures_on(measure.scale))


def _baseline(run: Run, title: str, trait: Value) -> Line:
    """Over the papers that the grader was measured on, so that the lines compare.

    The marks come from a line fitted to all of them. Correlation and AUC are those of
    the trait: nothing is fitted for them.
    """
    measure, human = run.headline, by_person(1, run.headline)
    outcomes = [one for one in run.outcomes if by_grader(measure)(one) is not None]
    traits = paired(outcomes, human, trait)
    try:
        marks = on_a_line([x for _, (_, x) in traits], [y for _, (y, _) in traits], measure.scale)
    except Undefined as undefined:
        return Line(title, {}, str(undefined) if traits or not outcomes else "no reference answer")
    pairs = [
        (question, (mark, predicted))
        for (question, (mark, _)), predicted in zip(traits, marks, strict=True)
    ]
    unfitted = {"pearson": pearson, **({"auc": auc} if measure.scale.is_yes_or_no else {})}
    return Line(title, {**_figures(measure, pairs), **estimated(Sample.of(traits), unfitted)})


def _confusion(run: Run, measure: Measure, headline: Line) -> Confusion:
    pairs = paired(run.outcomes, by_person(1, measure), by_grader(measure))
    counts = Counter(pair for _, pair in pairs)
    rows = _marks(measure, (one for one, _ in counts))
    columns = _marks(measure, (other for _, other in counts))
    name = measure.scale.name_of
    return Confusion(
        measure=measure,
        figures=headline.figures if measure == run.headline else _figures(measure, pairs),
        rows=tuple(map(name, rows)),
        columns=tuple(map(name, columns)),
        counts=tuple(tuple(counts[row, column] for column in columns) for row in rows),
        people=tuple(one for one in _among_people(run, measure) if papers_in(one.figures)),
        unassessed=sum(one.is_graded and measure.name not in one.grader for one in run.outcomes),
    )


def _marks(measure: Measure, seen: Iterable[float]) -> list[float]:
    """All levels of a criterion; of a sum only what occurs."""
    return sorted({*seen, *(measure.scale.marks if measure.scale.names else ())})


def _flags(run: Run) -> Iterable[Marked]:
    """Do the flagged papers hold the errors? Flags that all papers carry tell nothing."""
    right = by_person(1, run.headline), by_grader(run.headline)
    judged = [one for one in run.outcomes if all(value(one) is not None for value in right)]
    flags = dict.fromkeys(flag for one in judged for flag in one.flags)
    telling = [flag for flag in flags if any(flag not in one.flags for one in judged)]

    def is_wrong(one: Outcome) -> bool:
        return right[0](one) != right[1](one)

    def marked(name: str, has: Callable[[Outcome], bool]) -> Marked:
        items = [(one.question, (has(one), is_wrong(one))) for one in judged]
        wrongs = [wrong for _, (with_it, wrong) in items if with_it]
        return Marked(name, len(wrongs), sum(wrongs), _difference(items))

    if telling:
        yield marked("any flag", lambda one: any(flag in telling for flag in one.flags))
        for flag in telling:
            yield marked(flag, lambda one, flag=flag: flag in one.flags)  # type: ignore[misc]
    without = [one for one in judged if not any(flag in telling for flag in one.flags)]
    yield Marked("no flag", len(without), sum(map(is_wrong, without)))


def _confidences(run: Run) -> Iterable[Told]:
    person, grader = by_person(1, run.headline), by_grader(run.headline)
    for one in run.outcomes:
        said, given = person(one), grader(one)
        if said is not None and given is not None and one.confidence is not None:
            yield one.question, (said, given), one.confidence


def _difference(items: Sequence[tuple[str, tuple[bool, bool]]]) -> Figure:
    flagged = sum(with_it for _, (with_it, _) in items)
    if min(flagged, len(items) - flagged) < _FEWEST:
        return Figure(len(items), why=f"fewer than {_FEWEST} papers to compare")
    return estimated(Sample.of(items), {"more": _more_wrong})["more"]


def _more_wrong(counts: Mapping[tuple[bool, bool], int]) -> float:
    """How much larger the share of errors is with the flag than without, -1 to 1."""
    shares = []
    for has in (True, False):
        n = counts.get((has, True), 0) + counts.get((has, False), 0)
        if not n:
            raise Undefined("all papers carry it, or none does")
        shares.append(counts.get((has, True), 0) / n)
    return shares[0] - shares[1]


def _questions(run: Run) -> Iterable[ByQuestion]:
    """Only where there are several."""
    for name in run.questions if len(run.questions) > 1 else ():
        outcomes = [one for one in run.outcomes if one.question == name]
        pairs = paired(outcomes, by_person(1, run.headline), by_grader(run.headline))
        figures = estimated(Sample.of(pairs), {"exact": exact, "bias": bias})
        ungraded = sum(not one.is_graded for one in outcomes)
        yield ByQuestion(name, len(pairs), ungraded, figures["exact"], figures["bias"])
