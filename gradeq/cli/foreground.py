"""Grading while somebody waits: queue, grade, report. For `run`, `grade --wait` and `demo`."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradeq.cli import say
from gradeq.cli.commands import INTERRUPTED
from gradeq.cli.logs import each_message_once
from gradeq.cli.onlooker import Onlooker
from gradeq.cli.plan import Plan, with_open_batches
from gradeq.cli.providers import SIMULATED, default_provider
from gradeq.cli.remote import Daemon
from gradeq.cli.report import (
    BLEND_NOTE,
    PROVISIONAL_NOTE,
    SIMULATED_NOTE,
    Tally,
    report,
    summary,
    tell,
)
from gradeq.cli.session import Ended, Session, go_on
from gradeq.cli.signals import stopping
from gradeq.cli.stores import inserting, reading
from gradeq.cli.watch import Standing, Watch
from gradeq.clock import Clock, SystemClock
from gradeq.config import Config
from gradeq.engine import Engine
from gradeq.model import LEXICAL_GRADER, Flag, is_blend

MakePlan = Callable[[Engine], Awaitable[Plan]]
AGAIN = "Run the same command again to go on: nothing is graded twice."


@dataclass(frozen=True, slots=True)
class Done:
    """How it went: the exit code, the summary for scripts, and the papers' results in numbers."""

    code: int
    told: dict[str, Any]
    tally: Tally
    plan: Plan


@dataclass(frozen=True, slots=True)
class Foreground:
    """One go. `skipped_invalid` counts what was left out of the input: the exit code tells it.

    `grader` names who grades, where that is not the default provider; with `is_quiet` it is left
    to the caller to tell what came of it.
    """

    config: Config
    grace_seconds: float
    as_json: bool = False
    out: Path | None = None
    skipped_invalid: int = 0
    grader: str | None = None
    is_quiet: bool = False
    clock: Clock = field(default_factory=SystemClock)
    began: float = field(default_factory=time.monotonic)

    async def run(self, make_plan: MakePlan) -> Done:
        """Raises GradeqError where it cannot start, or cannot save results."""
        with stopping() as stop, each_message_once():
            async with inserting(self.config) as engine:
                plan = await make_plan(engine)
                watch = Watch(plan.work, self.clock)
                # Both before anything is called: what is spent counts from here.
                await go_on(engine, plan.work.batch_ids)
                await watch.look(engine.store)
            self._say_what_comes(plan)
            ended = await Session(self.config, watch, stop, self.grace_seconds, self.clock).run()
            done = await self._done(plan, watch, ended, AGAIN)
        if ended.trouble is not None:
            raise ended.trouble
        return done

    async def look_on(self, plan: Plan, daemon: Daemon) -> Done:
        """The same, where a daemon does the grading."""
        say.note(f"{say.counted(len(plan.left), 'paper')}: the daemon at {daemon.url} grades them")
        with stopping() as stop:
            async with reading(self.config.store.path) as store:
                watch = Watch(await with_open_batches(plan, store), self.clock)
                currency = self.config.grading.currency
                ended = await Onlooker(daemon, watch, stop, currency, self.clock).run(store)
            again = "The daemon goes on with them; gradeq status shows how far it is."
            return await self._done(plan, watch, ended, again)

    def _say_what_comes(self, plan: Plan) -> None:
        say.warn(plan.notes)
        grader = self.grader
        if grader is None:
            provider = default_provider(self.config)
            grader = provider.model
            if provider.kind == SIMULATED:
                say.note(SIMULATED_NOTE)
        if grader == LEXICAL_GRADER:
            say.note(PROVISIONAL_NOTE)
        if is_blend(grader):
            say.note(BLEND_NOTE)
        decided = len(plan.ids) - len(plan.left)
        before = f", {decided:,} of them decided before" if decided else ""
        papers = say.counted(len(plan.ids), "paper")
        say.note(f"{papers}{before}; {len(plan.left):,} to grade with {grader}")

    async def _done(self, plan: Plan, watch: Watch, ended: Ended, again: str) -> Done:
        async with reading(self.config.store.path) as store:
            standing = await watch.look(store)
            tally = await report(plan, store, self.out)
        told = {
            **summary(
                tally,
                ended,
                standing.spent,
                time.monotonic() - self.began,
                self.config.grading.currency,
            ),
            "interrupted": ended.interrupted and not standing.is_over,
            "batch_id": plan.work.batch_ids[-1] if plan.work.batch_ids else None,
            "simulated": Flag.SIMULATED in tally.flagged,
            "skipped_invalid": self.skipped_invalid,
            "kept_as_stored": plan.kept_as_stored,
            "out": None if self.out is None else str(self.out),
            "db": str(self.config.store.path),
        }
        if not self.is_quiet:
            tell(tally, told, as_json=self.as_json)
        _say_what_is_left(ended, standing, again)
        return Done(_code(told), told, tally, plan)


def _say_what_is_left(ended: Ended, standing: Standing, again: str) -> None:
    papers = say.counted(standing.waiting, "paper is left", "papers are left")
    if standing.is_over:
        return
    if ended.stuck_on is not None:
        say.warn([f"Stopped early, {papers}: {ended.stuck_on}", f"Mend that. {again}"])
    elif ended.interrupted:
        say.warn([f"Stopped, {papers}. {again}"])


def _code(told: dict[str, Any]) -> int:
    if told["interrupted"]:
        return INTERRUPTED
    return 1 if told["ungraded"] or told["skipped_invalid"] or told["kept_as_stored"] else 0
