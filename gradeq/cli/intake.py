"""Papers and rubric into the database, and what is left of them into the queue."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from gradeq.cli.papers import Input, warn_kept
from gradeq.cli.plan import Plan, Planner, Wanted
from gradeq.cli.providers import SIMULATED, default_provider
from gradeq.config import Config
from gradeq.engine import Engine
from gradeq.model import DEFAULT_GRADER, LEXICAL_GRADER, is_blend
from gradeq.orders import When

_BEFORE_OTHERS = 4
"""Somebody waits for this batch: it goes before what was queued for some time or other."""


@dataclass(frozen=True, slots=True)
class Intake:
    """One input, its rubric, and where they belong."""

    config: Config
    input: Input
    rubric: Path
    course: str
    assignment: str
    max_cost: float | None = None
    when: When = "now"
    grader: str = DEFAULT_GRADER

    async def plan(self, engine: Engine) -> Plan:
        """Queue what has no grade yet by this rubric and this grader."""
        rubric_id = await engine.rubrics.put_file(self.rubric)
        added = await engine.add(self.input.papers)
        await engine.store.assign_rubric(self.course, self.assignment, rubric_id)
        planner = Planner(
            engine,
            rubric_id,
            grader=self.grader,
            priority=_BEFORE_OTHERS,
            max_cost=self.max_cost,
            when=self.when,
        )
        plan = await planner.plan([one.id for one in added], self._wanted())
        return replace(plan, kept_as_stored=warn_kept(added))

    def _wanted(self) -> Wanted:
        """A provisional grade never takes the place of a model's."""
        if self.grader == LEXICAL_GRADER or is_blend(self.grader):
            return Wanted(None, simulated=False)
        provider = default_provider(self.config)
        return Wanted(provider.model, provider.kind == SIMULATED)
