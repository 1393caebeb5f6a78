"""Why work does not move, or not faster, in the reader's language.

The engine tells it in English sentences, which the API and the command line show. A page says it
anew from the same values; what a provider or a grader said keeps its own words, as the original.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from gradeq.limiter.base import Bucket, LimitedBy
from gradeq.limiter.reading import Gauge, Reading
from gradeq.model import BatchMode, Cancelled, JobState, SubmissionStatus
from gradeq.outcome import ErrorClass
from gradeq.store.overview import PaperRow
from gradeq.store.rows import BatchRow, JobRow, ResultRow
from gradeq.web.wording import Wording


@dataclass(frozen=True, slots=True)
class Why:
    """`text` is in the reader's language, `original` free text as it came. Both may be empty."""

    text: str
    original: str = ""


NOTHING = Why("")


def of_error(words: Wording, error: str | None, reason: str | None) -> Why:
    """A failed try; `reason` is what the provider, the grader or gradeq said of it."""
    if error not in set(ErrorClass):
        return Why("", reason or "")
    return Why(words.text(f"why.{error}"), reason or "")


def of_job(words: Wording, job: JobRow | PaperRow) -> Why:
    """Why a job failed, was cancelled or has to be tried again; nothing for any other."""
    if job.state is JobState.CANCELLED and job.reason in set(Cancelled):
        return Why(words.text(f"why.is_{Cancelled(job.reason).name.lower()}"))
    return of_error(words, job.error, job.reason)


def of_paper(words: Wording, row: ResultRow) -> Why:
    """Why a paper has no grade (yet); as `gradeq.results.why_ungraded` tells it in English."""
    if (place := _unqueued(row)) is not None:
        return Why(words.text(f"why.{place}"))
    assert row.job is not None
    is_open = row.job.state not in (JobState.FAILED, JobState.CANCELLED)
    if is_open and row.pause_reason is not None:
        return of_pause(words, row.pause_cause, row.pause_reason)
    if is_open and row.mode is BatchMode.OVERNIGHT:
        return Why(words.text("why.overnight"))
    return of_job(words, row.job) if row.job.reason else Why(words.text("why.queued"))


def _unqueued(row: ResultRow) -> str | None:
    if row.submission.archived_at is not None:
        return "is_archived"
    if row.submission.status is SubmissionStatus.IN_PROGRESS:
        return "in_progress"
    return "not_queued" if row.job is None else None


def of_pause(words: Wording, cause: str | None, reason: str | None) -> Why:
    """What a person wrote has no other words."""
    return Why(reason or "") if cause is None else of_error(words, cause, reason)


def of_batch(words: Wording, row: BatchRow, limited_by: str | None, reading: Reading | None) -> Why:
    """What holds an open batch up: `limited_by` is a word of `waiting.batch_answer`."""
    match limited_by:
        case "paused":
            return of_pause(words, row.pause_cause, row.pause_reason)
        case "cost_cap":
            return Why(words.text("why.near_cap", cap=words.money(row.cost_cap or 0)))
        case "overnight":
            return Why(_night(words, row))
        case "no_grader":
            return Why(words.text("why.no_pool", pool=row.pool))
    return NOTHING if reading is None else of_reading(words, reading)


def of_reading(words: Wording, reading: Reading) -> Why:
    """How much of what limits a pool is in use, and how long it lasts."""
    match reading.limited_by:
        case LimitedBy.PARKED:
            return of_error(words, reading.parked_cause, reading.parked_reason)
        case LimitedBy.RETRY_AFTER:
            return Why(words.text("limit.wait", time=words.duration(reading.wait_seconds)))
        case LimitedBy.OVERLOAD | LimitedBy.LOADING if reading.wait_seconds > 0:
            return Why(words.text("limit.next_try", time=words.duration(reading.wait_seconds)))
        case LimitedBy.NOTHING:
            return Why(words.text("limit.room", n=reading.in_flight, room=reading.room))
        case (
            LimitedBy.CONCURRENCY | LimitedBy.OVERLOAD | LimitedBy.LOADING | LimitedBy.PROMPT_CACHE
        ):
            return Why(in_flight(words, reading))
        case bucket:
            return Why("; ".join(_used(words, reading, Bucket(bucket.value))))


def in_flight(words: Wording, reading: Reading) -> str:
    """How many calls are on their way, of how many, and how many would do."""
    slots = "limit.of_auto" if reading.is_auto else "limit.of_slots"
    told = [words.text(slots, n=reading.in_flight, slots=reading.concurrency)]
    return ", ".join(chain(told, _needed(words, reading)))


def _needed(words: Wording, reading: Reading) -> list[str]:
    needed = reading.concurrency_needed
    if needed is None:
        return []
    key = "limit.allowed" if needed > reading.concurrency else "limit.suffices"
    return [words.text(key, n=needed)]


def _used(words: Wording, reading: Reading, bucket: Bucket) -> list[str]:
    gauges = [gauge for gauge in reading.levels if gauge.bucket is bucket]
    tight = min(gauges, key=lambda gauge: gauge.level / gauge.limit, default=None)
    return [*([] if tight is None else [_level(words, reading, tight)]), *_needed(words, reading)]


def _level(words: Wording, reading: Reading, gauge: Gauge) -> str:
    limit = words.number(gauge.limit, 0)
    if gauge.per_seconds == 60:
        used = reading.last_minute.used(gauge.bucket)
        return words.text("limit.used", used=used, limit=limit)
    left, time = words.number(gauge.level, 0), words.duration(gauge.per_seconds)
    return words.text("limit.left", left=left, limit=limit, time=time)


def _night(words: Wording, row: BatchRow) -> str:
    if not row.posted:
        at_provider = words.text("why.not_posted")
    elif not row.answered:
        at_provider = words.text("why.posted", n=row.posted)
    else:
        at_provider = words.text("why.answered", done=row.answered, n=row.posted)
    if row.mode is not BatchMode.OVERNIGHT:
        return words.text("why.called_back", at=at_provider)
    return words.text("why.falls_back", at=at_provider, when=words.moment(row.fallback_at or 0))
