"""Why work waits, and for about how long."""

from __future__ import annotations

from msgspec import structs

from gradeq import money
from gradeq.limiter.reading import Reading, finite
from gradeq.model import JobState
from gradeq.overnight.words import told_overnight
from gradeq.store.rows import BatchRow, JobRow, QueuePosition
from gradeq.web.answers import told
from gradeq.web.answers_work import BatchAnswer, Waiting
from gradeq.web.site import Site

_PAUSED = "paused"
_SCHEDULED = "run_at"
_NO_GRADER = "no_grader"
_COST_CAP = "cost_cap"
_OVERNIGHT = "overnight"


async def why_waiting(site: Site, job: JobRow) -> Waiting | None:
    """None for a job that does not wait. One that a provider's batch API has, waits too."""
    if job.state is JobState.PROCESSING:
        return await _with_the_provider(site, job)
    position = await site.store.position(job.id) if job.state is JobState.PENDING else None
    if position is None:
        return None
    if position.paused_by is None and (night := await _night_of(site, job)) is not None:
        return Waiting(position.ahead, position.run_at, None, _OVERNIGHT, night)
    pool = site.engine.pools.get(position.pool)
    reading = None if pool is None else pool.reading()
    limited_by, text = _cause(job, position, reading)
    return Waiting(
        position=position.ahead,
        run_at=position.run_at,
        eta_seconds=_job_eta(site, position, reading),
        limited_by=limited_by,
        text=text,
        paused_by=position.paused_by,
        pause_reason=position.pause_reason,
        parked_reason=None if reading is None else reading.parked_reason,
    )


async def _with_the_provider(site: Site, job: JobRow) -> Waiting | None:
    if await site.store.provider_batches.holding(job.id) is None:
        return None
    night = await _night_of(site, job)
    return None if night is None else Waiting(0, job.run_at, None, _OVERNIGHT, night)


async def _night_of(site: Site, job: JobRow) -> str | None:
    batch = await site.store.batch(job.batch_id)
    return None if batch is None else told_overnight(batch)


def _cause(job: JobRow, position: QueuePosition, reading: Reading | None) -> tuple[str, str]:
    if position.paused_by is not None:
        return _PAUSED, paused_text(position.paused_by, position.pause_reason)
    if reading is None:
        return _NO_GRADER, f"no grader of this process works through {position.pool}"
    if position.waiting:
        return _SCHEDULED, f"waits for its time; last: {job.reason or 'not tried yet'}"
    return reading.limited_by.value, reading.text


def paused_text(by: str | None, reason: str | None) -> str:
    return f"its batch is paused by {by}" + (f": {reason}" if reason else "")


def _job_eta(site: Site, position: QueuePosition, reading: Reading | None) -> float | None:
    if reading is None or position.paused_by is not None:
        return None
    turn = reading.eta_seconds(position.ahead + 1)
    if turn is None or not position.waiting:
        return turn
    until_due = (position.run_at - site.engine.clock.now_ms()) / 1000
    return max(turn, round(until_due, 1))


def batch_answer(site: Site, row: BatchRow) -> BatchAnswer:
    """The row, and what holds it up while it is open."""
    answer = told(BatchAnswer, row)
    if row.finished_at is not None:
        return answer
    if row.paused_by is not None:
        return _held(answer, _PAUSED, paused_text(row.paused_by, row.pause_reason))
    if row.is_short:
        return _held(answer, _COST_CAP, money.told_short(row.cost_cap, site.engine.currency))
    if (night := told_overnight(row)) is not None:
        return _held(answer, _OVERNIGHT, night)
    pool = site.engine.pools.get(row.pool)
    if pool is None:
        return _held(answer, _NO_GRADER, f"no grader of this process works through {row.pool}")
    reading = pool.reading()
    held = _held(answer, reading.limited_by.value, reading.text)
    pace = site.engine.pace_of(row.id)
    return held if pace is None else _paced(held, pace, reading)


def _held(answer: BatchAnswer, by: str, text: str) -> BatchAnswer:
    return structs.replace(answer, limited_by=by, text=text)


def _paced(answer: BatchAnswer, per_second: float, reading: Reading) -> BatchAnswer:
    """At its own pace, but no sooner than its pool could do it if it did nothing else."""
    left = answer.pending + answer.processing
    alone = reading.eta_seconds(left) or 0.0
    seconds = max(alone, max(0.0, reading.wait_seconds) + left / per_second)
    return structs.replace(
        answer, per_minute=60 * per_second, eta_seconds=finite(round(seconds, 1))
    )
