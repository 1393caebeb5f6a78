"""What gradeq asks of a store, and the values that go in and out.

Every method is one transaction. A method returns after the commit, so what it answers is on disk
(only claims and lease renewals, which promise nothing to anybody, may be lost to a power cut).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from gradeq import money
from gradeq.limiter.base import Usage
from gradeq.model import (
    DEFAULT_GRADER,
    DEFAULT_OWNER,
    GRADING,
    BatchMode,
    BatchStatus,
    Grade,
    GradeSource,
    Job,
    JobState,
    NewSubmission,
    Submission,
    SubmissionStatus,
)
from gradeq.outcome import MAX_ATTEMPTS, Counter, ErrorClass

if TYPE_CHECKING:
    from gradeq.store.overnight import ProviderBatches
    from gradeq.store.overview import Overview
    from gradeq.store.people import People


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
    `run_at` are wall milliseconds. The same `idempotency_key` of one owner answers the first batch.
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
class Submitted:
    """The answer to a SubmitOrder. `job_ids` has one id per accepted submission or payload, in
    order: of a new job, or of the open job that was there before. `created` counts the new ones.
    """

    batch_id: int
    job_ids: tuple[int, ...]
    created: int
    skipped: tuple[Skipped, ...] = ()

    @property
    def id(self) -> int:
        """The batch's id."""
        return self.batch_id


@dataclass(frozen=True, slots=True)
class Backlog:
    """A pool's open jobs by what they wait for; `paused` are pending in paused batches.

    `overnight` counts those of the other three that wait for a provider's batch API.
    """

    pool: str
    ready: int = 0
    waiting: int = 0
    processing: int = 0
    paused: int = 0
    overnight: int = 0

    @property
    def moving(self) -> int:
        """What would be done without a person."""
        return self.ready + self.waiting + self.processing

    @property
    def is_idle(self) -> bool:
        """Nothing would ever move without a person."""
        return self.moving == 0


@dataclass(frozen=True, slots=True)
class Counters:
    """How often a job was tried, by reason.

    `overloaded_since`: when the first overload of the present row of them was, or None.
    """

    attempts: int = 0
    snoozes: int = 0
    interruptions: int = 0
    unusable: int = 0
    overloaded_since: int | None = None
    max_attempts: int = MAX_ATTEMPTS


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job in hand. `lease` is the random token that every write of its outcome must carry.

    `is_capped`: its batch has a cost cap, so that money must be reserved before a call.
    """

    job: Job
    lease: str
    counters: Counters
    has_unapplied_answer: bool = False
    is_capped: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try, for the record. `error` is None where an answer came; `cost` in configured money.

    `uncertain_cost` is the most that it may have cost, where nobody can tell if it was charged;
    `lease` is the claim's, where its answer may still come.
    """

    started_at: int
    finished_at: int
    error: ErrorClass | None = None
    reason: str | None = None
    model: str | None = None
    request_id: str | None = None
    http_status: int | None = None
    usage: Usage = field(default_factory=Usage)
    cost: float = 0.0
    request_key: str | None = None
    uncertain_cost: float = 0.0
    lease: str | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """The most that the next call for a job in hand can cost: above 0, in configured money."""

    job_id: int
    lease: str
    amount: float


@dataclass(frozen=True, slots=True)
class Reserved:
    """The money is kept back. `at`, wall milliseconds, is when the call counts as begun: that
    instant's local date is the day that it costs.
    """

    amount: float
    at: int


DAY_CAP = "the day's cost cap"
"""What the reason of a day's cap begins with."""


@dataclass(frozen=True, slots=True)
class CapReached:
    """A call that would not fit under a cap; nothing was reserved.

    `batch_id` is None where the cap is the day's. `in_hand` is reserved for calls on their way,
    which may free some of it: while `waits`, there are any. Without any the batch is paused by now.
    """

    cap: float
    spent: float
    uncertain: float
    in_hand: float
    needed: float
    waits: bool
    batch_id: int | None = None

    @property
    def reason(self) -> str:
        """For people: what is reached, by how much, and what to do."""
        which = DAY_CAP if self.batch_id is None else "cost cap"
        return (
            f"{which} of {money.told(self.cap)} reached: {money.told(self.spent)} spent"
            f"{self._unsure()}, {money.told(self.in_hand)} in hand, the next call could cost up to "
            f"{money.told(self.needed)}; {self._what_to_do()}"
        )

    def _unsure(self) -> str:
        if not self.uncertain:
            return ""
        return f", {money.told(self.uncertain)} uncertain (calls that ended without an answer)"

    def _what_to_do(self) -> str:
        if self.batch_id is None:
            return "it goes on at midnight, or with a higher cost_cap_per_day"
        return (
            f"raise it (gradeq batch cap {self.batch_id} AMOUNT), then resume "
            f"(gradeq batch resume {self.batch_id})"
        )


@dataclass(frozen=True, slots=True)
class DayRow:
    """What the calls that began on one local day have cost, may have cost and may still cost."""

    day: str
    cost: float = 0.0
    uncertain_cost: float = 0.0
    reserved_cost: float = 0.0


