"""The page at /queue, for whoever runs gradeq: what limits it, what failed, what is stuck."""

from __future__ import annotations

from functools import partial

from starlette.responses import Response

from gradeq.days import day_of
from gradeq.web import api_grading, api_queue, why
from gradeq.web.bodies import By
from gradeq.web.paths import id_in
from gradeq.web.problems import Problem
from gradeq.web.standing import standings
from gradeq.web.stuck import IDLE_SECONDS, TIMES_TOO_LONG, stuck
from gradeq.web.visit import Visit

_IN_HAND = 50
FAILED_BATCHES = 50
_SOMEONE = "someone"


async def show(visit: Visit) -> Response:
    """Everything at once: pools, jobs in hand, failures by cause, what is stuck."""
    _refuse_others(visit)
    site = visit.site
    after = await site.store.last_event()
    in_hand = await site.store.overview.in_hand(_IN_HAND)
    pools = await standings(site)
    return visit.show(
        "queue.html",
        after=after,
        now=site.engine.clock.now_ms(),
        trouble=site.engine.trouble,
        pools=pools,
        in_hand=in_hand,
        running=sum(one.backlog.processing for one in pools),
        failures=await site.store.overview.failures(FAILED_BATCHES),
        failed_batches=FAILED_BATCHES,
        why_failed=partial(why.of_error, visit.words),
        why_limited=partial(why.of_reading, visit.words),
        in_flight=partial(why.in_flight, visit.words),
        stuck=await stuck(site, in_hand),
        times_too_long=TIMES_TOO_LONG,
        idle_seconds=IDLE_SECONDS,
        today=await site.store.day(day_of(site.engine.clock.now_ms())),
        cap=site.engine.caps.per_day,
    )


async def resume(visit: Visit) -> Response:
    """Go on with a parked pool."""
    _refuse_others(visit)
    name = str((await visit.form()).get("pool", ""))
    resumed = await api_queue.resume(visit.site, name, By(by=await _by(visit)))
    return _back(visit, "resumed", pool=resumed.moved_to or resumed.pool)


async def retry(visit: Visit) -> Response:
    """Everything that failed for one cause starts anew."""
    _refuse_others(visit)
    form = await visit.form()
    which = (str(form.get("grader", "")), str(form.get("error", "")))
    job_ids = await visit.site.store.overview.failed_jobs(*which, FAILED_BATCHES)
    count = await visit.site.engine.retry(job_ids=job_ids)
    return _back(visit, "retried", n=count)


async def cancel(visit: Visit) -> Response:
    """Take one job out of the queue."""
    _refuse_others(visit)
    told = str((await visit.form()).get("job", ""))
    await api_grading.cancel_job(visit.site, id_in(told), By(by=await _by(visit)))
    return _back(visit, "cancelled", id=told)


def _refuse_others(visit: Visit) -> None:
    if not visit.person.is_admin:
        raise Problem(403, "not_allowed", "the queue is for administrators; ask one of them")


async def _by(visit: Visit) -> str:
    return await visit.name() or _SOMEONE


def _back(visit: Visit, what: str, **values: object) -> Response:
    return visit.go("queue", told=visit.words.text(f"queue.told.{what}", **values))
