"""Papers and rubric into the database, and what is left of them into the queue."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from gradeq.cli.papers import Input, warn_kept
from gradeq.cli.plan import Plan, Planner, Wanted
from gradeq.cli.providers import SIMULATED, default_provider
from gradeq.config import Config
from gradeq.engine import Engine
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

    async def plan(self, engine: Engine) -> Plan:
        """Queue what has no grade yet by this rubric and this model."""
        rubric_id = await engine.rubrics.put_file(self.rubric)
        added = await engine.add(self.input.papers)
        await engine.store.assign_rubric(self.course, self.assignment, rubric_id)
        provider = default_provider(self.config)
        planner = Planner(
            engine,
            rubric_id,
            priority=_BEFORE_OTHERS,
            max_cost=self.max_cost,
            when=self.when,
        )
        wanted = Wanted(provider.model, provider.kind == SIMULATED)
        plan = await planner.plan([one.id for one in added], wanted)
        return replace(plan, kept_as_stored=warn_kept(added))
