"""What happens, as it happens: results of a batch and events, read from the store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from gradeq.bell import Bell
from gradeq.clock import Clock
from gradeq.errors import ConflictError, NotFoundError, StoreError
from gradeq.model import JobState
from gradeq.results import Result, of_job, of_submission
from gradeq.store.base import Store
from gradeq.store.rows import Event, JobRow

_PAGE = 500
_GATHERING_SECONDS = 0.02
"""After a ring, so that a busy engine is read in pages and not commit by commit."""
_ENDS = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)
_ENDED = frozenset(f"job.{state}" for state in _ENDS)


@dataclass(frozen=True, slots=True)
class _Ended:
    job_id: int
    submission_id: int | None


@dataclass(frozen=True, slots=True)
class Streams:
    """Reads whenever `bell` rings; `is_open` tells whether there is anything left to wait for."""

    store: Store
    bell: Bell
    clock: Clock
    is_open: Callable[[], bool]

    async def results(self, batch_id: int) -> AsyncIterator[Result]:
        """Each job's result once: those that have ended, then each as it ends."""
        try:
            async for result in self._as_they_end(batch_id):
                yield result
        except StoreError:
            if self.is_open():
                raise
            raise _stopped(batch_id) from None

    async def events(self, after: int | None) -> AsyncIterator[Event]:
        """From event `after` on (None: from now on), until the engine stops."""
        try:
            async for event in self._as_they_happen(after):
                yield event
        except StoreError:
            if self.is_open():
                raise

    async def _as_they_end(self, batch_id: int) -> AsyncIterator[Result]:
        told: set[int] = set()
        seen = await self.store.last_event()
        async for result in self._not_told(batch_id, told):
            yield result
        while True:
            rings = self.bell.rings
            if await self._is_over(batch_id):
                break
            page = await self.store.events(seen, limit=_PAGE)
            for result in await self._results(_ended_in(page, batch_id, told)):
                yield result
            if page:
                seen = page[-1].seq
            else:
                await self._wait(rings)
        async for result in self._not_told(batch_id, told):
            yield result

    async def _as_they_happen(self, after: int | None) -> AsyncIterator[Event]:
        seen = await self.store.last_event() if after is None else after
        while self.is_open():
            rings = self.bell.rings
            page = await self.store.events(seen, limit=_PAGE)
            for event in page:
                seen = event.seq
                yield event
            if not page:
                await self._wait(rings)

    async def _is_over(self, batch_id: int) -> bool:
        if not self.is_open():
            raise _stopped(batch_id)
        batch = await self.store.batch(batch_id)
        if batch is None:
            raise NotFoundError(f"there is no batch {batch_id}")
        return batch.finished_at is not None

    async def _wait(self, rings: int) -> None:
        await self.bell.wait(rings)
        await self.clock.sleep(_GATHERING_SECONDS)

    async def _not_told(self, batch_id: int, told: set[int]) -> AsyncIterator[Result]:
        """By the jobs themselves: events may have been pruned before they were read."""
        for state in _ENDS:
            after = 0
            while page := await self._jobs(batch_id, state, after):
                after = page[-1].id
                new = [_Ended(job.id, job.submission_id) for job in page if job.id not in told]
                told.update(one.job_id for one in new)
                for result in await self._results(new):
                    yield result

    async def _jobs(self, batch_id: int, state: JobState, after: int) -> list[JobRow]:
        return await self.store.jobs(batch_id=batch_id, state=state, after=after, limit=_PAGE)

    async def _results(self, ended: Sequence[_Ended]) -> list[Result]:
        papers = [one.submission_id for one in ended if one.submission_id is not None]
        rows = await self.store.results(papers) if papers else []
        graded = {row.submission.id: of_submission(row) for row in rows}
        return [
            graded[one.submission_id]
            if one.submission_id is not None
            else await self._of_job(one.job_id)
            for one in ended
        ]

    async def _of_job(self, job_id: int) -> Result:
        job = await self.store.job(job_id)
        if job is None:
            raise NotFoundError(f"there is no job {job_id}")
        return of_job(job)


def _stopped(batch_id: int) -> ConflictError:
    return ConflictError(
        f"the engine is not open any more; batch {batch_id} goes on when it is opened again"
    )


def _ended_in(page: Sequence[Event], batch_id: int, told: set[int]) -> list[_Ended]:
    """The jobs of this batch that ended within `page`, each once; `told` grows by them."""
    new = []
    for event in page:
        job_id = event.job_id
        is_end = event.batch_id == batch_id and event.kind in _ENDED
        if is_end and job_id is not None and job_id not in told:
            told.add(job_id)
            new.append(_Ended(job_id, event.submission_id))
    return new
