"""What is left to do for a set of papers, and how it gets into the queue just once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gradeq.cli import say
from gradeq.cli.stores import result_pages
from gradeq.cli.watch import Work
from gradeq.engine import Engine
from gradeq.model import DEFAULT_GRADER, BatchMode, Flag, GradeSource, JobState, SubmissionStatus
from gradeq.orders import When
from gradeq.results import UNGRADED, Result, of_submission, why_ungraded
from gradeq.store.base import Reading
from gradeq.store.orders import QueuedAlready, SubmitOrder
from gradeq.store.rows import BatchRow, ResultRow

OURSELVES = "gradeq"
"""Who pauses a batch when nothing but a person can mend what it fails of."""

_OPEN = frozenset({JobState.PENDING, JobState.PROCESSING})
_DECIDED = frozenset({SubmissionStatus.IN_PROGRESS, SubmissionStatus.RELEASED})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stored grade must come from, so that it need not be made anew.

    `model` None takes that of any: for provisional graders, which replace nobody's.
    """

    model: str | None
    simulated: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """`ids` are all papers, in the order of the input; those of `left` are to be graded."""

    ids: tuple[int, ...]
    left: frozenset[int]
    work: Work
    notes: tuple[str, ...] = ()
    kept_as_stored: int = 0
    """Papers whose text has changed, and whose stored text somebody's decision stands on."""
    queued: int | None = None
    """How many of `left` a daemon has queued anew; None where no daemon was asked."""
    already: tuple[QueuedAlready, ...] = ()
    """The others that a daemon had queued before, and for whom."""

    def result(self, row: ResultRow) -> Result:
        """What became of a paper; a grade that should have been made anew does not count."""
        result = of_submission(row)
        if row.grade is None or row.submission.id not in self.left or _has_ended_well(row):
            return result
        why = f"{why_ungraded(row)}; the grade it had (by another rubric or model) still stands"
        return replace(result, status=UNGRADED, grade=None, reason=why)


def merged(plans: Sequence[Plan]) -> Plan:
    """Several assignments as one."""
    works = [plan.work for plan in plans]
    return Plan(
        ids=tuple(one for plan in plans for one in plan.ids),
        left=frozenset(one for plan in plans for one in plan.left),
        work=Work(
            total=sum(work.total for work in works),
            batch_ids=tuple(one for work in works for one in work.batch_ids),
            graded=sum(work.graded for work in works),
            ungraded=sum(work.ungraded for work in works),
        ),
        notes=tuple(one for plan in plans for one in plan.notes),
    )


async def with_open_batches(plan: Plan, store: Reading) -> Work:
    """The plan's work, and the batches that some of its papers have been waiting in before."""
    batch_ids = dict.fromkeys(plan.work.batch_ids)
    async for page in result_pages(store, plan.ids):
        jobs = (row.job for row in page if row.job is not None and row.job.state in _OPEN)
        batch_ids.update(dict.fromkeys(job.batch_id for job in jobs))
    return replace(plan.work, batch_ids=tuple(batch_ids))


def _has_ended_well(row: ResultRow) -> bool:
    return row.job is not None and row.job.state is JobState.COMPLETED


@dataclass(frozen=True, slots=True)
class _Left:
    """A paper to be graded, and the open job that it has already."""

    id: int
    job_id: int | None = None
    batch_id: int | None = None

    @classmethod
    def of(cls, row: ResultRow, grader: str) -> _Left:
        job = row.job
        if job is None or job.state not in _OPEN or job.grader != grader:
            return cls(row.submission.id)
        return cls(row.submission.id, job.id, job.batch_id)


