"""What gradeq asks of a store.

Every method is one transaction. A method returns after the commit, so what it answers is on disk
(only claims and lease renewals, which promise nothing to anybody, may be lost to a power cut).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from gradeq.model import Grade, JobState, NewSubmission, Submission, SubmissionStatus
from gradeq.store.claims import Attempt, Claimed, PaidAnswer, Recovery, Settlement
from gradeq.store.costs import CapReached, DayRow, Need, Reserved
from gradeq.store.orders import Added, Skipped, SubmitOrder, Submitted
from gradeq.store.rows import (
    AttemptRow,
    Backlog,
    Badges,
    BatchRow,
    Event,
    GradeRow,
    JobRow,
    Judged,
    PaperOrder,
    QueuePosition,
    ReleaseRow,
    ResultRow,
    RubricRow,
    RubricVersion,
    Seen,
    Totals,
)

if TYPE_CHECKING:
    from gradeq.store.overnight import ProviderBatches
    from gradeq.store.overview import Overview
    from gradeq.store.people import People


class Work(Protocol):
    """The queue's half: from submit to settle."""

    async def submit(self, order: SubmitOrder) -> Submitted: ...

    async def claim(
        self, pool: str, limit: int, lease_seconds: float, *, but: Sequence[int] = ()
    ) -> list[Claimed]:
        """Take up to `limit` due jobs of `pool` in the queue's order, none of the batches `but`."""
        ...

    async def renew(self, leases: Sequence[tuple[int, str]], lease_seconds: float) -> list[int]:
        """Prolong the leases of jobs still held; the ids that are not held any more."""
        ...

    async def reserve_cost(
        self, needs: Sequence[Need], day_cap: float | None = None
    ) -> list[Reserved | CapReached | None]:
        """Keep money back for calls that are about to be made: all that fit, in order.

        Fits what leaves cost, uncertain cost and reservations within the cap of the job's batch,
        and within `day_cap` for today. None where the lease is gone: that call must not be made.
        The reservation ends when the claim's answer is stored or its outcome settled. An outcome
        without an attempt leaves it as uncertain cost.
        """
        ...

    async def store_answer(self, claimed: Claimed, attempt: Attempt, answer: PaidAnswer) -> int:
        """Keep a paid answer before it is read; its attempt's id. A late one becomes salvage."""
        ...

    async def unapplied_answer(self, submission_id: int, request_key: str) -> PaidAnswer | None:
        """A stored answer to the same paper, rubric and model that has not made a grade yet."""
        ...

    async def settle(self, settlements: Sequence[Settlement]) -> list[bool]:
        """Write outcomes; False for each whose lease was gone (nothing of it was applied)."""
        ...

    async def expire(self) -> Recovery:
        """Return jobs whose lease has run out."""
        ...

    async def next_due(self) -> int | None:
        """Wall time at which the next waiting job is due, or None."""
        ...

    async def move_pool(self, grader: str, pool: str) -> None:
        """Send the open work of `grader` through `pool` from now on."""
        ...


