"""`gradeq grade`: into the queue; with --wait, to the end of it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click

from gradeq.cli import say
from gradeq.cli.foreground import Done, Foreground
from gradeq.cli.options import (
    ProviderOptions,
    database_options,
    grace_option,
    json_option,
    provider_options,
)
from gradeq.cli.plan import Plan, Planner, merged
from gradeq.cli.providers import default_provider, with_provider
from gradeq.cli.remote import Daemon, daemon_of, here_or_there
from gradeq.cli.selection import (
    Group,
    Selection,
    ids_option,
    named_papers,
    papers_of,
    place,
    place_options,
    typed_ids,
)
from gradeq.cli.stores import reading
from gradeq.cli.watch import Work
from gradeq.config import Config
from gradeq.engine import Engine
from gradeq.errors import NoRubricError, StoreLockedError
from gradeq.model import SubmissionStatus
from gradeq.store.sqlite.lock import current_holder


@dataclass(frozen=True, slots=True)
class Order:
    """Papers to be graded, one batch for each assignment."""

    groups: Sequence[Group]
    priority: int

    async def here(self, engine: Engine) -> Plan:
        """Raises NoRubricError before anything is queued."""
        rubrics = [await _rubric_of(engine, group) for group in self.groups]
        return merged(
            [
                await Planner(engine, rubric_id, priority=self.priority).plan(group.ids)
                for group, rubric_id in zip(self.groups, rubrics, strict=True)
            ]
        )

    def there(self, daemon: Daemon) -> Plan:
        batch_ids = [daemon.grade(group.ids, self.priority) for group in self.groups if group.ids]
        ids = tuple(one for group in self.groups for one in group.ids)
        return Plan(ids, frozenset(ids), Work(len(ids), tuple(batch_ids)))


@click.command("grade")
@database_options
@place_options
@ids_option
@click.option("--wait", is_flag=True, help="Grade now and show progress, until all is done.")
@click.option(
    "--priority",
    type=click.IntRange(1, 10),
    default=5,
    show_default=True,
    help="1 goes first, 10 last.",
)
@provider_options
@grace_option
@json_option
def command(
    *,
    config: Config,
    course: str | None,
    assignment: str | None,
    ids: tuple[str, ...],
    wait: bool,
    priority: int,
    provider: ProviderOptions,
    grace: float,
    as_json: bool,
) -> None:
    """Queue an assignment's ungraded papers, or those of --ids.

    A daemon on this database grades them at once. Without one they wait in the queue for 'gradeq
    serve', or for --wait, which grades them now. Papers named by --ids are graded again where a
    model has graded them, but never where a person has.
    """
    config = with_provider(config, provider)
    order = Order(asyncio.run(_chosen(config, course, assignment, typed_ids(ids))), priority)
    if not wait:
        plan = asyncio.run(here_or_there(config, order.here, order.there))
        _tell_queued(config, plan, as_json=as_json)
        return
    try:
        done = asyncio.run(_grade_now(config, order, grace, as_json=as_json))
    except StoreLockedError as error:
        daemon = daemon_of(error, config)
        done = asyncio.run(_grade_there(config, order, daemon, grace, as_json=as_json))
    if as_json:
        say.as_json(done.told)
    sys.exit(done.code)


async def _chosen(
    config: Config, course: str | None, assignment: str | None, ids: tuple[str, ...]
) -> list[Group]:
    chosen = Selection(course, assignment, ids)
    async with reading(config.store.path) as store:
        if ids:
            return await named_papers(store, chosen)
        where = await place(store, chosen)
        return [await papers_of(store, where, SubmissionStatus.SUBMITTED)]


async def _rubric_of(engine: Engine, group: Group) -> int:
    found = await engine.store.assignment_rubric(group.course, group.assignment)
    if found is None:
        raise NoRubricError(
            f"the assignment {group.course}/{group.assignment} has no rubric; nothing was queued. "
            "Give it one first: gradeq import INPUT --rubric FILE"
        )
    return found


def _tell_queued(config: Config, plan: Plan, *, as_json: bool) -> None:
    say.warn(plan.notes)
    batch_ids = list(plan.work.batch_ids)
    if as_json:
        say.as_json({"queued": len(plan.left), "batch_ids": batch_ids})
        return
    if not batch_ids:
        say.fact("Nothing to grade.")
        return
    batches = ", ".join(map(str, batch_ids))
    say.fact(f"{say.counted(len(plan.left), 'paper')} queued (batch {batches}).")
    holder = current_holder(config.store.path)
    if holder is not None and holder.url is not None:
        say.fact(f"The daemon at {holder.url} grades them; gradeq status shows how far it is.")
    else:
        say.fact("They wait for a worker: gradeq serve, or gradeq grade --wait.")


async def _grade_now(config: Config, order: Order, grace: float, *, as_json: bool) -> Done:
    default_provider(config)
    return await Foreground(config, grace, as_json).run(order.here)


async def _grade_there(
    config: Config, order: Order, daemon: Daemon, grace: float, *, as_json: bool
) -> Done:
    plan = await asyncio.to_thread(order.there, daemon)
    return await Foreground(config, grace, as_json).look_on(plan, daemon)
