"""What is asked of the engine, checked and completed until it can be queued."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from gradeq.arriving import refuse_unfit
from gradeq.assembly import Assembly
from gradeq.clock import Clock
from gradeq.errors import (
    ConfigError,
    ConflictError,
    NoPricesError,
    NoReferenceError,
    NoRubricError,
    NotFoundError,
)
from gradeq.grading.provisional import unfit
from gradeq.handlers.base import Handler
from gradeq.model import NewSubmission
from gradeq.money import Caps, checked_cap
from gradeq.overnight.times import fallback_at
from gradeq.rubrics import RubricShelf
from gradeq.store.base import Store
from gradeq.store.orders import SubmitOrder

When = Literal["now", "overnight"]
"""Call by call as fast as the limits allow, or through the provider's batch API."""


class Orders:
    """Knows what a grader needs and what it may cost. Refuses before anything is queued."""

    def __init__(
        self, store: Store, rubrics: RubricShelf, assembly: Assembly, caps: Caps, clock: Clock
    ) -> None:
        self._store = store
        self._rubrics = rubrics
        self._assembly = assembly
        self._caps = caps
        self._clock = clock

    async def complete(
        self,
        asked: SubmitOrder,
        submissions: Sequence[NewSubmission | int],
        interactive: bool | None,
        when: When,
    ) -> SubmitOrder:
        """With ids, pool, rubric, cap and fallback; new papers are stored by then.

        Raises what `Engine.submit` does.
        """
        refuse_unfit(submissions)
        if submissions and asked.payloads:
            raise ConflictError(
                "a batch is either of submissions or of payloads; nothing was queued. Submit twice"
            )
        grader = asked.grader
        priority = _checked_priority(asked.priority)
        cap = self._cap_of(self._assembly.handler(grader), asked.cost_cap)
        fallback = self._fallback(grader, when, asked.deadline, asked.run_at)
        ids = await self._ids(submissions)
        rubric_id = asked.rubric_id
        if self._assembly.needs_rubric(grader) and ids:
            rubric_id = await self._rubric_for(ids, rubric_id)
            await self._refuse_unfit(grader, rubric_id)
        # Only now: while the papers were stored, a new key may have come with a new pool.
        handler = self._assembly.handler(grader)
        is_single = len(ids) + len(asked.payloads) == 1
        return replace(
            asked,
            submission_ids=ids,
            pool=handler.pool.name,
            kind=handler.kind,
            rubric_id=rubric_id,
            interactive=is_single if interactive is None else interactive,
            priority=priority,
            max_attempts=handler.max_attempts,
            cost_cap=cap,
            fallback_at=fallback,
        )

    async def set_cost_cap(self, batch_id: int, cap: float | None) -> None:
        """Raises what `Engine.set_cost_cap` does."""
        checked_cap(cap)
        batch = await self._store.batch(batch_id)
        handler = self._assembly.handlers.get(batch.grader) if batch else None
        if cap is not None and handler is not None:
            _refuse_unpriced(handler)
        await self._store.set_cost_cap(batch_id, cap)

    async def projected_cost(
        self, submission_ids: Sequence[int], grader: str, rubric_id: int
    ) -> float | None:
        """See `Engine.projected_cost`."""
        handler = self._assembly.handler(grader)
        if not handler.is_priced or not submission_ids:
            return None
        rubric = await self._rubrics.get(rubric_id)
        looked_at = await self._store.results(_sample(submission_ids))
        costs = [handler.probable_cost(row.submission, rubric) for row in looked_at]
        return sum(costs) * len(submission_ids) / max(1, len(costs))

    def _cap_of(self, handler: Handler, told: float | None) -> float | None:
        """What was told, or the default where it can be held. Raises ConfigError."""
        if told is not None:
            _refuse_unpriced(handler)
            return checked_cap(told)
        return self._caps.per_batch if handler.is_priced else None

    def _fallback(
        self, grader: str, when: str, deadline: int | None, run_at: int | None
    ) -> int | None:
        """When an overnight order goes live; None for one that is live from the start."""
        if when == "now":
            return None
        if when != "overnight":
            raise ConfigError(f"when is {when!r}; choose 'now' or 'overnight'")
        if grader not in self._assembly.batched:
            raise ConflictError(
                f"the grader {grader!r} has no batch API to work through overnight; nothing was "
                "queued. Grade now (without when='overnight' or --overnight), or use a provider "
                "that has one: anthropic, openai, or another with batch_api = true"
            )
        return fallback_at(self._clock.now_ms(), run_at, deadline)

    async def _ids(self, submissions: Sequence[NewSubmission | int]) -> list[int]:
        new = [one for one in submissions if isinstance(one, NewSubmission)]
        added = iter(await self._store.add_submissions(new) if new else ())
        return [one if isinstance(one, int) else next(added).id for one in submissions]

    async def _refuse_unfit(self, grader: str, rubric_id: int) -> None:
        """Raises NoReferenceError where every paper would be refused."""
        if not self._assembly.facts(grader).is_provisional:
            return
        if (why := unfit(grader, await self._rubrics.get(rubric_id))) is not None:
            raise NoReferenceError(
                f"the grader {grader!r} cannot grade by this rubric: {why}; nothing was queued. "
                "Give it a reference answer or key points, or grade with a model"
            )

    async def _rubric_for(self, ids: Sequence[int], rubric_id: int | None) -> int:
        if rubric_id is not None:
            await self._rubrics.get(rubric_id)
            return rubric_id
        assignments = await self._store.assignments_of(ids)
        if not assignments:
            raise NotFoundError("none of these submissions exists; nothing was queued")
        return _common_rubric(assignments)


def _common_rubric(assignments: Sequence[tuple[str, str, int | None]]) -> int:
    """One batch is graded by one rubric: a paper must not be judged by another assignment's."""
    for course, assignment, rubric_id in assignments:
        if rubric_id is None:
            raise NoRubricError(
                f"the assignment {course}/{assignment} has no rubric; nothing was "
                "queued. Give it one first (gradeq import --rubric FILE, or PUT …/rubric)"
            )
    found = {rubric_id for _, _, rubric_id in assignments if rubric_id is not None}
    if len(found) > 1:
        raise ConflictError(
            f"these papers belong to assignments with {len(found)} different rubrics; nothing was "
            "queued. Submit each assignment by itself, or name the rubric to use (rubric_id)"
        )
    return found.pop()


def _checked_priority(priority: int) -> int:
    if not 1 <= priority <= 10:
        raise ConfigError(f"priority {priority} is not between 1 (first) and 10 (last)")
    return priority


def _refuse_unpriced(handler: Handler) -> None:
    if not handler.is_priced:
        raise NoPricesError(
            f"the grader {handler.name!r} has no prices, so a cost cap could never hold it; "
            "nothing was changed. Set price_input and price_output of its provider, or leave the "
            "cap out"
        )


def _sample(ids: Sequence[int]) -> list[int]:
    """At most 20, evenly spread."""
    count = min(len(ids), 20)
    return [ids[n * len(ids) // count] for n in range(count)]
