"""The page of an assignment: its papers by tab, and what is being graded of them."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from functools import partial

from starlette.responses import Response

from gradeq.model import BatchMode, Flag, JobState, SubmissionStatus
from gradeq.store.rows import BatchRow, JobRow, ResultRow
from gradeq.web.pages.listing import ARCHIVED, ROWS, TABS, Place, Shown
from gradeq.web.pages.undo import Undo, undo_of
from gradeq.web.progress import progress_of
from gradeq.web.site import Site
from gradeq.web.visit import Visit
from gradeq.web.why import of_paper

_GIVEN_UP = frozenset({JobState.FAILED, JobState.CANCELLED})
_EXPLAINED = frozenset({"stayed", "waiting"})


@dataclass(frozen=True, slots=True)
class Line:
    """A paper in the list. `state` is a word of the section assignment.status."""

    row: ResultRow
    state: str

    @property
    def id(self) -> int:
        return self.row.submission.id

    @property
    def name(self) -> str:
        """The student's, or the paper's own id where no student is known."""
        return self.row.submission.student or self.row.submission.external_id

    @property
    def must_look(self) -> bool:
        """Something about the grade asks for a person's eye."""
        return bool(self._flags - {Flag.SIMULATED, Flag.PROVISIONAL})

    @property
    def is_simulated(self) -> bool:
        return Flag.SIMULATED in self._flags

    @property
    def is_provisional(self) -> bool:
        return Flag.PROVISIONAL in self._flags

    @property
    def _flags(self) -> frozenset[str]:
        return frozenset(self.row.grade.grade.flags if self.row.grade else ())

    @property
    def is_explained(self) -> bool:
        """There is something to tell about why it does not move."""
        return self.state in _EXPLAINED or self.row.pause_reason is not None


async def show(visit: Visit) -> Response:
    """One page of one tab. Raises NotFoundError."""
    site, place = visit.site, Place.of(visit)
    after = await site.store.last_event()
    badges = await site.engine.badges(place.course, place.assignment)
    shown = Shown.told(visit.request.query_params)
    ids = await shown.ids(site, place)
    pages = max(1, -(-len(ids) // ROWS))
    page = min(shown.page, pages)
    batches = await site.store.open_batches_of(place.course, place.assignment)
    return visit.show(
        "assignment.html",
        after=after,
        place=place,
        here=partial(visit.url, *place.parts),
        badges=badges,
        shown=shown,
        tabs=[tab.value for tab in TABS],
        archived=ARCHIVED,
        total=len(ids),
        page=page,
        pages=pages,
        lines=await _lines(site, ids[(page - 1) * ROWS : page * ROWS], batches),
        why_of=partial(of_paper, visit.words),
        running=[progress_of(site, one, visit.words) for one in batches],
        undo=await _undo(visit, place),
    )


async def _undo(visit: Visit, place: Place) -> Undo | None:
    undo = await undo_of(visit)
    return undo if undo and place.has(undo.paper) else None


async def _lines(site: Site, ids: list[int], batches: list[BatchRow]) -> list[Line]:
    paused = {one.id for one in batches if one.paused_at is not None}
    now = site.engine.clock.now_ms()
    return [Line(row, _state(row, paused, now)) for row in await site.store.results(ids)]


def _state(row: ResultRow, paused: Container[int], now: int) -> str:
    paper, job = row.submission, row.job
    if paper.archived_at is not None:
        return "archived"
    if paper.status is not SubmissionStatus.SUBMITTED:
        is_again = paper.status is SubmissionStatus.GRADED and _is_open(job)
        return "again" if is_again else paper.status.value
    if job is None or job.state is JobState.COMPLETED:
        return "resting"
    if job.state in _GIVEN_UP:
        return "stayed"
    return _progress(row, job, paused, now)


def _is_open(job: JobRow | None) -> bool:
    return job is not None and job.state in (JobState.PENDING, JobState.PROCESSING)


def _progress(row: ResultRow, job: JobRow, paused: Container[int], now: int) -> str:
    if job.batch_id in paused:
        return "paused"
    if row.mode is BatchMode.OVERNIGHT:
        return "overnight"
    if job.state is JobState.PROCESSING:
        return "processing"
    return "waiting" if job.run_at > now else "queued"
