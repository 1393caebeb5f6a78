"""`gradeq evaluate`: how far a grader agrees with people, before anybody trusts it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import click

from gradeq.cli import say
from gradeq.cli.evaluation.grading import Graded, Grading, Who, graded, provider_of
from gradeq.cli.evaluation.page import write_page
from gradeq.cli.evaluation.told import as_json_line, report_lines
from gradeq.cli.foreground import Done, Foreground
from gradeq.cli.options import (
    FILE,
    ProviderOptions,
    database_options,
    grace_option,
    json_option,
    max_cost_option,
    overnight_option,
    provider_options,
)
from gradeq.cli.providers import refuse_silent, refuse_unpriced, with_provider
from gradeq.cli.stores import reading
from gradeq.cli.targets import check_file, refuse_to_overwrite
from gradeq.config import Config
from gradeq.evaluation.compare import compared, refuse_other
from gradeq.evaluation.labelled import Labelled, read_labelled, spread
from gradeq.evaluation.people import Judgements, Measure, judgements_of, measures_of
from gradeq.evaluation.questions import Task, by_question, by_rubric
from gradeq.evaluation.runs import FORM, Header, Run, load_run, save_run
from gradeq.evaluation.summary import summarised
from gradeq.grading.rubric import parse_rubric
from gradeq.model import DEFAULT_GRADER
from gradeq.orders import When
from gradeq.rubrics import read_rubric_file

_DATABASE = Path("evaluate.db")


@click.command("evaluate")
@click.argument("labelled", type=FILE)
@click.option("--rubric", type=FILE, metavar="FILE", help="Default: a small one for each question.")
@click.option("--question", metavar="ID", help="Only the papers with this question_id.")
@click.option(
    "--labels",
    metavar="WORST,…,BEST",
    help="The order of the labels, where they are neither numbers nor known.",
)
@click.option("--grader", default=DEFAULT_GRADER, show_default=True, metavar="NAME")
@click.option("--out", type=FILE, metavar="FILE", help="Keep the run, as .jsonl, for --against.")
@click.option("--against", type=FILE, metavar="RUN", help="Compare with an earlier --out.")
@click.option("--html", type=FILE, metavar="FILE", help="Write a report to look at.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Only N papers, evenly from all questions.",
)
@partial(database_options, default=_DATABASE)
@provider_options
@overnight_option
@max_cost_option
@grace_option
@json_option
def command(
    *,
    labelled: Path,
    rubric: Path | None,
    question: str | None,
    labels: str | None,
    grader: str,
    out: Path | None,
    against: Path | None,
    html: Path | None,
    limit: int | None,
    config: Config,
    provider: ProviderOptions,
    overnight: bool,
    max_cost: float | None,
    grace: float,
    as_json: bool,
) -> None:
    """Measure how far a grader agrees with people.

    LABELLED is a .csv or .jsonl with id, text, and what people said of each paper: human_score,
    human_label or human_CRITERION (of further people human2_score, …). With question_id, question
    and reference it may hold many questions. The same command again pays for nothing twice. Nothing
    is ever released.

    Exit codes: 0 all graded, 1 some were not, 2 wrong usage or configuration, 130 interrupted.
    """
    config = with_provider(config, provider)
    who = Who.of(config, grader)
    if (settings := provider_of(config, grader)) is not None:
        refuse_silent(grader, settings)
        refuse_unpriced(settings, max_cost)
    kept = [path for path in (labelled, rubric, against) if path is not None]
    _check_targets(out, html, [*kept, config.store.path])
    asked = Asked.read(labelled, rubric, question, _split(labels), limit)
    header = asked.header(who)
    earlier = None if against is None else load_run(against)
    if earlier is not None:
        refuse_other(earlier.header, header, str(against))
    grading = Grading(asked.labelled.name, asked.tasks, who, max_cost, _when(overnight))
    foreground = Foreground(
        config, grace, as_json, grader=None if grader == DEFAULT_GRADER else grader, is_quiet=True
    )
    done, papers = asyncio.run(_graded(foreground, grading, asked))
    header = replace(header, spent_seconds=done.told["seconds"], currency=config.grading.currency)
    run = Run(header, tuple(one.outcome for one in papers))
    if out is not None:
        save_run(run, out)
    comparison = None if earlier is None else compared(earlier, run)
    summary = summarised(run)
    say.fact("\n".join(report_lines(summary, comparison)), as_json=as_json)
    if html is not None:
        write_page(html, summary, comparison, papers)
    _say_where(config, out, html, as_json=as_json)
    if as_json:
        say.as_json(as_json_line(summary, comparison, done.told))
    sys.exit(done.code)


@dataclass(frozen=True, slots=True)
class Asked:
    """The labelled file, what its papers are graded by, and what people said in its points."""

    labelled: Labelled
    tasks: Sequence[Task]
    measures: Sequence[Measure]
    people: Mapping[str, Mapping[int, Judgements]]

    @classmethod
    def read(
        cls,
        path: Path,
        rubric: Path | None,
        question: str | None,
        labels: Sequence[str],
        limit: int | None,
    ) -> Asked:
        """Raises InputError or RubricError with every problem; then nothing was graded."""
        labelled = read_labelled(path)
        if question is not None:
            labelled = labelled.about(question)
        if rubric is None:
            tasks = by_question(labelled, labelled.papers, labels)
        elif labels:
            raise click.UsageError("--labels is for files without --rubric, which has levels.")
        else:
            given = parse_rubric(read_rubric_file(rubric), rubric.name)
            tasks = by_rubric(labelled, labelled.papers, given)
        measures = measures_of(labelled, tasks)
        people = judgements_of(labelled, tasks, measures)
        chosen = frozenset(one.id for one in spread(labelled.papers, limit))
        return cls(labelled, [one.only(chosen) for one in tasks], measures, people)

    def header(self, who: Who) -> Header:
        rubrics = sorted(task.rubric.sha256 for task in self.tasks)
        return Header(
            gradeq_evaluation=FORM,
            file=self.labelled.name,
            fingerprint=self.labelled.fingerprint,
            grader=who.grader,
            model=who.model,
            simulated=who.simulated,
            rubric=sha256("".join(rubrics).encode()).hexdigest(),
            measures=tuple(self.measures),
            left_out=len(self.labelled.papers) - sum(len(task.papers) for task in self.tasks),
        )


async def _graded(
    foreground: Foreground, grading: Grading, asked: Asked
) -> tuple[Done, list[Graded]]:
    done = await foreground.run(grading.plan)
    async with reading(foreground.config.store.path) as store:
        return done, await graded(store, done.plan, grading.tasks, asked.people, asked.measures)


def _split(labels: str | None) -> list[str]:
    return [] if labels is None else [one.strip() for one in labels.split(",")]


def _when(overnight: bool) -> When:
    return "overnight" if overnight else "now"


def _check_targets(out: Path | None, html: Path | None, kept: Sequence[Path]) -> None:
    for option, path, suffix in (("--out", out, ".jsonl"), ("--html", html, ".html")):
        if path is not None:
            check_file(option, path, suffix)
            refuse_to_overwrite(option, path, kept)


def _say_where(config: Config, out: Path | None, html: Path | None, *, as_json: bool) -> None:
    places = {"Report": html, "Run": out, "Database": config.store.path}
    told = "   ".join(f"{name}: {path}" for name, path in places.items() if path is not None)
    say.fact(f"\n{told}", as_json=as_json)