class Control(Protocol):
    """What people do to work and papers."""

    async def add_submissions(self, papers: Sequence[NewSubmission]) -> list[Added]: ...

    async def archive(self, submission_ids: Sequence[int]) -> list[Skipped]:
        """Put submissions away; their open jobs are cancelled in the same transaction."""
        ...

    async def unarchive(self, submission_ids: Sequence[int]) -> list[Skipped]: ...

    async def release(self, submission_ids: Sequence[int], by: str) -> list[Skipped]:
        """Graded papers become released, in the name of the person `by`.

        Their open jobs are cancelled: what students see changes only by a person.
        """
        ...

    async def take_back(self, submission_ids: Sequence[int], by: str) -> list[Skipped]:
        """Released papers are graded again, where `by` released them within TAKE_BACK_SECONDS."""
        ...

    async def edit_grade(
        self, submission_id: int, grade: Grade, by: str, seen: Seen | None = None
    ) -> GradeRow:
        """A person's grade: a new version, current until a person changes it again.

        Raises ChangedError where text or grade are not those that were `seen`.
        """
        ...

    async def review(self, submission_id: int, by: str, seen: Seen) -> None:
        """The current grade is right, says the person `by`. The first review stands.

        Raises ChangedError where text or grade are not those that were `seen`.
        """
        ...

    async def pause(self, batch_id: int, by: str, reason: str | None = None) -> None: ...

    async def resume(self, batch_id: int) -> None: ...

    async def set_cost_cap(self, batch_id: int, cap: float | None) -> None:
        """What the batch's calls may cost together from now on; None: no cap."""
        ...

    async def cancel(self, *, batch_id: int | None = None, job_ids: Sequence[int] = ()) -> int:
        """Cancel open jobs; how many. Answers on their way are kept as salvage."""
        ...

    async def retry(self, *, batch_id: int | None = None, job_ids: Sequence[int] = ()) -> int:
        """Failed and cancelled jobs become pending with fresh counters; how many."""
        ...

    async def save_rubric(self, name: str, sha256: str, source: str) -> int:
        """The id of this rubric; new content becomes the name's next version."""
        ...

    async def assign_rubric(self, course: str, assignment: str, rubric_id: int) -> None: ...

    async def replace_rubric(
        self, course: str, assignment: str, rubric_id: int, seen: int | None
    ) -> bool:
        """Assign it where the rubric is still `seen`; False, and nothing done, where it is not."""
        ...

    async def save_pool(
        self, pool: str, state: Mapping[str, Any], reading: Mapping[str, Any] | None = None
    ) -> None:
        """Keep a limiter's state for the next process, and its reading for as long as this one."""
        ...

    async def unpark(self, pool: str) -> bool:
        """End the parking in a stored state; False where there is none."""
        ...

    async def resume_stuck(self, pool: str) -> list[int]:
        """Resume the open batches of `pool` that gradeq itself paused; their ids."""
        ...


