"""What a store must answer, in plain Python: the other half of the state machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from gradeq.model import JobState, SubmissionStatus
from gradeq.outcome import MAX_INTERRUPTIONS, Counter
from gradeq.store.claims import Claimed, Settlement

OPEN = (JobState.PENDING, JobState.PROCESSING)
GRADABLE = (SubmissionStatus.SUBMITTED, SubmissionStatus.GRADED)


@dataclass(slots=True)
class PaperModel:
    """`grade` is the score of the current grade: scores are unique here."""

    id: int
    external_id: str
    status: SubmissionStatus
    archived: bool = False
    grade: float | None = None
    by_person: bool = False
    released_by: str | None = None
    answers: dict[int, str] = field(default_factory=dict)

    @property
    def gradable(self) -> bool:
        return self.status in GRADABLE and not self.archived

    @property
    def replaceable(self) -> bool:
        return not (self.archived or self.by_person or self.released_by)

    @property
    def has_unapplied_answer(self) -> bool:
        return any(use in ("stored", "salvage") for use in self.answers.values())


@dataclass(slots=True)
class JobModel:
    id: int
    batch_id: int
    paper: PaperModel
    grader: str
    max_attempts: int
    run_at: int
    state: JobState = JobState.PENDING
    attempts: int = 0
    interruptions: int = 0
    lease: str | None = None
    lease_until: int = 0

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    def become(self, state: JobState) -> None:
        self.state, self.lease = state, None

    def interrupt(self, now: int) -> None:
        self.interruptions += 1
        self.run_at = now
        worn_out = self.interruptions >= MAX_INTERRUPTIONS
        self.become(JobState.FAILED if worn_out else JobState.PENDING)


@dataclass(slots=True)
class Model:
    papers: dict[int, PaperModel] = field(default_factory=dict)
    jobs: dict[int, JobModel] = field(default_factory=dict)

    def open_job(self, paper: PaperModel, grader: str) -> JobModel | None:
        found = [job for job in self.jobs_of(paper) if job.is_open and job.grader == grader]
        assert len(found) <= 1
        return found[0] if found else None

    def jobs_of(self, paper: PaperModel) -> Iterator[JobModel]:
        return (job for job in self.jobs.values() if job.paper is paper)

    def claimable(self, now: int, paused: Iterable[int]) -> list[JobModel]:
        return [
            job
            for job in self.jobs.values()
            if job.state is JobState.PENDING and job.run_at <= now and job.batch_id not in paused
        ]

    def held(self) -> list[JobModel]:
        return [job for job in self.jobs.values() if job.lease is not None]

    def holds(self, job_id: int, lease: str) -> bool:
        return self.jobs[job_id].lease == lease

    def cancel(self, jobs: Iterable[JobModel]) -> int:
        cancelled = [job for job in jobs if job.is_open]
        for job in cancelled:
            job.become(JobState.CANCELLED)
        return len(cancelled)

    def take(self, claimed: Claimed, until: int) -> None:
        job = self.jobs[claimed.job.id]
        assert job.state is JobState.PENDING
        job.state, job.lease, job.lease_until = JobState.PROCESSING, claimed.lease, until

    def answer(self, claimed: Claimed, attempt_id: int) -> None:
        use = "stored" if self.holds(claimed.job.id, claimed.lease) else "salvage"
        self.jobs[claimed.job.id].paper.answers[attempt_id] = use

    def settle(self, one: Settlement, now: int) -> bool:
        job = self.jobs[one.job_id]
        is_held = self.holds(one.job_id, one.lease)
        self._use_answer(job.paper, one, is_held)
        if not is_held:
            return False
        job.become(one.state)
        if one.counter is Counter.ATTEMPT:
            job.attempts = min(job.max_attempts, job.attempts + 1)
        if one.state is JobState.PENDING:
            job.run_at = now if one.run_at is None else one.run_at
        if one.grade is not None:
            self._grade(job.paper, one.grade.score)
        return True

    def _use_answer(self, paper: PaperModel, one: Settlement, is_held: bool) -> None:
        if one.attempt_id is None:
            return
        if is_held:
            is_applied = one.state is JobState.COMPLETED
            paper.answers[one.attempt_id] = "applied" if is_applied else "unusable"
        elif paper.answers[one.attempt_id] == "stored":
            paper.answers[one.attempt_id] = "salvage"

    def _grade(self, paper: PaperModel, score: float) -> None:
        paper.status = SubmissionStatus.GRADED
        if not paper.by_person:
            paper.grade = score

    def interrupt(self, jobs: Iterable[JobModel], now: int) -> int:
        """How many are pending again."""
        interrupted = list(jobs)
        for job in interrupted:
            job.interrupt(now)
        return sum(job.state is JobState.PENDING for job in interrupted)

    def retry(self, jobs: Iterable[JobModel], now: int) -> int:
        count = 0
        for job in sorted(jobs, key=lambda one: one.id):
            if job.paper.gradable and self.open_job(job.paper, job.grader) is None:
                self.jobs[job.id] = replace(
                    job, state=JobState.PENDING, attempts=0, interruptions=0, run_at=now
                )
                count += 1
        return count

    def replace_text(self, paper: PaperModel) -> None:
        self.cancel(self.jobs_of(paper))
        paper.status, paper.grade = SubmissionStatus.SUBMITTED, None
