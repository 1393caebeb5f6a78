"""Batches: what was started together, how far it is, and what people do to it."""

from __future__ import annotations

import logging

from msgspec import UNSET

from gradeq.errors import NotFoundError
from gradeq.store.rows import BatchRow
from gradeq.web.answers_work import BatchAnswer, BatchesAnswer, JobsAnswer
from gradeq.web.api_grading import job_summary
from gradeq.web.bodies import BatchChange, By, Id, JobPage, Page, Pause
from gradeq.web.people import Person
from gradeq.web.problems import Problem
from gradeq.web.site import Site
from gradeq.web.waiting import batch_answer

log = logging.getLogger("gradeq")


async def batches(site: Site, query: Page, person: Person) -> BatchesAnswer:
    """The batches that one may see, newest first; `after` continues behind that id."""
    courses = None if person.sees_everything else person.courses
    found = await site.store.batches(
        before=query.after or None, limit=query.limit + 1, courses=courses
    )
    page = found[: query.limit]
    return BatchesAnswer(
        [batch_answer(site, row) for row in page],
        page[-1].id if len(found) > len(page) else None,
    )


async def batch(site: Site, batch_id: Id) -> BatchAnswer:
    """A batch: its counts, its spending, what limits it and when it may be over."""
    return batch_answer(site, await _row(site, batch_id))


async def jobs(site: Site, batch_id: Id, query: JobPage) -> JobsAnswer:
    """A batch's jobs, by id; `status` chooses those in one state."""
    await _row(site, batch_id)
    found = await site.store.jobs(
        batch_id=batch_id, state=query.status, after=query.after, limit=query.limit + 1
    )
    page = found[: query.limit]
    return JobsAnswer(
        [job_summary(row) for row in page], page[-1].id if len(found) > len(page) else None
    )


async def change(site: Site, batch_id: Id, body: BatchChange) -> BatchAnswer:
    """Change what its calls may cost. A batch paused by its cap goes on when it is resumed."""
    if body.max_cost is UNSET:
        raise Problem(422, "nothing_to_change", "name what to change: max_cost")
    await site.engine.set_cost_cap(batch_id, body.max_cost)
    return await batch(site, batch_id)


async def pause(site: Site, batch_id: Id, body: Pause) -> BatchAnswer:
    """Start no more of it until it is resumed; calls that are on their way end as usual."""
    await site.engine.pause(batch_id, body.by, body.reason)
    return await batch(site, batch_id)


async def resume(site: Site, batch_id: Id, body: By) -> BatchAnswer:
    """Go on with a paused batch; what it is limited by, if parked, is tried again too."""
    await site.engine.resume(batch_id)
    log.info("batch %d resumed by %r", batch_id, body.by)
    return await batch(site, batch_id)


async def cancel(site: Site, batch_id: Id, body: By) -> BatchAnswer:
    """Cancel its open jobs. Answers that are on their way are kept, and not applied."""
    row = await _row(site, batch_id)
    if not await site.engine.cancel(batch_id) and row.cancelled_at is None:
        raise Problem(409, "not_open", f"batch {batch_id} is over; there is nothing to cancel")
    log.info("batch %d cancelled by %s", batch_id, body.by)
    return await batch(site, batch_id)


async def retry(site: Site, batch_id: Id, body: By) -> BatchAnswer:
    """Its failed jobs start anew, with fresh counters."""
    if not await site.engine.retry(batch_id):
        raise Problem(
            409, "not_retryable", f"no job of batch {batch_id} has failed and can be tried again"
        )
    log.info("batch %d retried by %s", batch_id, body.by)
    return await batch(site, batch_id)


async def _row(site: Site, batch_id: int) -> BatchRow:
    row = await site.store.batch(batch_id)
    if row is None:
        raise NotFoundError(f"there is no batch {batch_id}")
    return row
