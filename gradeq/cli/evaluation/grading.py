"""The papers of a labelled file through the queue, apart from any school's own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gradeq.cli.plan import Plan, Planner, Wanted, merged
from gradeq.cli.providers import SIMULATED, default_provider
from gradeq.cli.stores import result_pages
from gradeq.config import Config, ProviderSettings
from gradeq.engine import Engine
from gradeq.errors import ConfigError, NoReferenceError
from gradeq.evaluation.baselines import length, overlap
from gradeq.evaluation.labelled import SCORE, LabelledPaper
from gradeq.evaluation.people import Judgements, Measure, summed
from gradeq.evaluation.questions import Task
from gradeq.evaluation.runs import Outcome
from gradeq.grading.provisional import unfit
from gradeq.model import BLEND_GRADER, DEFAULT_GRADER, Grade, is_blend
from gradeq.orders import When
from gradeq.results import why_ungraded
from gradeq.store.base import Reading
from gradeq.store.rows import AttemptRow, ResultRow

COURSE = "evaluation"
"""The only course of such a database."""


@dataclass(frozen=True, slots=True)
class Who:
    """Who grades. `model` is None for a grader without one."""

    grader: str
    model: str | None
    simulated: bool

    @classmethod
    def of(cls, config: Config, grader: str) -> Who:
        """Raises ConfigError where the default grader has no provider."""
        provider = provider_of(config, grader)
        if provider is None:
            return cls(grader, None, False)
        return cls(grader, provider.model, provider.kind == SIMULATED)


@dataclass(frozen=True, slots=True)
class Grading:
    """All tasks of one file, by one grader. `max_cost` is shared out by the number of papers."""

    file: str
    tasks: Sequence[Task]
    who: Who
    max_cost: float | None = None
    when: When = "now"

    async def plan(self, engine: Engine) -> Plan:
        """Raises ConfigError for a database with other work, NotFoundError for no such grader,
        NoReferenceError for a question that it cannot grade."""
        await _refuse_other_work(engine)
        engine.about(self.who.grader)
        for task in self.tasks:
            _refuse_unfit(self.who.grader, task)
        return merged([await self._planned(engine, task) for task in self.tasks])

    async def _planned(self, engine: Engine, task: Task) -> Plan:
        """What another grader, model or rubric made stays beside it, paid for once."""
        rubric_id = await engine.rubrics.put(task.rubric.source, task.rubric.name)
        assignment = f"{self.file} {_fingerprint(self.who, task)}"
        added = await engine.add(
            [replace(one.paper, course=COURSE, assignment=assignment) for one in task.papers]
        )
        await engine.store.assign_rubric(COURSE, assignment, rubric_id)
        planner = Planner(
            engine,
            rubric_id,
            grader=self.who.grader,
            max_cost=self._share(task),
            when=self.when,
        )
        return await planner.plan([one.id for one in added], Wanted(None, self.who.simulated))

    def _share(self, task: Task) -> float | None:
        if self.max_cost is None:
            return None
        return self.max_cost * len(task.papers) / sum(len(one.papers) for one in self.tasks)


@dataclass(frozen=True, slots=True)
class Graded:
    """A paper's outcome, and what the report quotes of it."""

    outcome: Outcome
    text: str
    said: str


async def graded(
    store: Reading,
    plan: Plan,
    tasks: Sequence[Task],
    people: Mapping[str, Mapping[int, Judgements]],
    measures: Sequence[Measure],
) -> list[Graded]:
    """What became of the papers, in the order of `tasks`."""
    papers = [(task, one) for task in tasks for one in task.papers]
    found: list[Graded] = []
    async for page in result_pages(store, plan.ids):
        for row in page:
            task, paper = papers[len(found)]
            attempts = await store.attempts_at(row.submission.id)
            outcome = _outcome(task, paper, row, measures)
            outcome = replace(outcome, people=people[paper.id], seconds=_seconds(attempts))
            found.append(Graded(outcome, paper.paper.text, _said(row)))
    return found


def provider_of(config: Config, grader: str) -> ProviderSettings | None:
    """Of a grader that asks a model: `llm`, `blend`, or one of them with `:NAME`.

    Raises ConfigError where it has none.
    """
    if grader in (DEFAULT_GRADER, BLEND_GRADER):
        return default_provider(config)
    asks, _, name = grader.partition(":")
    if asks != DEFAULT_GRADER and not is_blend(grader):
        return None
    return next((one for one in config.providers if one.name == name), None)


def _fingerprint(who: Who, task: Task) -> str:
    """Other work has another one, so that nothing of one run replaces that of another."""
    said = repr((who.grader, who.model, who.simulated, task.name, task.rubric.sha256))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _refuse_unfit(grader: str, task: Task) -> None:
    if (why := unfit(grader, task.rubric)) is not None:
        raise NoReferenceError(
            f"{task.name}: the grader {grader!r} cannot grade by this rubric: {why}; nothing was "
            "queued. Give it a reference answer or key points, leave these papers out, or grade "
            "with a model"
        )


async def _refuse_other_work(engine: Engine) -> None:
    for course, assignment, _ in await engine.store.assignments():
        if course != COURSE:
            raise ConfigError(
                f"this database holds a school's papers ({course}/{assignment}); nothing was "
                "changed. Evaluate in a database of its own: leave --db out, or name a new file"
            )


def _outcome(
    task: Task, paper: LabelledPaper, row: ResultRow, measures: Sequence[Measure]
) -> Outcome:
    reference = task.rubric.reference or paper.reference
    outcome = Outcome(
        id=paper.id,
        question=paper.question_id,
        people={},
        words=length(paper.paper.text),
        overlap=overlap(paper.paper.text, reference),
        cost=row.cost,
    )
    if row.grade is None:
        return replace(outcome, reason=why_ungraded(row))
    grade = row.grade.grade
    if grade.max_score != task.rubric.max_score:
        most = f"{grade.max_score:g} points and not {task.rubric.max_score:g}"
        return replace(outcome, reason=f"graded on another scale: of {most}", flags=grade.flags)
    return replace(
        outcome,
        grader=dict(_measured(task, grade, measures)),
        flags=grade.flags,
        confidence=None if grade.confidence is None else round(grade.confidence, 2),
    )


def _measured(task: Task, grade: Grade, measures: Sequence[Measure]) -> Iterator[tuple[str, float]]:
    """Nothing for what could not be assessed: a sum without it would be another sum."""
    points = {one.id: one.points for one in grade.criteria if one.points is not None}
    is_whole = len(points) == len(grade.criteria)
    if not grade.criteria and len(task.rubric.criteria) == 1:
        points = {task.rubric.criteria[0].id: grade.score}
    for measure in measures:
        if measure.name == SCORE and not measure.criteria:
            found = grade.score if is_whole else None
        else:
            found = summed(points, measure)
        if found is not None:
            yield measure.name, found


def _seconds(attempts: Sequence[AttemptRow]) -> float:
    return sum(one.finished_at - one.started_at for one in attempts) / 1000


def _said(row: ResultRow) -> str:
    if row.grade is None:
        return ""
    return " ".join(one.reason for one in row.grade.grade.criteria if one.reason)
