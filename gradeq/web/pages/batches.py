"""The pages at /batches: what is running and what ran, and what people do to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from starlette.responses import Response

from gradeq.errors import NotFoundError
from gradeq.model import JobState
from gradeq.store.overview import Place
from gradeq.store.rows import BatchRow
from gradeq.web import api_batches, why
from gradeq.web.bodies import By, Pause
from gradeq.web.pages import spread
from gradeq.web.paths import id_in
from gradeq.web.people import Person
from gradeq.web.progress import Progress, progress_of
from gradeq.web.site import Site
from gradeq.web.visit import Visit

_BATCHES = 20
_PAPERS = 50
MOST_NAMED = 3
_SOMEONE = "someone"
_NOW = "now"
_Change = Callable[[Site, int, str], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Run:
    """A batch with what people want to know of it, and what they may do to it."""

    row: BatchRow
    places: Sequence[Place]
    progress: Progress

    @property
    def named(self) -> Sequence[Place]:
        """The assignments that its title names."""
        return self.places[:MOST_NAMED]

    @property
    def is_open(self) -> bool:
        return self.row.finished_at is None

    @property
    def is_paused(self) -> bool:
        return self.is_open and self.row.paused_at is not None

    @property
    def open_jobs(self) -> int:
        return self.row.pending + self.row.processing

    @property
    def can_retry(self) -> bool:
        return self.row.failed > 0


async def show_all(visit: Visit) -> Response:
    """The batches that the person may see, newest first."""
    after = await visit.site.store.last_event()
    before = id_in(visit.query("before")) or None
    rows = await visit.site.store.batches(
        owner=_only_of(visit.person), before=before, limit=_BATCHES + 1
    )
    page = rows[:_BATCHES]
    places = await visit.site.store.overview.places([row.id for row in page])
    return visit.show(
        "batches.html",
        after=after,
        before=before,
        runs=[_run(visit, row, places.get(row.id, ())) for row in page],
        next=page[-1].id if len(rows) > len(page) else None,
        sees_all=_only_of(visit.person) is None,
    )


async def show(visit: Visit) -> Response:
    """One batch: how it stands, its numbers, its papers."""
    after = await visit.site.store.last_event()
    row = await _row(visit)
    overview = visit.site.store.overview
    state, first = _state(visit.query("state")), id_in(visit.query("after"))
    papers = await overview.papers(row.id, state, after=first, limit=_PAPERS + 1)
    places = await overview.places([row.id])
    # A refresh of the moving parts does not add up all papers again.
    is_whole = visit.query("part") != _NOW
    return visit.show(
        "batch.html",
        after=after,
        run=_run(visit, row, places.get(row.id, ())),
        papers=papers[:_PAPERS],
        why_of=partial(why.of_job, visit.words),
        next=papers[_PAPERS - 1].job_id if len(papers) > _PAPERS else None,
        state=state,
        states=list(JobState),
        first=first or None,
        times=await spread.times(visit, row.id) if is_whole else None,
        scores=await spread.scores(visit, row.id) if is_whole else None,
    )


def _run(visit: Visit, row: BatchRow, places: Sequence[Place]) -> Run:
    return Run(row, places, progress_of(visit.site, row, visit.words))


async def pause(visit: Visit) -> Response:
    return await _change(visit, _pause, "paused")


async def resume(visit: Visit) -> Response:
    return await _change(visit, _resume, "resumed")


async def cancel(visit: Visit) -> Response:
    return await _change(visit, _cancel, "cancelled")


async def retry(visit: Visit) -> Response:
    return await _change(visit, _retry, "retried")


async def _pause(site: Site, batch_id: int, by: str) -> object:
    return await api_batches.pause(site, batch_id, Pause(by=by))


async def _resume(site: Site, batch_id: int, by: str) -> object:
    return await api_batches.resume(site, batch_id, By(by=by))


async def _cancel(site: Site, batch_id: int, by: str) -> object:
    return await api_batches.cancel(site, batch_id, By(by=by))


async def _retry(site: Site, batch_id: int, by: str) -> object:
    return await api_batches.retry(site, batch_id, By(by=by))


async def _change(visit: Visit, change: _Change, what: str) -> Response:
    """Do it, and go back to the page that asked."""
    row = await _row(visit)
    form = await visit.form()
    await change(visit.site, row.id, await visit.name() or _SOMEONE)
    told = visit.words.text(f"batches.told.{what}", id=str(row.id))
    if form.get("back") == "list":
        return visit.go("batches", before=id_in(str(form.get("before", ""))) or "", told=told)
    return visit.go("batches", row.id, told=told)


async def _row(visit: Visit) -> BatchRow:
    """The batch of the path. One that the person may not see does not exist for that person."""
    batch_id = id_in(visit.part("batch"))
    row = await visit.site.store.batch(batch_id) if batch_id else None
    only = _only_of(visit.person)
    if row is None or only not in (None, row.owner):
        raise NotFoundError(f"there is no batch {visit.part('batch')}")
    return row


def _only_of(person: Person) -> str | None:
    """Whose batches the person sees; None: everybody's."""
    sees_all = person.is_admin or (not person.name and person.courses is None)
    return None if sees_all else person.name


def _state(told: str) -> JobState | None:
    return JobState(told) if told in set(JobState) else None