class Reading(Protocol):
    """Short reads that never hold up a writer."""

    async def badges(self, course: str, assignment: str) -> Badges | None: ...

    async def assignments(self) -> list[tuple[str, str, Badges]]: ...

    async def assignments_of(
        self, submission_ids: Sequence[int]
    ) -> list[tuple[str, str, int | None]]:
        """Course, assignment and rubric of these papers, each once; unknown ids are left out."""
        ...

    async def courses_of(self, submission_ids: Sequence[int]) -> dict[int, str]:
        """The course of each of these papers; unknown ids are left out."""
        ...

    async def courses_of_batch(self, batch_id: int) -> list[str]:
        """The courses that a batch's papers belong to; none where it has no papers."""
        ...

    async def submission(self, submission_id: int) -> Submission | None: ...

    async def submissions(
        self,
        course: str,
        assignment: str,
        status: SubmissionStatus | None = None,
        *,
        archived: bool = False,
        after: int = 0,
        limit: int = 100,
    ) -> list[Submission]: ...

    async def tab(
        self,
        course: str,
        assignment: str,
        status: SubmissionStatus | None,
        *,
        find: str = "",
        order: PaperOrder = PaperOrder.TIME,
    ) -> list[int]:
        """Ids of all papers of a tab, in that order; status None: of the archived ones.

        `find` chooses those in whose student's name or own id it occurs, in any case.
        """
        ...

    async def find_submissions(
        self, external_ids: Sequence[str], course: str | None, assignment: str | None
    ) -> dict[str, list[int]]: ...

    async def gradable(self, course: str, assignment: str) -> list[int]:
        """Ids of an assignment's submitted, unarchived papers, oldest first."""
        ...

    async def walk(
        self,
        course: str,
        assignment: str,
        status: SubmissionStatus,
        *,
        doubtful_first: bool = True,
    ) -> list[int]:
        """Ids of an assignment's unarchived papers in the order in which people look at them:
        those with a flag to look at first, then by student.
        """
        ...

    async def reviewed(self, course: str, assignment: str) -> list[int]:
        """Ids of the graded papers whose grade a person made or found right."""
        ...

    async def releases(self, submission_id: int) -> list[ReleaseRow]:
        """Oldest first."""
        ...

    async def released_together(self, submission_id: int) -> list[int]:
        """A released paper's id, and those of its assignment that the same act released."""
        ...

    async def grades(self, submission_id: int) -> list[GradeRow]:
        """All versions, newest first."""
        ...

    async def judged(self, rubric_id: int, limit: int = 200) -> list[Judged]:
        """Papers of the assignments with this rubric that a person graded, accepted or released.

        By their ids; never what a machine says alone.
        """
        ...

    async def rubric(self, rubric_id: int) -> RubricRow | None: ...

    async def assignment_rubric(self, course: str, assignment: str) -> int | None: ...

    async def rubric_versions(self, course: str, assignment: str) -> list[RubricVersion]:
        """All that the assignment was ever given, the newest first."""
        ...

    async def job(self, job_id: int) -> JobRow | None: ...

    async def position(self, job_id: int) -> QueuePosition | None: ...

    async def jobs(
        self,
        *,
        batch_id: int,
        state: JobState | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> list[JobRow]: ...

    async def attempts(self, job_id: int) -> list[AttemptRow]: ...

    async def attempts_at(self, submission_id: int) -> list[AttemptRow]:
        """The tries of all jobs of this submission, oldest first."""
        ...

    async def backlog(self) -> list[Backlog]: ...

    async def totals(self) -> Totals: ...

    async def day(self, day: str) -> DayRow:
        """A local day's spending; `day` as `2026-03-29`."""
        ...

    async def batch(self, batch_id: int) -> BatchRow | None: ...

    async def batches(
        self,
        *,
        owner: str | None = None,
        courses: Collection[str] | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[BatchRow]:
        """The newest first: of an owner, of batches whose papers all belong to these courses."""
        ...

    async def open_batches_of(self, course: str, assignment: str) -> list[BatchRow]:
        """Unfinished batches, oldest first. A batch belongs where its first paper does."""
        ...

    async def results(self, submission_ids: Sequence[int]) -> list[ResultRow]: ...

    async def events(self, after: int, limit: int = 500) -> list[Event]: ...

    async def last_event(self) -> int: ...

    async def pools(self) -> dict[str, Mapping[str, Any]]:
        """The limiters' states, by pool."""
        ...

    async def readings(self) -> dict[str, Mapping[str, Any]]:
        """What the limiters of the process that writes the database read last, by pool."""
        ...

    async def secret(self) -> bytes:
        """32 random bytes of this database, for pseudonyms."""
        ...


class Upkeep(Protocol):
    async def backup(self, path: str) -> None: ...

    async def check(self) -> list[str]:
        """What is wrong: integrity, counters unlike a recount; empty when all is well."""
        ...

    async def prune_events(self, keep: int) -> int:
        """Delete all but the newest `keep` events (at least one stays)."""
        ...

    async def checkpoint(self) -> None: ...


class Store(Work, Control, Reading, Upkeep, Protocol):
    """Everything; opened and closed by the engine."""

    @property
    def provider_batches(self) -> ProviderBatches:
        """Work that goes through a provider's batch API."""
        ...

    @property
    def overview(self) -> Overview:
        """Reads for people who look at work."""
        ...

    async def open(self) -> Recovery: ...

    async def close(self) -> None: ...

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call `listener`, on the event loop, after each commit."""
        ...

    @property
    def people(self) -> People:
        """Who works here, and what lets them in."""
        ...

    def announce(self, url: str | None, key: str | None = None) -> None:
        """Let other processes know where this one listens, and by which key it lets them in.

        Only whoever runs this process can read the key.
        """
        ...