class Planner:
    """Queues what is left of some papers, all of it in one batch.

    Papers that wait already are not queued again: their batch goes on. Only where it asks by
    another rubric, or holds other papers too, do they move to the new batch. A batch that a person
    paused is left alone. A batch that goes on does so as it was queued, overnight or not.
    """

    def __init__(
        self,
        engine: Engine,
        rubric_id: int,
        *,
        grader: str = DEFAULT_GRADER,
        priority: int = 5,
        max_cost: float | None = None,
        when: When = "now",
    ) -> None:
        self._engine = engine
        self._rubric_id = rubric_id
        self._grader = grader
        self._priority = priority
        self._max_cost = max_cost
        self._when = when
        self._sha256: dict[int, str] = {}
        self._notes: list[str] = []

    async def plan(self, ids: Sequence[int], wanted: Wanted | None = None) -> Plan:
        """Queue every paper without a grade as `wanted` (None: every paper).

        Never those that a person has graded or released, that are archived, or still written.
        """
        left: list[_Left] = []
        graded = 0
        async for page in result_pages(self._engine.store, ids):
            for row in page:
                if await self._is_left(row, wanted):
                    left.append(_Left.of(row, self._grader))
                else:
                    graded += row.grade is not None
        queued, batch_ids = await self._queue(left)
        return Plan(
            ids=tuple(ids),
            left=frozenset(queued),
            work=Work(len(ids), batch_ids, graded, len(ids) - graded - len(queued)),
            notes=tuple(self._notes),
        )

    async def _is_left(self, row: ResultRow, wanted: Wanted | None) -> bool:
        if row.submission.archived_at is not None or row.submission.status in _DECIDED:
            return False
        grade = row.grade
        if grade is None:
            return True
        if grade.source is GradeSource.PERSON:
            return False
        if wanted is None or grade.rubric_id is None:
            return True
        is_whole = Flag.PROVISIONAL not in grade.grade.flags
        model = grade.grade.model if is_whole else None
        made_as = Wanted(model or "", Flag.SIMULATED in grade.grade.flags)
        is_of_any = wanted.model is None and made_as.simulated == wanted.simulated
        is_as_wanted = is_of_any or made_as == wanted
        return not is_as_wanted or not await self._is_our_rubric(grade.rubric_id)

    async def _is_our_rubric(self, rubric_id: int | None) -> bool:
        """The same content is the same rubric, whatever its file is called."""
        if rubric_id is None:
            return False
        ours = await self._fingerprint(self._rubric_id)
        return rubric_id == self._rubric_id or ours == await self._fingerprint(rubric_id)

    async def _fingerprint(self, rubric_id: int) -> str:
        if rubric_id not in self._sha256:
            row = await self._engine.store.rubric(rubric_id)
            self._sha256[rubric_id] = row.sha256 if row else ""
        return self._sha256[rubric_id]

    async def _queue(self, left: Sequence[_Left]) -> tuple[list[int], tuple[int, ...]]:
        """The papers that are in the queue now, and their batches."""
        going_on: list[int] = []
        held: list[int] = []
        for batch_id, papers in _by_batch(left).items():
            batch = await self._engine.store.batch(batch_id)
            assert batch is not None
            if batch.paused_by not in (None, OURSELVES):
                held.append(batch_id)
                self._notes.append(_why_held(batch, len(papers)))
            elif await self._fits(batch, papers):
                going_on.append(batch_id)
                await self._cap(batch_id)
                self._notes += _other_time(batch, len(papers), self._when)
            else:
                await self._engine.cancel(job_ids=[one.job_id for one in papers if one.job_id])
        queued = [one.id for one in left if one.batch_id not in held]
        fresh = [one.id for one in left if one.batch_id not in (*held, *going_on)]
        if fresh and (new := await self._submit(fresh)) is not None:
            going_on.append(new)
        return queued, tuple(going_on)

    async def _submit(self, ids: Sequence[int]) -> int | None:
        return await queue(
            self._engine,
            ids,
            self._rubric_id,
            self._priority,
            grader=self._grader,
            max_cost=self._max_cost,
            when=self._when,
        )

    async def _cap(self, batch_id: int) -> None:
        """What was told this time holds for what goes on, too."""
        if self._max_cost is not None:
            await self._engine.set_cost_cap(batch_id, self._max_cost)

    async def _fits(self, batch: BatchRow, papers: Sequence[_Left]) -> bool:
        """It holds open jobs of these papers alone, and asks by the same rubric."""
        is_ours_alone = batch.pending + batch.processing == len(papers)
        return is_ours_alone and await self._is_our_rubric(batch.rubric_id)


def _by_batch(left: Sequence[_Left]) -> dict[int, list[_Left]]:
    batches: dict[int, list[_Left]] = {}
    for one in left:
        if one.batch_id is not None:
            batches.setdefault(one.batch_id, []).append(one)
    return batches


def _why_held(batch: BatchRow, count: int) -> str:
    why = f" ({batch.pause_reason})" if batch.pause_reason else ""
    return (
        f"{say.counted(count, 'paper')} wait in batch {batch.id}, which {batch.paused_by} "
        f"paused{why}. To go on: gradeq batch resume {batch.id}"
    )


def _other_time(batch: BatchRow, count: int, when: When) -> list[str]:
    """A call made now beside a provider's batch would be paid for twice."""
    if batch.mode is not BatchMode.OVERNIGHT or when == "overnight":
        return []
    return [
        f"{say.counted(count, 'paper')} wait in batch {batch.id}, which is graded overnight. "
        f"To grade them by live calls, cancel it first: gradeq batch cancel {batch.id}"
    ]


async def queue(
    engine: Engine,
    ids: Sequence[int],
    rubric_id: int,
    priority: int,
    *,
    grader: str = DEFAULT_GRADER,
    max_cost: float | None = None,
    when: When = "now",
) -> int | None:
    """The id of the new batch; None where nothing new was queued.

    Whoever grades it now needs not be known yet.
    """
    if grader != DEFAULT_GRADER or grader in engine.graders or when == "overnight":
        submitted = await engine.submit(
            ids,
            grader=grader,
            rubric_id=rubric_id,
            priority=priority,
            cost_cap=max_cost,
            when=when,
        )
        return submitted.batch_id
    order = SubmitOrder(
        submission_ids=ids,
        rubric_id=rubric_id,
        priority=priority,
        interactive=len(ids) == 1,
        cost_cap=max_cost,
    )
    return (await engine.store.submit(order)).batch_id
