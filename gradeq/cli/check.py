"""`gradeq check`: is it whole, will it do."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from gradeq.cli import say
from gradeq.cli.options import FILE, database_options, json_option
from gradeq.cli.rubric import size_of
from gradeq.cli.stores import reading
from gradeq.config import Config
from gradeq.errors import RubricError
from gradeq.grading.documents import read_papers
from gradeq.grading.rubric import parse_rubric
from gradeq.grading.rubric_advice import Adviser
from gradeq.grading.rubric_lint import lint
from gradeq.rubrics import read_rubric_file


@click.command("check")
@database_options
@click.option("--rubric", type=FILE, metavar="FILE", help="Check this rubric, not a database.")
@click.option("--input", type=FILE, metavar="INPUT", help="Check these papers, not a database.")
@json_option
def command(*, config: Config, rubric: Path | None, input: Path | None, as_json: bool) -> None:
    """Check the database (integrity, and every counter against a recount), or a file.

    Exit code 1, and a list, where something is wrong.
    """
    problems: list[str] = []
    lines: list[str] = []
    if rubric is not None:
        lines.append(_check_rubric(rubric, problems))
    if input is not None:
        lines.append(_check_input(input, problems))
    if rubric is None and input is None:
        lines.append(_check_database(config.store.path, problems))
    if as_json:
        say.as_json({"ok": not problems, "problems": problems})
    else:
        say.fact("\n".join([*lines, *problems]))
    sys.exit(1 if problems else 0)


def _check_database(path: Path, problems: list[str]) -> str:
    problems += asyncio.run(_wrong_in(path))
    return f"{path}: " + ("these do not fit:" if problems else "whole, and every counter is right")


async def _wrong_in(path: Path) -> list[str]:
    async with reading(path) as store:
        return await store.check()


def _check_rubric(path: Path, problems: list[str]) -> str:
    try:
        rubric = parse_rubric(read_rubric_file(path), path.name)
    except RubricError as error:
        problems.append(str(error))
        return f"{path}: cannot be used"
    adviser = Adviser.of("en")
    say.warn(f"advice: {adviser.told(one)}" for one in lint(rubric))
    return f"{path}: a rubric with {size_of(rubric)}"


def _check_input(path: Path, problems: list[str]) -> str:
    papers = read_papers(path)
    problems += map(str, papers.problems)
    wrong = f", {say.counted(len(papers.problems), 'problem')}" if papers.problems else ""
    return f"{path}: {say.counted(len(papers.valid), 'paper')}{wrong}"
