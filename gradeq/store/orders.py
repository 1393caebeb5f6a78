"""What is handed in and queued, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gradeq.errors import ConflictError
from gradeq.model import DEFAULT_GRADER, DEFAULT_OWNER, GRADING
from gradeq.outcome import MAX_ATTEMPTS


class Kept(StrEnum):
    """Why another text of a known paper was refused, for people."""

    ARCHIVED = "it is archived; the stored text was kept. Unarchive it first"
    RELEASED = "its grade is released; the stored text was kept"
    BY_PERSON = "a person graded it; the stored text and that grade were kept"


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one imported paper.

    `change` is created, unchanged, replaced or refused; `reason` says why it was refused.
    """

    id: int
    external_id: str
    change: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SubmitOrder:
    """Work to be queued together: either `submission_ids` or `payloads` of another job kind.

    `priority` 1 (first) to 10; `interactive` goes before every bulk order; `deadline` and
    `run_at` are wall milliseconds. The same `idempotency_key` of one owner is answered as before.
    Without `again`, papers that are graded by now are skipped. `cost_cap` is what the batch's calls
    may cost together. With `fallback_at` (wall milliseconds) it is an overnight batch until then.
    """

    submission_ids: Sequence[int] = ()
    payloads: Sequence[Mapping[str, Any]] = ()
    grader: str = DEFAULT_GRADER
    pool: str = DEFAULT_GRADER
    kind: str = GRADING
    owner: str = DEFAULT_OWNER
    rubric_id: int | None = None
    interactive: bool = False
    priority: int = 5
    deadline: int | None = None
    run_at: int | None = None
    max_attempts: int = MAX_ATTEMPTS
    idempotency_key: str | None = None
    again: bool = True
    cost_cap: float | None = None
    fallback_at: int | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A submission that was not touched, and why: one of the stable words of `code`."""

    submission_id: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class QueuedAlready:
    """So many accepted papers were in the queue before, with a batch that `owner` ordered."""

    batch_id: int
    owner: str
    papers: int


@dataclass(frozen=True, slots=True)
class Submitted:
    """The answer to a SubmitOrder. `job_ids` has one id per accepted submission or payload, in
    order: of a new job, or of the open job that was there before (see `already`). `created` counts
    the new ones. `batch_id` is None where nothing new was queued: there is no batch then.
    """

    batch_id: int | None
    job_ids: tuple[int, ...]
    created: int
    skipped: tuple[Skipped, ...] = ()
    already: tuple[QueuedAlready, ...] = ()

    @property
    def id(self) -> int:
        """The batch to look at: the order's own, or else the one that most of its papers were
        queued with before. Raises ConflictError where none of them is in the queue.
        """
        if self.batch_id is not None:
            return self.batch_id
        if not self.already:
            raise ConflictError(
                f"nothing was queued, so there is no batch: {len(self.skipped)} of the papers "
                "cannot be graded, and there are no others"
            )
        return max(self.already, key=lambda one: one.papers).batch_id

    @property
    def queued_already(self) -> int:
        """How many of the papers were in the queue before."""
        return sum(one.papers for one in self.already)

    @property
    def queued(self) -> int:
        """How many jobs are this order's own, also where it was given again under its key."""
        return len(set(self.job_ids)) - self.queued_already
