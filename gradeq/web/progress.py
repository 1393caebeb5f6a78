"""How far a batch is, as every page shows it: see templates/progress.html."""

from __future__ import annotations

from dataclasses import dataclass

from gradeq.model import BatchStatus
from gradeq.store.rows import BatchRow
from gradeq.web.answers_work import BatchAnswer
from gradeq.web.site import Site
from gradeq.web.waiting import batch_answer
from gradeq.web.why import NOTHING, Why, of_batch
from gradeq.web.wording import Wording

_MINUTE_MS = 60_000
_HELD = ("paused", "parked", "no_grader")


@dataclass(frozen=True, slots=True)
class Progress:
    """A batch at one instant. `ended` of `total` are over, `failed` of them without a grade.

    `per_minute` is how many of it ended lately, or all the time once it is over; None while there
    is none. `limited_by` is a word of the limiter or of `waiting.batch_answer`,
    None once it is over, as is `paused_by` unless it is paused; `why` tells more of either.
    """

    batch_id: int
    status: BatchStatus
    total: int
    ended: int
    failed: int
    processing: int
    per_minute: float | None = None
    eta_seconds: float | None = None
    limited_by: str | None = None
    paused_by: str | None = None
    why: Why = NOTHING

    @property
    def share(self) -> float:
        """From 0 to 1. Never rounded up to the whole."""
        return int(1000 * self.ended / max(1, self.total)) / 1000 if self.total else 1.0

    @property
    def is_held(self) -> bool:
        """It waits for a person."""
        return self.limited_by in _HELD


def progress_of(site: Site, row: BatchRow, words: Wording) -> Progress:
    """How `row` stands now, and what holds it up."""
    answer = batch_answer(site, row)
    pool = site.engine.pools.get(row.pool)
    reading = None if pool is None else pool.reading()
    return Progress(
        batch_id=row.id,
        status=row.status,
        total=row.total,
        ended=row.completed + row.failed + row.cancelled,
        failed=row.failed,
        processing=row.processing,
        per_minute=_pace(row, answer),
        eta_seconds=answer.eta_seconds,
        limited_by=answer.limited_by,
        paused_by=None if row.finished_at else row.paused_by,
        why=of_batch(words, row, answer.limited_by, reading),
    )


def _pace(row: BatchRow, answer: BatchAnswer) -> float | None:
    if row.finished_at is None:
        return answer.per_minute
    minutes = max(1, row.finished_at - row.created_at) / _MINUTE_MS
    return row.completed / minutes if row.completed else None
