"""`gradeq grade`: into the queue; with --wait, to the end of it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import click

from gradeq.cli import say
from gradeq.cli.foreground import Done, Foreground
from gradeq.cli.options import (
    ProviderOptions,
    database_options,
    grace_option,
    grader_option,
    json_option,
    max_cost_option,
    overnight_option,
    provider_options,
)
from gradeq.cli.plan import Plan, Planner, merged
from gradeq.cli.providers import (
    default_provider,
    is_priced,
    refuse_provider,
    refuse_unpriced,
    with_provider,
)
from gradeq.cli.remote import Daemon, Queued, here_or_there, running_daemon
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
from gradeq.cli.stores import inserting, reading, recording
from gradeq.cli.watch import Work
from gradeq.config import Config
from gradeq.engine import Engine
from gradeq.errors import NoRubricError
from gradeq.model import DEFAULT_GRADER, LEXICAL_GRADER, GradeSource, SubmissionStatus, is_blend
from gradeq.orders import When
from gradeq.store.rows import ResultRow


@dataclass(frozen=True, slots=True)
class Order:
    """Papers to be graded, one batch for each assignment."""

    groups: Sequence[Group]
    priority: int
    max_cost: float | None = None
    when: When = "now"
    grader: str = DEFAULT_GRADER

    async def here(self, engine: Engine) -> Plan:
        """Raises NoRubricError before anything is queued."""
        rubrics = [await _rubric_of(engine, group) for group in self.groups]
        return merged(
            [
                await self._planner(engine, rubric_id).plan(group.ids)
                for group, rubric_id in zip(self.groups, rubrics, strict=True)
            ]
        )

    def _planner(self, engine: Engine, rubric_id: int) -> Planner:
        return Planner(
            engine,
            rubric_id,
            grader=self.grader,
            priority=self.priority,
            max_cost=self.max_cost,
            when=self.when,
        )

    def there(self, daemon: Daemon) -> Plan:
        queued = sum((self._ask(daemon, group) for group in self.groups), Queued())
        ids = tuple(one for group in self.groups for one in group.ids)
        work = Work(len(ids), queued.batch_ids)
        return Plan(ids, frozenset(ids), work, queued=queued.papers, already=queued.already)

    def _ask(self, daemon: Daemon, group: Group) -> Queued:
        """A whole assignment is left to the daemon: it may just have graded some of it."""
        if group.is_whole:
            where = (group.course, group.assignment)
            return daemon.grade_assignment(
                *where, self.priority, self.max_cost, self.when, grader=self.grader
            )
        return daemon.grade(group.ids, self.priority, self.max_cost, self.when, grader=self.grader)


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
@max_cost_option
@overnight_option
@grader_option
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
    max_cost: float | None,
    overnight: bool,
    grader: str,
    provider: ProviderOptions,
    grace: float,
    as_json: bool,
) -> None:
    """Queue an assignment's ungraded papers, or those of --ids.

    A daemon on this database grades them at once. Without one they wait in the queue for 'gradeq
    serve', or for --wait, which grades them now. Papers named by --ids are graded again where a
    model has graded them, but never where a person has.
    """
    is_lexical = grader == LEXICAL_GRADER
    if is_lexical:
        refuse_provider(provider, max_cost)
    else:
        config = with_provider(config, provider)
    groups = asyncio.run(_chosen(config, course, assignment, typed_ids(ids)))
    when: When = "overnight" if overnight else "now"
    cap = None if is_lexical else _cap(config, max_cost)
    order = Order(groups, priority, cap, when, grader)
    if not wait:
        # Whether there is a batch API for the night, or probabilities, only the provider knows.
        engine = inserting if overnight or is_blend(grader) else recording
        plan = asyncio.run(here_or_there(config, order.here, order.there, engine))
        _tell_queued(config, plan, as_json=as_json)
        return
    foreground = Foreground(
        config, grace, as_json, grader=None if grader == DEFAULT_GRADER else grader
    )
    done = asyncio.run(_graded(foreground, order))
    if as_json:
        say.as_json(done.told)
    sys.exit(done.code)


def _cap(config: Config, max_cost: float | None) -> float | None:
    """What was typed, or what is configured; a daemon has its own configuration."""
    if running_daemon(config) is not None:
        return max_cost
    if config.providers:
        refuse_unpriced(default_provider(config), max_cost)
        if not is_priced(default_provider(config)):
            return None
    return config.grading.cost_cap_per_batch if max_cost is None else max_cost


async def _chosen(
    config: Config, course: str | None, assignment: str | None, ids: tuple[str, ...]
) -> list[Group]:
    chosen = Selection(course, assignment, ids)
    async with reading(config.store.path) as store:
        if ids:
            return await named_papers(store, chosen, keep=_was_not_graded_by_a_person)
        where = await place(store, chosen)
        return [await papers_of(store, where, SubmissionStatus.SUBMITTED)]


def _was_not_graded_by_a_person(row: ResultRow) -> bool:
    return row.grade is None or row.grade.source is not GradeSource.PERSON


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
    queued = len(plan.left) if plan.queued is None else plan.queued
    if as_json:
        already = [asdict(one) for one in plan.already]
        say.as_json({"queued": queued, "batch_ids": batch_ids, "already_queued": already})
        return
    if not batch_ids and not plan.already:
        say.fact("Nothing to grade.")
        return
    if batch_ids:
        batches = ", ".join(map(str, batch_ids))
        say.fact(f"{say.counted(queued, 'paper')} queued (batch {batches}).")
    for one in plan.already:
        papers = say.counted(one.papers, "paper was", "papers were")
        say.fact(f"{papers} queued already, by {one.owner} (batch {one.batch_id}).")
    if daemon := running_daemon(config):
        say.fact(f"The daemon at {daemon.url} grades them; gradeq status shows how far it is.")
    else:
        say.fact("They wait for a worker: gradeq serve, or gradeq grade --wait.")


async def _graded(foreground: Foreground, order: Order) -> Done:
    """By the daemon, where there is one; it needs no provider on this command line."""
    daemon = running_daemon(foreground.config)
    if daemon is None:
        return await foreground.run(order.here)
    plan = await asyncio.to_thread(order.there, daemon)
    return await foreground.look_on(plan, daemon)
