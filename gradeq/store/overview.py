"""What gradeq asks of a store for people who look at work: batches in numbers, what goes wrong.

Every answer is a page of rows, or sums that the database has made: never a whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gradeq.model import JobState


@dataclass(frozen=True, slots=True)
class Place:
    """An assignment that papers of a batch belong to."""

    course: str
    assignment: str


class Obstacle(StrEnum):
    """Why a paper will not be graded. UNREAD: only its text tells whether it is blank."""

    QUEUED = "queued"
    GRADED = "graded"
    PERSON = "person"
    RELEASED = "released"
    IN_PROGRESS = "in_progress"
    ARCHIVED = "archived"
    UNREAD = "unread"
    BLANK = "blank"
    TOO_LONG = "too_long"


@dataclass(frozen=True, slots=True)
class PaperRow:
    """A job of a batch with its paper; None and "" where it has none. Times in wall milliseconds.

    `due_at` is when a job that waits is to be tried again.
    """

    job_id: int
    submission_id: int | None
    external_id: str
    student: str
    state: JobState
    tries: int
    error: str | None
    reason: str | None
    due_at: int | None
    finished_at: int | None


@dataclass(frozen=True, slots=True)
class Times:
    """How long completed jobs were in hand, in milliseconds, by nearest rank.

    `counts` has one number for each stretch of `width`, from 0 on; the last one counts all that
    took longer, too.
    """

    jobs: int
    median: int
    ninetieth: int
    longest: int
    width: int
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """The grades that a batch made, as shares of their most points.

    `counts` has one number for each stretch from 0 to 1; `mean` is None without a grade.
    """

    mean: float | None
    counts: tuple[int, ...]

    @property
    def grades(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class InHand:
    """A job that this machine works on, since `claimed_at`."""

    job_id: int
    batch_id: int
    grader: str
    submission_id: int | None
    external_id: str
    course: str
    assignment: str
    claimed_at: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Jobs that failed alike and that no later job of their paper has made up for.

    `reason` is the newest one's, which failed at `last_at`.
    """

    grader: str
    error: str
    jobs: int
    batches: int
    reason: str
    last_at: int


@dataclass(frozen=True, slots=True)
class Resting:
    """An open, unpaused batch with jobs that could start, in which nothing has moved since."""

    batch_id: int
    grader: str
    pool: str
    ready: int
    since: int


class Overview(Protocol):
    """Reads for people. A batch that does not exist has nothing of anything."""

    async def places(self, batch_ids: Sequence[int]) -> dict[int, list[Place]]:
        """By course and assignment. Batches without papers are left out."""
        ...

    async def obstacles(
        self, submission_ids: Sequence[int], *, again: bool, longest: int | None = None
    ) -> dict[Obstacle | None, list[int]]:
        """These papers by what keeps them from being graded; None: nothing does.

        Without `again`, graded papers are kept; `longest` is in characters. Unknown ids are left
        out. No text is read, so that none is found BLANK, and some are UNREAD.
        """
        ...

    async def names(self, submission_ids: Sequence[int]) -> list[str]:
        """Of each paper its student's, or its own id where no student is known; in this order."""
        ...

    async def papers(
        self, batch_id: int, state: JobState | None = None, *, after: int = 0, limit: int = 50
    ) -> list[PaperRow]:
        """By job id."""
        ...

    async def times(self, batch_id: int, stretches: int) -> Times | None:
        """None while no job has completed."""
        ...

    async def scores(self, batch_id: int, stretches: int) -> Scores: ...

    async def in_hand(self, limit: int) -> list[InHand]:
        """Longest in hand first; without those that a provider's batch API has."""
        ...

    async def failures(self, batches: int) -> list[Failure]:
        """Of the newest so many batches in which something failed, most jobs first."""
        ...

    async def failed_jobs(self, grader: str, error: str, batches: int) -> list[int]:
        """The jobs that one Failure counts."""
        ...

    async def resting(self, since: int) -> list[Resting]:
        """Batches with ready jobs that have not moved since `since`, wall milliseconds."""
        ...
