"""The button: papers go into the queue. And what became of each job."""

from __future__ import annotations

import logging

from msgspec import structs

from gradeq.errors import NotFoundError
from gradeq.model import JobState
from gradeq.store.rows import JobRow
from gradeq.web.answers_work import GradeOrdered, GradeSummary, JobAnswer, JobCounters, JobSummary
from gradeq.web.bodies import By, GradeOrder, Id
from gradeq.web.people import Person
from gradeq.web.problems import Flaw, Problem
from gradeq.web.resolve import Meant, resolve
from gradeq.web.rights import require_course
from gradeq.web.site import Site
from gradeq.web.waiting import why_waiting

log = logging.getLogger("gradeq")


async def grade(site: Site, body: GradeOrder, person: Person) -> GradeOrdered:
    """Queue papers for grading; they are on disk when this answers.

    Papers that cannot be graded are listed in `skipped`. A paper that is queued already keeps its
    job and batch. The same `idempotency_key` of one owner is answered with
    the first batch again.
    """
    _check_grader(site, body.grader)
    meant = await _papers(site, person, body)
    submitted = await site.engine.submit(
        meant.ids,
        grader=body.grader,
        rubric_id=body.rubric_id,
        # A teacher has her own share, and only her own idempotency keys.
        owner=body.owner if person.sees_everything else person.name,
        priority=body.priority,
        deadline=body.deadline,
        idempotency_key=body.idempotency_key,
        cost_cap=body.max_cost,
        when=body.when,
        # Some of an assignment may be graded between the look at it and the order.
        again=body.submission_ids is not None,
    )
    return GradeOrdered(
        batch_id=submitted.id if submitted.job_ids else None,
        task_ids=submitted.job_ids,
        created=submitted.created,
        skipped=meant.told(submitted.skipped),
        already_queued=submitted.already,
    )


def _check_grader(site: Site, grader: str) -> None:
    known = site.engine.graders
    if grader not in known:
        names = ", ".join(sorted(known))
        raise Problem(
            422,
            "unknown_grader",
            f"there is no grader {grader!r} here (known: {names})",
            problems=[Flaw("$.grader", "unknown")],
        )


async def _papers(site: Site, person: Person, order: GradeOrder) -> Meant:
    if order.submission_ids is None:
        return await _whole_assignment(site, person, order)
    if not order.submission_ids:
        raise Problem(
            422,
            "nothing_to_grade",
            "submission_ids is empty; name papers, or leave it out to grade a whole assignment",
            problems=[Flaw("$.submission_ids", "is empty")],
        )
    meant = await resolve(site, person, order.submission_ids, order.course, order.assignment)
    if not meant.ids or not await site.store.assignments_of(meant.ids):
        raise NotFoundError("none of these submissions exists; nothing was queued")
    return meant


async def _whole_assignment(site: Site, person: Person, order: GradeOrder) -> Meant:
    if order.course is None or order.assignment is None:
        raise Problem(
            422,
            "invalid_body",
            "name the papers (submission_ids), or both course and assignment",
            problems=[Flaw("$", "neither submission_ids nor course and assignment")],
        )
    require_course(person, order.course)
    await site.engine.badges(order.course, order.assignment)
    ids = await site.store.gradable(order.course, order.assignment)
    if not ids:
        raise Problem(
            409,
            "nothing_to_grade",
            f"no paper of {order.course}/{order.assignment} is submitted and not archived; "
            "nothing was queued",
        )
    return Meant(ids, {}, [])


async def job(site: Site, job_id: Id) -> JobAnswer:
    """A job: how it stands, every try, what came of it, and why it waits if it does."""
    row = await _row(site, job_id)
    attempts = await site.store.attempts(job_id)
    return JobAnswer(
        **structs.asdict(job_summary(row)),
        attempts=attempts,
        cost=sum(one.cost for one in attempts),
        result=row.result if row.submission_id is None else await _grade_of(site, row),
        waiting=await why_waiting(site, row),
    )


def job_summary(row: JobRow) -> JobSummary:
    return JobSummary(
        id=row.id,
        batch_id=row.batch_id,
        grader=row.grader,
        submission_id=row.submission_id,
        external_id=row.external_id,
        status=row.state,
        counters=JobCounters(row.attempts, row.snoozes, row.interruptions, row.unusable),
        error=row.error,
        reason=row.reason,
        run_at=row.run_at,
        created_at=row.created_at,
        claimed_at=row.claimed_at,
        finished_at=row.finished_at,
        updated_at=row.updated_at,
    )


async def _grade_of(site: Site, row: JobRow) -> GradeSummary | None:
    assert row.submission_id is not None
    for one in await site.store.grades(row.submission_id):
        if one.job_id == row.id:
            grade = one.grade
            return GradeSummary(
                one.version, one.current, grade.score, grade.max_score, grade.flags, grade.model
            )
    return None


async def cancel_job(site: Site, job_id: Id, body: By) -> JobAnswer:
    """Cancel an open job. An answer that is on its way is kept, and not applied."""
    row = await _row(site, job_id)
    if not await site.engine.cancel(job_ids=[job_id]):
        raise Problem(
            409, "not_open", f"job {job_id} is {row.state} already; nothing was cancelled"
        )
    log.info("job %d cancelled by %s", job_id, body.by)
    return await job(site, job_id)


async def retry_job(site: Site, job_id: Id, body: By) -> JobAnswer:
    """A failed or cancelled job starts anew, with fresh counters."""
    row = await _row(site, job_id)
    if not await site.engine.retry(job_ids=[job_id]):
        raise Problem(409, "not_retryable", _why_not_again(row))
    log.info("job %d retried by %s", job_id, body.by)
    return await job(site, job_id)


def _why_not_again(row: JobRow) -> str:
    if row.state in (JobState.PENDING, JobState.PROCESSING):
        return f"job {row.id} is {row.state}; it needs no retry"
    if row.state is JobState.COMPLETED:
        return f"job {row.id} is completed; POST /api/grade grades its paper once more"
    return (
        f"the paper of job {row.id} is archived, released, still being written, or in the queue "
        "with another job; nothing was changed"
    )


async def _row(site: Site, job_id: int) -> JobRow:
    row = await site.store.job(job_id)
    if row is None:
        raise NotFoundError(f"there is no job {job_id}")
    return row