@dataclass(frozen=True, slots=True)
class PaidAnswer:
    """What was sent and what came back. `attempt_id` is known once it is stored."""

    request_key: str
    prefix: str
    sent: str
    text: str
    stop: str
    raw: str
    model: str
    usage: Usage = field(default_factory=Usage)
    attempt_id: int | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a claimed job goes on: completed, failed, or pending again (a retry, snooze or return).

    `attempt` is a try that is not on record yet; `attempt_id` one whose answer was stored before.
    `stuck_on` names a cause that no retry can mend: enough of them in a row pause the batch.
    """

    job_id: int
    lease: str
    state: JobState
    grade: Grade | None = None
    result: Any = None
    counter: Counter = Counter.NONE
    run_at: int | None = None
    error: ErrorClass | None = None
    reason: str | None = None
    attempt: Attempt | None = None
    attempt_id: int | None = None
    request_key: str | None = None
    stuck_on: ErrorClass | None = None


@dataclass(frozen=True, slots=True)
class Recovery:
    """What an opening store found and mended: jobs an older process left in hand."""

    returned: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Badges:
    in_progress: int = 0
    submitted: int = 0
    graded: int = 0
    released: int = 0
    grading: int = 0


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as people see it."""

    id: int
    batch_id: int
    grader: str
    submission_id: int | None
    external_id: str | None
    state: JobState
    attempts: int
    snoozes: int
    interruptions: int
    unusable: int
    run_at: int
    error: str | None
    reason: str | None
    result: Any
    created_at: int
    claimed_at: int | None
    finished_at: int | None
    updated_at: int


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch as people see it; `pending` counts ready and waiting jobs.

    `uncertain_cost` is what calls that ended without an answer may have cost, `reserved_cost` what
    is kept back for calls on their way; both count against `cost_cap`.
    `posted` counts the jobs that the provider's batch API has now, `answered` how many of these
    it says it has done. An overnight batch is live from `fallback_at` on.
    """

    id: int
    kind: str
    grader: str
    pool: str
    owner: str
    rubric_id: int | None
    interactive: bool
    priority: int
    deadline: int | None
    status: BatchStatus
    created_at: int
    started_at: int | None
    paused_at: int | None
    paused_by: str | None
    pause_reason: str | None
    cancelled_at: int | None
    finished_at: int | None
    total: int
    pending: int
    processing: int
    completed: int
    failed: int
    cancelled: int
    requests: int
    rate_limited: int
    input_tokens: int
    output_tokens: int
    cost: float
    uncertain_cost: float
    reserved_cost: float
    cost_cap: float | None
    is_short: bool
    """Its next call waits for money that calls in hand may free."""
    mode: BatchMode
    fallback_at: int | None
    posted: int
    answered: int


@dataclass(frozen=True, slots=True)
class GradeRow:
    """One version of a submission's grade; at most one of them is `current`."""

    id: int
    submission_id: int
    version: int
    paper_version: int
    current: bool
    source: GradeSource
    grader: str | None
    job_id: int | None
    rubric_id: int | None
    request_key: str | None
    edited_by: str | None
    reviewed_at: int | None
    reviewed_by: str | None
    created_at: int
    grade: Grade

    @property
    def is_reviewed(self) -> bool:
        """A person made it, or found it right."""
        return self.source is GradeSource.PERSON or self.reviewed_by is not None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a person had before them: versions of the text and of the current grade (0: none)."""

    paper_version: int
    grade_version: int


TAKE_BACK_SECONDS = 60
"""For so long whoever released a paper may take the release back."""


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release, also one that was taken back. Times are wall milliseconds."""

    released_at: int
    released_by: str
    taken_back_at: int | None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    id: int
    job_id: int
    error: str | None
    reason: str | None
    answer_use: str
    model: str | None
    request_id: str | None
    http_status: int | None
    input_tokens: int
    output_tokens: int
    cost: float
    uncertain_cost: float
    started_at: int
    finished_at: int


@dataclass(frozen=True, slots=True)
class RubricRow:
    id: int
    name: str
    version: int
    sha256: str
    source: str
    created_at: int


@dataclass(frozen=True, slots=True)
class RubricVersion:
    """A rubric that an assignment was given: its `number`-th, from 1.

    `assigned_at` is when that was last. `graded` counts the jobs that it graded here, again and
    again where papers were; `open_batches` are those that still work with it.
    """

    rubric: RubricRow
    number: int
    assigned_at: int
    is_assigned: bool
    graded: int
    open_batches: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, in the order of the commits. `seq` never repeats."""

    seq: int
    at: int
    kind: str
    course: str | None = None
    assignment: str | None = None
    batch_id: int | None = None
    job_id: int | None = None
    submission_id: int | None = None
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all batches there ever were."""

    batches: int = 0
    jobs: int = 0
    pending: int = 0
    processing: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    requests: int = 0
    rate_limited: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    uncertain_cost: float = 0.0
    reserved_cost: float = 0.0


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One submission with its current grade and its last job: what is exported."""

    submission: Submission
    grade: GradeRow | None
    job: JobRow | None
    attempts: int
    input_tokens: int
    output_tokens: int
    cost: float
    pause_reason: str | None
    mode: BatchMode = BatchMode.LIVE


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """Where a pending job stands: the ready jobs to be claimed before it, its batch's pause."""

    ahead: int
    run_at: int
    waiting: bool
    paused_by: str | None
    pause_reason: str | None
    pool: str


class PaperOrder(StrEnum):
    """By what a tab's papers are ordered; those alike by their ids."""

    TIME = "time"
    STUDENT = "student"
    SCORE = "score"


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
