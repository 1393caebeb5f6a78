"""`gradeq release`: a person lets students see their grades."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from gradeq.cli import say
from gradeq.cli.options import database_options, json_option
from gradeq.cli.remote import Daemon, here_or_there
from gradeq.cli.report import named
from gradeq.cli.selection import (
    Selection,
    ids_option,
    named_papers,
    papers_of,
    place,
    place_options,
    typed_ids,
)
from gradeq.cli.stores import reading, result_pages
from gradeq.config import Config
from gradeq.engine import Engine
from gradeq.model import Flag, SubmissionStatus
from gradeq.store.base import Store
from gradeq.store.orders import Skipped


@click.command("release")
@click.option("--by", required=True, metavar="NAME", help="Who releases: kept on record.")
@ids_option
@place_options
@click.option("--all-graded", is_flag=True, help="Every graded paper of the assignment.")
@database_options
@json_option
def command(
    *,
    by: str,
    ids: tuple[str, ...],
    course: str | None,
    assignment: str | None,
    all_graded: bool,
    config: Config,
    as_json: bool,
) -> None:
    """Release grades to students, in the name of a person.

    Name the papers with --ids, or an assignment: then all its graded papers are released.
    """
    chosen = Selection(course, assignment, typed_ids(ids))
    if not by.strip():
        raise click.UsageError("--by needs the name of the person who releases.")
    if not (chosen.ids or assignment or all_graded):
        raise click.UsageError("Which papers? Name --ids, an --assignment, or use --all-graded.")
    told = asyncio.run(_release(config, chosen, by))
    _tell(told, by, as_json=as_json)
    sys.exit(1 if told["skipped"] else 0)


async def _release(config: Config, chosen: Selection, by: str) -> dict[str, Any]:
    async with reading(config.store.path) as store:
        ids = await _chosen(store, chosen)
    skipped = await here_or_there(config, partial(_here, ids, by), partial(_there, ids, by))
    refused = {one.submission_id: one for one in skipped}
    released, simulated, not_released = [], [], []
    async with reading(config.store.path) as store:
        async for page in result_pages(store, ids):
            for row in page:
                name = row.submission.external_id
                if row.submission.id in refused:
                    why = refused[row.submission.id]
                    not_released.append({"id": name, "code": why.code, "reason": why.reason})
                    continue
                released.append(name)
                if row.grade is not None and Flag.SIMULATED in row.grade.grade.flags:
                    simulated.append(name)
    return {"released": released, "skipped": not_released, "simulated": simulated}


async def _chosen(store: Store, chosen: Selection) -> list[int]:
    if chosen.ids:
        return [one for group in await named_papers(store, chosen) for one in group.ids]
    where = await place(store, chosen)
    return list((await papers_of(store, where, SubmissionStatus.GRADED)).ids)


async def _here(ids: Sequence[int], by: str, engine: Engine) -> list[Skipped]:
    return await engine.release(ids, by)


def _there(ids: Sequence[int], by: str, daemon: Daemon) -> list[Skipped]:
    return daemon.release(ids, by)


def _tell(told: dict[str, Any], by: str, *, as_json: bool) -> None:
    if told["simulated"]:
        count = say.counted(len(told["simulated"]), "of these grades is", "of these grades are")
        say.warn([f"{count} simulated: no model has read the papers"])
    if as_json:
        say.as_json({**told, "by": by})
        return
    say.fact(f"{say.counted(len(told['released']), 'grade')} released by {by}")
    reasons: dict[str, list[str]] = {}
    for one in told["skipped"]:
        reasons.setdefault(one["reason"], []).append(one["id"])
    say.warn(f"not released ({reason}): {named(names)}" for reason, names in reasons.items())
