"""`gradeq export`: stored results as a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import click

from gradeq.cli import say
from gradeq.cli.options import FILE, database_options, json_option
from gradeq.cli.selection import Selection, papers_of, place_options, places
from gradeq.cli.stores import reading, result_pages
from gradeq.config import Config
from gradeq.export import Exported, check_target, kept_columns, write_results
from gradeq.model import SubmissionStatus
from gradeq.results import of_submission


@click.command("export")
@click.option("--out", type=FILE, required=True, metavar="FILE", help="Ends in .csv or .jsonl.")
@database_options
@place_options
@click.option("--released-only", is_flag=True, help="Only grades that a person has released.")
@json_option
def command(
    *,
    out: Path,
    config: Config,
    course: str | None,
    assignment: str | None,
    released_only: bool,
    as_json: bool,
) -> None:
    """Write results to FILE, one row for each submission, also while a daemon is working.

    A .csv opens in a spreadsheet (UTF-8 with a byte order mark; criteria and flags as JSON in
    their cell; one column of points for each criterion). A .jsonl is for programs. Without
    --course and --assignment it holds every assignment, and says which.
    """
    check_target(out)
    status = SubmissionStatus.RELEASED if released_only else None
    count = asyncio.run(_export(config, Selection(course, assignment), status, out))
    if as_json:
        say.as_json({"out": str(out), "submissions": count})
    else:
        say.fact(f"{say.counted(count, 'submission')} written to {out}")


async def _export(
    config: Config, chosen: Selection, status: SubmissionStatus | None, out: Path
) -> int:
    async with reading(config.store.path) as store:
        where = await places(store, chosen)
        ids = [one for each in where for one in (await papers_of(store, each, status)).ids]

        async def pages() -> AsyncIterator[Sequence[Exported]]:
            async for page in result_pages(store, ids):
                yield [
                    Exported(of_submission(row), kept_columns(row, with_place=len(where) > 1))
                    for row in page
                ]

        return await write_results(out, pages)
