"""`gradeq run`: papers in, grades out, in one go; again to continue."""

from __future__ import annotations

import asyncio
import shlex
import sys
from pathlib import Path

import click

from gradeq.cli import say
from gradeq.cli.foreground import Foreground
from gradeq.cli.intake import Intake
from gradeq.cli.options import (
    FILE,
    ProviderOptions,
    RubricFile,
    course_option,
    database_options,
    grace_option,
    grader_option,
    json_option,
    max_cost_option,
    overnight_option,
    provider_options,
    skip_invalid_option,
)
from gradeq.cli.papers import assignment_of, read_input
from gradeq.cli.providers import (
    default_provider,
    refuse_provider,
    refuse_silent,
    refuse_unfit,
    refuse_unpriced,
    with_provider,
)
from gradeq.cli.targets import refuse_to_overwrite
from gradeq.config import Config, StoreSettings
from gradeq.errors import StoreLockedError
from gradeq.export import check_target
from gradeq.grading.rubric import parse_rubric
from gradeq.model import DEFAULT_GRADER, LEXICAL_GRADER
from gradeq.orders import When
from gradeq.rubrics import read_rubric_file


@click.command("run")
@click.argument("input", type=FILE)
@click.option(
    "--rubric", type=RubricFile(), required=True, metavar="FILE", help="What is asked, as TOML."
)
@click.option("--out", type=FILE, metavar="FILE", help="Results, as .csv or .jsonl.")
@database_options
@grader_option
@provider_options
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N papers of INPUT."
)
@overnight_option
@course_option
@click.option("--assignment", help="Default: the name of INPUT.")
@skip_invalid_option
@max_cost_option
@grace_option
@json_option
def command(
    *,
    input: Path,
    rubric: Path,
    out: Path | None,
    config: Config,
    grader: str,
    provider: ProviderOptions,
    limit: int | None,
    overnight: bool,
    course: str,
    assignment: str | None,
    skip_invalid: bool,
    max_cost: float | None,
    grace: float,
    as_json: bool,
) -> None:
    """Import, grade, wait, and write the results, in one go.

    INPUT is a folder of .txt and .md files, or a .csv or .jsonl with id, student (optional) and
    text. The same command again continues where it stopped, and pays for nothing twice.

    Exit codes: 0 all graded, 1 some were not, 2 wrong usage or configuration, 130 interrupted.
    """
    parsed = parse_rubric(read_rubric_file(rubric), rubric.name)
    if grader == LEXICAL_GRADER:
        refuse_provider(provider, max_cost)
    else:
        config = with_provider(config, provider)
        refuse_silent(grader, default_provider(config))
        refuse_unpriced(default_provider(config), max_cost)
    refuse_unfit(grader, parsed)
    if out is not None:
        check_target(out)
        refuse_to_overwrite("--out", out, (input, rubric, config.store.path))
    assignment = assignment or assignment_of(input)
    read = read_input(
        input,
        course=course,
        assignment=assignment,
        skip_invalid=skip_invalid,
        config=config,
        own=(rubric, out),
    )
    say.warn(f"left out: {problem}" for problem in read.problems)
    when: When = "overnight" if overnight else "now"
    intake = Intake(config, read.first(limit), rubric, course, assignment, max_cost, when, grader)
    foreground = Foreground(
        config,
        grace,
        as_json,
        out,
        skipped_invalid=len(read.problems),
        grader=None if grader == DEFAULT_GRADER else grader,
    )
    try:
        done = asyncio.run(foreground.run(intake.plan))
    except StoreLockedError as error:
        raise _locked(error) from error
    _say_where(config, out, as_json=as_json)
    if as_json:
        say.as_json(done.told)
    sys.exit(done.code)


def _say_where(config: Config, out: Path | None, *, as_json: bool) -> None:
    database = f"Database: {config.store.path}"
    if out is not None:
        say.fact(f"Results: {out}   {database}", as_json=as_json)
    else:
        words = "gradeq export --out FILE"
        if config.store != StoreSettings():
            words += f" --db {shlex.quote(str(config.store.path))}"
        say.fact(f"{database}   Results to a file: {words}", as_json=as_json)


def _locked(error: StoreLockedError) -> StoreLockedError:
    """`run` works on its own; beside a daemon the steps one by one do the same."""
    if error.url is None:
        return error
    return StoreLockedError(
        f"a gradeq daemon works on this database, listening at {error.url}; nothing was changed. "
        "Hand it the papers (gradeq import INPUT --rubric FILE, then gradeq grade --wait), "
        "or use another file with --db",
        pid=error.pid,
        url=error.url,
    )
