"""The embedded store: one SQLite file, one writer, read-only readers."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from gradeq.clock import Clock, SystemClock
from gradeq.errors import ConflictError, StoreError
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
from gradeq.store.sql import load_queries
from gradeq.store.sqlite import (
    control,
    grades,
    money,
    outcomes,
    papers,
    queue,
    reads,
    rows,
    upkeep,
)
from gradeq.store.sqlite.connect import Hopper, open_writer
from gradeq.store.sqlite.faults import store_error
from gradeq.store.sqlite.lock import ProcessLock
from gradeq.store.sqlite.overnight import SqliteProviderBatches
from gradeq.store.sqlite.overview import SqliteOverview
from gradeq.store.sqlite.people import SqlitePeople
from gradeq.store.sqlite.readers import Readers
from gradeq.store.sqlite.tx import Tx, as_json, ids_json
from gradeq.store.sqlite.writer import Writer

T = TypeVar("T")
PAUSE_AFTER = 5


class SqliteStore:
    """A Store in one file. `read_only` takes no lock and may stand beside a running daemon.

    `pause_after`: how many failures in a row with one cause that no retry can mend pause a batch.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        clock: Clock | None = None,
        read_only: bool = False,
        pause_after: int = PAUSE_AFTER,
    ) -> None:
        self.path = Path(path)
        self._clock = clock or SystemClock()
        self._read_only = read_only
        self._pause_after = pause_after
        self._queries = load_queries()
        self._lock = ProcessLock(self.path)
        self._readers = Readers(self.path, self._queries, self._clock)
        self._listeners: list[Callable[[], None]] = []
        self._hopper: Hopper | None = None
        self._writer: Writer | None = None
        self.provider_batches = SqliteProviderBatches(self._write, self._read)
        self.people = SqlitePeople(self._write, self._read)
        self.overview = SqliteOverview(self._read)

    # Life ---------------------------------------------------------------------------------------

    async def open(self) -> Recovery:
        """Take the lock, bring the schema up to date, return what an older process left in hand.

        Raises StoreLockedError, SchemaTooNewError or StoreError; then nothing was changed.
        """
        if self._read_only:
            self._readers.open()
            await self.last_event()
            return Recovery()
        self._refuse_unusable_path()
        self._lock.acquire()
        try:
            self._readers.open()
            self._hopper = await open_writer(self.path)
            self._writer = Writer(
                self._hopper,
                self._queries,
                self._clock,
                self.path,
                readers=self._readers,
                committed=self._tell_listeners,
            )
            return await self._write(outcomes.return_left_behind)
        except sqlite3.Error as error:
            await self.close()
            raise store_error(error, self.path) from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        if self._writer is not None:
            await self._writer.close()
        await self._readers.close()
        if self._hopper is not None:
            await self._hopper.close()
        self._writer = self._hopper = None
        self._lock.release()

    def subscribe(self, listener: Callable[[], None]) -> None:
        """Call `listener`, on the event loop, after each commit."""
        self._listeners.append(listener)

    def announce(self, url: str | None, key: str | None = None) -> None:
        """Tell other processes, through the lock file, where this one listens."""
        self._lock.announce(url, key)

    def _refuse_unusable_path(self) -> None:
        if str(self.path) == ":memory:":
            raise StoreError(":memory: would keep nothing; gradeq needs the path of a file")
        folder = self.path.parent
        if not folder.is_dir():
            raise StoreError(f"{self.path}: the folder {folder} does not exist; create it first")

    async def _write(self, work: Callable[[Tx], T], *, durable: bool = True) -> T:
        if self._writer is None:
            raise StoreError(f"{self.path}: the store is not open for writing")
        return await self._writer.run(work, durable=durable)

    def _tell_listeners(self) -> None:
        loop = asyncio.get_running_loop()
        for listener in self._listeners:
            loop.call_soon(listener)

    async def _read(self, work: Callable[[Tx], T]) -> T:
        return await self._readers.run(work)

    async def _read_ids(self, query: str, **values: Any) -> list[int]:
        return await self._read(lambda tx: tx.ids(query, **values))

    # Work ---------------------------------------------------------------------------------------

    async def submit(self, order: SubmitOrder) -> Submitted:
        return await self._write(partial(queue.submit, order=order))

    async def claim(
        self, pool: str, limit: int, lease_seconds: float, *, but: Sequence[int] = ()
    ) -> list[Claimed]:
        lease_ms = round(lease_seconds * 1000)
        return await self._write(
            lambda tx: queue.claim(tx, pool, limit, lease_ms, but), durable=False
        )

    async def renew(self, leases: Sequence[tuple[int, str]], lease_seconds: float) -> list[int]:
        lease_ms = round(lease_seconds * 1000)
        return await self._write(
            partial(queue.renew, leases=leases, lease_ms=lease_ms), durable=False
        )

    async def reserve_cost(
        self, needs: Sequence[Need], day_cap: float | None = None
    ) -> list[Reserved | CapReached | None]:
        return await self._write(partial(money.reserve, needs=needs, day_cap=day_cap))

    async def store_answer(self, claimed: Claimed, attempt: Attempt, answer: PaidAnswer) -> int:
        return await self._write(
            partial(outcomes.store_answer, claimed=claimed, attempt=attempt, answer=answer)
        )

    async def unapplied_answer(self, submission_id: int, request_key: str) -> PaidAnswer | None:
        return await self._read(
            lambda tx: reads.first(
                tx,
                "answer_unapplied",
                rows.to_paid_answer,
                submission_id=submission_id,
                request_key=request_key,
            )
        )

    async def settle(self, settlements: Sequence[Settlement]) -> list[bool]:
        return await self._write(
            partial(outcomes.settle, settlements=settlements, pause_after=self._pause_after)
        )

    async def expire(self) -> Recovery:
        return await self._write(outcomes.return_expired)

    async def next_due(self) -> int | None:
        due: int | None = await self._read(lambda tx: tx.value("jobs_next_due"))
        return due

    async def move_pool(self, grader: str, pool: str) -> None:
        await self._write(lambda tx: tx.run("batches_move_pool", grader=grader, pool=pool).rowcount)

    # Control ------------------------------------------------------------------------------------

    async def add_submissions(self, papers_: Sequence[NewSubmission]) -> list[Added]:
        return await self._write(partial(papers.add, papers=papers_))

    async def archive(self, submission_ids: Sequence[int]) -> list[Skipped]:
        return await self._write(partial(papers.archive, ids=submission_ids))

    async def unarchive(self, submission_ids: Sequence[int]) -> list[Skipped]:
        return await self._write(partial(papers.unarchive, ids=submission_ids))

    async def release(self, submission_ids: Sequence[int], by: str) -> list[Skipped]:
        _require_name(by, "a release")
        return await self._write(partial(papers.release, ids=submission_ids, by=by))

    async def take_back(self, submission_ids: Sequence[int], by: str) -> list[Skipped]:
        _require_name(by, "taking back a release")
        return await self._write(partial(papers.take_back, ids=submission_ids, by=by))

    async def edit_grade(
        self, submission_id: int, grade: Grade, by: str, seen: Seen | None = None
    ) -> GradeRow:
        _require_name(by, "an edited grade")
        return await self._write(
            partial(grades.edit, submission_id=submission_id, grade=grade, by=by, seen=seen)
        )

    async def review(self, submission_id: int, by: str, seen: Seen) -> None:
        _require_name(by, "a review")
        await self._write(partial(grades.review, submission_id=submission_id, by=by, seen=seen))

    async def pause(self, batch_id: int, by: str, reason: str | None = None) -> None:
        await self._write(partial(control.pause, batch_id=batch_id, by=by, reason=reason))

    async def resume(self, batch_id: int) -> None:
        await self._write(partial(control.resume, batch_id=batch_id))

    async def set_cost_cap(self, batch_id: int, cap: float | None) -> None:
        await self._write(partial(money.set_cap, batch_id=batch_id, cap=cap))

    async def cancel(self, *, batch_id: int | None = None, job_ids: Sequence[int] = ()) -> int:
        return await self._write(partial(control.cancel, batch_id=batch_id, job_ids=job_ids))

    async def retry(self, *, batch_id: int | None = None, job_ids: Sequence[int] = ()) -> int:
        return await self._write(partial(control.retry, batch_id=batch_id, job_ids=job_ids))

    async def save_rubric(self, name: str, sha256: str, source: str) -> int:
        return await self._write(
            partial(control.save_rubric, name=name, sha256=sha256, source=source)
        )

    async def assign_rubric(self, course: str, assignment: str, rubric_id: int) -> None:
        await self._write(
            partial(
                control.assign_rubric, course=course, assignment=assignment, rubric_id=rubric_id
            )
        )

    async def replace_rubric(
        self, course: str, assignment: str, rubric_id: int, seen: int | None
    ) -> bool:
        replacing = partial(control.replace_rubric, rubric_id=rubric_id, seen=seen)
        return await self._write(partial(replacing, course=course, assignment=assignment))

    async def save_pool(
        self, pool: str, state: Mapping[str, Any], reading: Mapping[str, Any] | None = None
    ) -> None:
        saving = partial(control.save_pool, pool=pool, state=state, reading=reading)
        await self._write(saving, durable=False)

    async def unpark(self, pool: str) -> bool:
        return await self._write(partial(control.unpark, pool=pool))

    async def resume_stuck(self, pool: str) -> list[int]:
        resuming = partial(control.resume_stuck, pool=pool, pause_after=self._pause_after)
        return await self._write(resuming)

    # Reading ------------------------------------------------------------------------------------

    async def badges(self, course: str, assignment: str) -> Badges | None:
        return await self._read(
            lambda tx: reads.first(tx, "badges", rows.to_badges, course=course, name=assignment)
        )

    async def assignments(self) -> list[tuple[str, str, Badges]]:
        return await self._read(
            lambda tx: reads.every(
                tx,
                "assignments_all",
                lambda row: (row["course"], row["name"], rows.to_badges(row)),
            )
        )

    async def assignments_of(
        self, submission_ids: Sequence[int]
    ) -> list[tuple[str, str, int | None]]:
        ids = ids_json(submission_ids)
        return await self._read(
            lambda tx: [tuple(row) for row in tx.all("assignments_of", ids=ids)]
        )

    async def courses_of(self, submission_ids: Sequence[int]) -> dict[int, str]:
        ids = ids_json(submission_ids)
        return await self._read(lambda tx: tx.pairs("submission_courses", ids=ids))

    async def courses_of_batch(self, batch_id: int) -> list[str]:
        return await self._read(
            lambda tx: [row[0] for row in tx.all("batch_courses", batch_id=batch_id)]
        )

    async def submission(self, submission_id: int) -> Submission | None:
        return await self._read(
            lambda tx: reads.first(tx, "submission_get", rows.to_submission, id=submission_id)
        )

    async def submissions(
        self,
        course: str,
        assignment: str,
        status: SubmissionStatus | None = None,
        *,
        archived: bool = False,
        after: int = 0,
        limit: int = 100,
    ) -> list[Submission]:
        return await self._read(
            partial(
                reads.submissions,
                course=course,
                assignment=assignment,
                status=status,
                archived=archived,
                after=after,
                limit=limit,
            )
        )

    async def tab(
        self,
        course: str,
        assignment: str,
        status: SubmissionStatus | None,
        *,
        find: str = "",
        order: PaperOrder = PaperOrder.TIME,
    ) -> list[int]:
        return await self._read(
            partial(
                reads.tab,
                course=course,
                assignment=assignment,
                status=status,
                find=find,
                order=order,
            )
        )

    async def find_submissions(
        self, external_ids: Sequence[str], course: str | None, assignment: str | None
    ) -> dict[str, list[int]]:
        return await self._read(
            partial(
                reads.find_submissions,
                external_ids=external_ids,
                course=course,
                assignment=assignment,
            )
        )

    async def gradable(self, course: str, assignment: str) -> list[int]:
        return await self._read_ids(
            "submissions_ids", course=course, name=assignment, status=SubmissionStatus.SUBMITTED
        )

    async def walk(
        self,
        course: str,
        assignment: str,
        status: SubmissionStatus,
        *,
        doubtful_first: bool = True,
    ) -> list[int]:
        return await self._read(
            partial(
                reads.walk,
                course=course,
                assignment=assignment,
                status=status,
                doubtful_first=doubtful_first,
            )
        )

    async def reviewed(self, course: str, assignment: str) -> list[int]:
        return await self._read_ids("submissions_reviewed", course=course, name=assignment)

    async def releases(self, submission_id: int) -> list[ReleaseRow]:
        return await self._read(
            lambda tx: reads.every(tx, "releases_of", rows.to_release, submission_id=submission_id)
        )

    async def released_together(self, submission_id: int) -> list[int]:
        return await self._read_ids("released_together", id=submission_id)

    async def grades(self, submission_id: int) -> list[GradeRow]:
        return await self._read(
            lambda tx: reads.every(tx, "grades_of", rows.to_grade_row, submission_id=submission_id)
        )

    async def judged(self, rubric_id: int, limit: int = 200) -> list[Judged]:
        return await self._read(partial(grades.judged, rubric_id=rubric_id, limit=limit))

    async def rubric(self, rubric_id: int) -> RubricRow | None:
        return await self._read(
            lambda tx: reads.first(tx, "rubric_get", rows.to_rubric, id=rubric_id)
        )

    async def assignment_rubric(self, course: str, assignment: str) -> int | None:
        found: int | None = await self._read(
            lambda tx: tx.value("assignment_rubric", course=course, name=assignment)
        )
        return found

    async def rubric_versions(self, course: str, assignment: str) -> list[RubricVersion]:
        return await self._read(
            lambda tx: reads.every(
                tx, "assignment_rubrics", rows.to_rubric_version, course=course, name=assignment
            )
        )

    async def job(self, job_id: int) -> JobRow | None:
        return await self._read(lambda tx: reads.first(tx, "job_get", rows.to_job, id=job_id))

    async def position(self, job_id: int) -> QueuePosition | None:
        return await self._read(partial(queue.position, job_id=job_id))

    async def jobs(
        self, *, batch_id: int, state: JobState | None = None, after: int = 0, limit: int = 100
    ) -> list[JobRow]:
        return await self._read(
            partial(reads.jobs, batch_id=batch_id, state=state, after=after, limit=limit)
        )

    async def attempts(self, job_id: int) -> list[AttemptRow]:
        return await self._read(
            lambda tx: reads.every(tx, "attempts_of_job", rows.to_attempt, job_id=job_id)
        )

    async def attempts_at(self, submission_id: int) -> list[AttemptRow]:
        return await self._read(
            lambda tx: reads.every(
                tx, "attempts_at_submission", rows.to_attempt, submission_id=submission_id
            )
        )

    async def backlog(self) -> list[Backlog]:
        return await self._read(lambda tx: reads.every(tx, "backlog", rows.to_backlog))

    async def totals(self) -> Totals:
        return await self._read(lambda tx: Totals(**dict(tx.all("totals")[0])))

    async def day(self, day: str) -> DayRow:
        return await self._read(partial(money.day, day=day))

    async def batch(self, batch_id: int) -> BatchRow | None:
        return await self._read(lambda tx: reads.first(tx, "batch_get", rows.to_batch, id=batch_id))

    async def batches(
        self,
        *,
        owner: str | None = None,
        courses: Collection[str] | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[BatchRow]:
        newest = 2**63 - 1 if before is None else before
        where = {"owner": owner, "before": newest, "limit": limit}
        given = None if courses is None else as_json(sorted(courses))
        return await self._read(
            lambda tx: reads.every(tx, "batches_list", rows.to_batch, courses=given, **where)
        )

    async def open_batches_of(self, course: str, assignment: str) -> list[BatchRow]:
        return await self._read(
            lambda tx: reads.every(
                tx, "batches_open_of", rows.to_batch, course=course, name=assignment
            )
        )

    async def results(self, submission_ids: Sequence[int]) -> list[ResultRow]:
        return await self._read(partial(reads.results, ids=submission_ids))

    async def events(self, after: int, limit: int = 500) -> list[Event]:
        return await self._read(
            lambda tx: reads.every(tx, "events_after", rows.to_event, after=after, limit=limit)
        )

    async def last_event(self) -> int:
        last: int = await self._read(lambda tx: tx.value("events_last"))
        return last

    async def pools(self) -> dict[str, Mapping[str, Any]]:
        return await self._read(upkeep.pools)

    async def readings(self) -> dict[str, Mapping[str, Any]]:
        return await self._read(upkeep.readings)

    async def secret(self) -> bytes:
        return await self._write(upkeep.secret)

    # Upkeep -------------------------------------------------------------------------------------

    async def backup(self, path: str | Path) -> None:
        """A whole copy by VACUUM INTO; raises ConflictError where `path` exists."""
        target = Path(path)
        if target.exists():
            raise ConflictError(f"{target}: exists already; gradeq overwrites no backup")
        if not target.parent.is_dir():
            raise StoreError(
                f"{target}: the folder {target.parent} does not exist; create it first"
            )
        await self._readers.long(lambda conn: upkeep.vacuum_into(conn, target))

    async def check(self) -> list[str]:
        return await self._readers.long_read(reads.check)

    async def prune_events(self, keep: int) -> int:
        return await self._write(lambda tx: tx.run("events_prune", keep=max(1, keep)).rowcount)

    async def checkpoint(self) -> None:
        if self._writer is not None:
            await self._writer.empty_log()


def _require_name(by: str, what: str) -> None:
    if not by.strip():
        raise ConflictError(f"{what} needs the name of the person who does it; nothing was changed")
