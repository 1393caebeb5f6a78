"""`gradeq import`: papers into the database, or to the daemon that writes it."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import click

from gradeq.cli import say
from gradeq.cli.options import (
    FILE,
    course_option,
    database_options,
    json_option,
    skip_invalid_option,
)
from gradeq.cli.papers import assignment_of, read_input, warn_kept
from gradeq.cli.remote import Daemon, here_or_there
from gradeq.config import Config
from gradeq.engine import Engine
from gradeq.grading.rubric import parse_rubric
from gradeq.model import DEFAULT_COURSE, NewSubmission, SubmissionStatus
from gradeq.rubrics import read_rubric_file
from gradeq.store.orders import Added


@dataclass(frozen=True, slots=True)
class Import:
    """Checked papers, and the rubric of their assignment if one was given."""

    papers: tuple[NewSubmission, ...]
    course: str
    assignment: str
    rubric: Path | None
    source: str | None

    async def here(self, engine: Engine) -> list[Added]:
        added = await engine.add(self.papers)
        if self.rubric is not None and self.source is not None:
            rubric_id = await engine.rubrics.put(self.source, self.rubric.name)
            await engine.store.assign_rubric(self.course, self.assignment, rubric_id)
        return added

    def there(self, daemon: Daemon) -> list[Added]:
        added = daemon.add(self.papers)
        if self.source is not None:
            daemon.put_rubric(self.course, self.assignment, self.source)
        return added


@click.command("import")
@click.argument("input", type=FILE)
@database_options
@course_option
@click.option("--assignment", help="Default: the name of INPUT.")
@click.option("--rubric", type=FILE, metavar="FILE", help="What the assignment is graded by.")
@click.option(
    "--status",
    type=click.Choice(["submitted", "in_progress"]),
    default="submitted",
    show_default=True,
    help="in_progress: still being written, not to be graded yet.",
)
@skip_invalid_option
@json_option
def command(
    *,
    input: Path,
    config: Config,
    course: str,
    assignment: str | None,
    rubric: Path | None,
    status: str,
    skip_invalid: bool,
    as_json: bool,
) -> None:
    """Put papers into the database; 'gradeq grade' grades them.

    INPUT is a folder of .txt and .md files, or a .csv or .jsonl with id, student (optional) and
    text. A known id with a new text replaces the old one, unless somebody has graded it by hand,
    released or archived it.
    """
    source = None if rubric is None else read_rubric_file(rubric)
    if rubric is not None and source is not None:
        parse_rubric(source, rubric.name)
    assignment = assignment or assignment_of(input)
    read = read_input(
        input,
        course=course,
        assignment=assignment,
        skip_invalid=skip_invalid,
        config=config,
        own=(rubric,),
    )
    say.warn(f"left out: {problem}" for problem in read.problems)
    papers = tuple(replace(one, status=SubmissionStatus(status)) for one in read.papers)
    work = Import(papers, course, assignment, rubric, source)
    added = asyncio.run(here_or_there(config, work.here, work.there))
    kept = warn_kept(added)
    _tell(work, added, len(read.problems), as_json=as_json)
    sys.exit(1 if kept or read.problems else 0)


def _tell(work: Import, added: list[Added], skipped: int, *, as_json: bool) -> None:
    changes = Counter(one.change for one in added)
    if as_json:
        counts = {name: changes[name] for name in ("created", "unchanged", "replaced", "refused")}
        place = {"course": work.course, "assignment": work.assignment}
        say.as_json({**place, **counts, "skipped_invalid": skipped})
        return
    told = ", ".join(f"{count:,} {change}" for change, count in changes.items())
    say.fact(f"{work.course}/{work.assignment}: {told}")
    if work.papers[0].status is SubmissionStatus.SUBMITTED:
        say.fact(f"Grade them: gradeq grade {_named(work)}")


def _named(work: Import) -> str:
    """The options that name this assignment, ready to be pasted into a shell."""
    words = ["--assignment", work.assignment]
    if work.course != DEFAULT_COURSE:
        words = ["--course", work.course, *words]
    return shlex.join(words)
