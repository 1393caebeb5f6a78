"""Everything a store can be asked, in any order, with crashes in between.

Each answer is compared with the model's; after each step everything is recounted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gradeq.clock import ManualClock
from gradeq.errors import ConflictError
from gradeq.model import Grade, JobState, SubmissionStatus
from gradeq.outcome import Counter, ErrorClass
from gradeq.store.base import Store
from gradeq.store.claims import Claimed, Recovery, Settlement
from gradeq.store.rows import GradeRow

from .helpers import KEY, LEASE, POOL, answer, attempt, current, paper, sound, submit
from .model import JobModel, Model, PaperModel

T = TypeVar("T")
GRADERS = st.sampled_from(["llm", "spelling"])
PICK = st.integers(0, 999)
PICKS = st.lists(PICK, min_size=1, max_size=4)
WHY = {"error": ErrorClass.SERVER_ERROR, "reason": "500"}
RETURNS = [Counter.ATTEMPT, Counter.SNOOZE, Counter.OVERLOAD, Counter.ANSWER, Counter.NONE]

has_papers = precondition(lambda self: self.model.papers)
has_jobs = precondition(lambda self: self.model.jobs)
has_claims = precondition(lambda self: self.claims)


class StoreMachine(RuleBasedStateMachine):
    """A subclass says how its store is made and how its process is killed."""

    def make(self, clock: ManualClock) -> Store:
        raise NotImplementedError

    def kill(self, store: Store) -> None:
        raise NotImplementedError

    @initialize()
    def open(self) -> None:
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.model = Model()
        self.claims: list[tuple[Claimed, int | None]] = []
        self.settled: dict[int, GradeRow] = {}
        self.marks = 0
        self.steps = 0
        self.opened: list[Store] = []
        self.reopen()
        self.add(3, drafts=False)

    def reopen(self) -> Recovery:
        self.store = self.make(self.clock)
        self.opened.append(self.store)
        return self.run(self.store.open())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @property
    def now(self) -> int:
        return self.clock.now_ms()

    def mark(self) -> int:
        """A number that was never used before."""
        self.marks += 1
        return self.marks

    def paper(self, pick: int) -> PaperModel:
        return list(self.model.papers.values())[pick % len(self.model.papers)]

    def job(self, pick: int) -> JobModel:
        return list(self.model.jobs.values())[pick % len(self.model.jobs)]

    # Work ---------------------------------------------------------------------------------------

    @rule(count=st.integers(1, 3), drafts=st.booleans())
    def add(self, count: int, drafts: bool) -> None:
        status = SubmissionStatus.IN_PROGRESS if drafts else SubmissionStatus.SUBMITTED
        new = [paper(f"paper-{self.mark()}", status=status) for _ in range(count)]
        for one in self.run(self.store.add_submissions(new)):
            assert one.change == "created"
            self.model.papers[one.id] = PaperModel(one.id, one.external_id, status)

    @has_papers
    @rule(pick=PICK)
    def replace(self, pick: int) -> None:
        known = self.paper(pick)
        new = paper(known.external_id, f"text {self.mark()}")
        [added] = self.run(self.store.add_submissions([new]))
        assert added.id == known.id
        assert (added.change == "replaced") == known.replaceable
        if known.replaceable:
            self.model.replace_text(known)

    @has_papers
    @rule(
        picks=PICKS,
        grader=GRADERS,
        owner=st.sampled_from(["ms-lee", "mr-day"]),
        priority=st.sampled_from([1, 5]),
        interactive=st.booleans(),
        delay=st.sampled_from([0, 30]),
        max_attempts=st.integers(1, 3),
    )
    def submit(self, picks: list[int], grader: str, delay: int, **order: Any) -> None:
        wanted = [self.paper(pick) for pick in picks]
        accepted = [one for one in wanted if one.gradable]
        known = {one.id: self.model.open_job(one, grader) for one in accepted}
        run_at = self.now + 1000 * delay
        order |= {"grader": grader, "run_at": run_at}
        submitted = self.run(submit(self.store, [one.id for one in wanted], **order))
        assert submitted.created == sum(job is None for job in known.values())
        assert len(submitted.skipped) == len(wanted) - len(accepted)
        for one, job_id in zip(accepted, submitted.job_ids, strict=True):
            found = known[one.id]
            if found is not None:
                assert job_id == found.id
                continue
            self.model.jobs.setdefault(
                job_id,
                JobModel(job_id, submitted.id, one, grader, order["max_attempts"], run_at),
            )
            assert self.model.jobs[job_id].paper is one

    @rule(
        limit=st.integers(1, 4),
        end=st.sampled_from([None, None, JobState.COMPLETED, JobState.FAILED]),
    )
    def claim(self, limit: int, end: JobState | None) -> None:
        batches = self.run(self.store.batches())
        paused = {one.id for one in batches if one.paused_at is not None}
        due = self.model.claimable(self.now, paused)
        claimed = self.run(self.store.claim(POOL, limit, LEASE))
        assert len(claimed) == min(limit, len(due))
        for one in claimed:
            assert one.job.id in {job.id for job in due}
            job = self.model.jobs[one.job.id]
            assert one.has_unapplied_answer == job.paper.has_unapplied_answer
            assert one.counters.attempts == job.attempts < one.job.attempt
            self.model.take(one, self.now + round(LEASE * 1000))
            self.claims.append((one, None))
        if end is not None:
            self._settle([(one, None) for one in claimed], end)

    @has_claims
    @rule(picks=PICKS)
    def renew(self, picks: list[int]) -> None:
        chosen = [self.claims[pick % len(self.claims)][0] for pick in picks]
        leases = [(one.job.id, one.lease) for one in chosen]
        lost = self.run(self.store.renew(leases, LEASE))
        assert lost == [job_id for job_id, lease in leases if not self.model.holds(job_id, lease)]
        for job_id, lease in leases:
            if self.model.holds(job_id, lease):
                self.model.jobs[job_id].lease_until = self.now + round(LEASE * 1000)

    @has_claims
    @rule(pick=PICK)
    def store_answer(self, pick: int) -> None:
        place = pick % len(self.claims)
        claimed, _ = self.claims[place]
        paid = answer(f"answer {self.mark()}")
        attempt_id = self.run(self.store.store_answer(claimed, attempt(request_key=KEY), paid))
        self.model.answer(claimed, attempt_id)
        self.claims[place] = (claimed, attempt_id)

    @has_claims
    @rule(
        picks=PICKS,
        end=st.sampled_from([JobState.COMPLETED, JobState.FAILED, JobState.PENDING]),
        counter=st.sampled_from(RETURNS),
        delay=st.sampled_from([None, 0, 30]),
        stuck=st.booleans(),
    )
    def settle(self, picks: list[int], end: JobState, **how: Any) -> None:
        self._settle([self.claims[pick % len(self.claims)] for pick in picks], end, **how)

    def _settle(self, chosen: list[tuple[Claimed, int | None]], end: JobState, **how: Any) -> None:
        outcomes = [self.outcome(*one, end, **how) for one in chosen]
        before = self.now
        applied = self.run(self.store.settle(outcomes))
        assert applied == [self.model.settle(one, before) for one in outcomes]
        for one, is_applied in zip(outcomes, applied, strict=True):
            if is_applied and one.grade is not None:
                self.remember(one)

    def outcome(
        self,
        claimed: Claimed,
        attempt_id: int | None,
        end: JobState,
        counter: Counter = Counter.NONE,
        delay: int | None = None,
        stuck: bool = False,
    ) -> Settlement:
        common = {"job_id": claimed.job.id, "lease": claimed.lease, "state": end}
        common["attempt_id"] = attempt_id
        if attempt_id is None:
            tried = None if end is JobState.COMPLETED else ErrorClass.SERVER_ERROR
            common["attempt"] = attempt(tried)
        if end is JobState.COMPLETED:
            return Settlement(**common, grade=Grade(self.mark(), 1e6))
        if end is JobState.PENDING:
            common["run_at"] = None if delay is None else self.now + 1000 * delay
            common["stuck_on"] = ErrorClass.BAD_KEY if stuck else None
        return Settlement(**common, counter=counter, **WHY)

    def remember(self, one: Settlement) -> None:
        paper_id = self.model.jobs[one.job_id].paper.id
        rows = self.run(self.store.grades(paper_id))
        [row] = [row for row in rows if row.grade.score == one.grade.score]
        self.settled[row.id] = row

    @rule(seconds=st.sampled_from([1, 30, 61]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def expire(self) -> None:
        lost = [job for job in self.model.held() if job.lease_until <= self.now]
        found = self.run(self.store.expire())
        assert found.returned == self.model.interrupt(lost, self.now)
        assert found.returned + found.failed == len(lost)

    @rule(politely=st.booleans())
    def crash(self, politely: bool) -> None:
        """The process ends without settling anything; the next one takes over."""
        if politely:
            self.run(self.store.close())
        else:
            self.kill(self.store)
        held = self.model.held()
        found = self.reopen()
        assert found.returned == self.model.interrupt(held, self.now)
        assert found.returned + found.failed == len(held)

    # People -------------------------------------------------------------------------------------

    @has_papers
    @rule(picks=PICKS)
    def archive(self, picks: list[int]) -> None:
        chosen = [self.paper(pick) for pick in picks]
        assert self.run(self.store.archive([one.id for one in chosen])) == []
        for one in chosen:
            if not one.archived:
                one.archived = True
                self.model.cancel(self.model.jobs_of(one))

    @has_papers
    @rule(picks=PICKS)
    def unarchive(self, picks: list[int]) -> None:
        chosen = [self.paper(pick) for pick in picks]
        assert self.run(self.store.unarchive([one.id for one in chosen])) == []
        for one in chosen:
            one.archived = False

    @has_papers
    @rule(picks=PICKS, by=st.sampled_from(["Ms Lee", "Mr Day"]))
    def release(self, picks: list[int], by: str) -> None:
        chosen = {one.id: one for one in (self.paper(pick) for pick in picks)}
        skipped = {one.submission_id for one in self.run(self.store.release(list(chosen), by))}
        for one in chosen.values():
            is_graded = one.status is SubmissionStatus.GRADED and not one.archived
            was_released = one.released_by is not None and not one.archived
            assert (one.id in skipped) == (not is_graded and not was_released)
            if is_graded:
                one.status, one.released_by = SubmissionStatus.RELEASED, by
                self.model.cancel(self.model.jobs_of(one))

    @has_papers
    @rule(pick=PICK)
    def edit(self, pick: int) -> None:
        one, score = self.paper(pick), float(self.mark())
        try:
            row = self.run(self.store.edit_grade(one.id, Grade(score, 1e6), "Ms Lee"))
        except ConflictError:
            assert one.status not in (SubmissionStatus.SUBMITTED, SubmissionStatus.GRADED)
            return
        one.status, one.grade, one.by_person = SubmissionStatus.GRADED, score, True
        self.settled[row.id] = row

    @has_jobs
    @rule(pick=PICK, whole_batch=st.booleans())
    def cancel(self, pick: int, whole_batch: bool) -> None:
        job = self.job(pick)
        if whole_batch:
            count = self.run(self.store.cancel(batch_id=job.batch_id))
            jobs = [one for one in self.model.jobs.values() if one.batch_id == job.batch_id]
        else:
            count = self.run(self.store.cancel(job_ids=[job.id]))
            jobs = [job]
        assert count == self.model.cancel(jobs)

    @has_jobs
    @rule(picks=PICKS, whole_batch=st.booleans())
    def retry(self, picks: list[int], whole_batch: bool) -> None:
        named = {job.id: job for job in (self.job(pick) for pick in picks)}
        if whole_batch:
            batch_id = self.job(picks[0]).batch_id
            count = self.run(self.store.retry(batch_id=batch_id))
            every = [one for one in self.model.jobs.values() if one.batch_id == batch_id]
            jobs = [one for one in every if one.state is JobState.FAILED]
        else:
            count = self.run(self.store.retry(job_ids=list(named)))
            over = (JobState.FAILED, JobState.CANCELLED)
            jobs = [one for one in named.values() if one.state in over]
        assert count == self.model.retry(jobs, self.now)

    @has_jobs
    @rule(pick=PICK)
    def pause(self, pick: int) -> None:
        job = self.job(pick)
        batch_jobs = [one for one in self.model.jobs.values() if one.batch_id == job.batch_id]
        try:
            self.run(self.store.pause(job.batch_id, "Ms Lee"))
        except ConflictError:
            assert not any(one.is_open for one in batch_jobs)

    @has_jobs
    @rule(pick=PICK)
    def resume(self, pick: int) -> None:
        self.run(self.store.resume(self.job(pick).batch_id))

    # What always holds --------------------------------------------------------------------------

    @invariant()
    def everything_accepted_is_where_it_must_be(self) -> None:
        """Now and then: every step's own answer is compared anyway."""
        self.steps = getattr(self, "steps", 0) + 1
        if self.steps % 8 == 0:
            self.run(self._compare())

    async def _compare(self) -> None:
        await sound(self.store)
        for job in self.model.jobs.values():
            found = await self.store.job(job.id)
            assert found is not None
            assert (found.state, found.attempts) == (job.state, job.attempts)
            assert found.interruptions == job.interruptions
            assert found.attempts <= job.max_attempts
        for one in self.model.papers.values():
            await self._compare_paper(one)

    async def _compare_paper(self, one: PaperModel) -> None:
        found = await self.store.submission(one.id)
        assert found is not None
        assert (found.status, found.archived_at is not None) == (one.status, one.archived)
        assert found.released_by == one.released_by
        assert (found.released_at is None) == (found.released_by is None)
        grade = await current(self.store, one.id)
        assert (None if grade is None else grade.score) == one.grade
        unapplied = await self.store.unapplied_answer(one.id, KEY)
        assert (unapplied is not None) == one.has_unapplied_answer
        for row in await self.store.grades(one.id):
            kept = self.settled[row.id]
            assert (row.version, row.source, row.grade) == (kept.version, kept.source, kept.grade)

    def teardown(self) -> None:
        if not hasattr(self, "runner"):
            return
        try:
            self.run(self._compare())
        finally:
            for store in self.opened:
                self.run(store.close())
            self.runner.close()
