"""What people do to papers of an assignment, and to what is being graded of them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Container, Sequence

from starlette.datastructures import FormData
from starlette.responses import Response

from gradeq.errors import NotFoundError
from gradeq.model import SubmissionStatus
from gradeq.store.orders import Skipped
from gradeq.web.pages.listing import Place, Shown, selection
from gradeq.web.pages.undo import take_back_with
from gradeq.web.problems import Problem
from gradeq.web.rights import sees_batch
from gradeq.web.visit import Visit

log = logging.getLogger("gradeq")
_Change = Callable[[Sequence[int]], Awaitable[list[Skipped]]]


async def release(visit: Visit) -> Response:
    """Graded papers become released, in the name of whoever asks."""
    by = await visit.name()
    if not by:
        raise Problem(422, "name_needed", visit.words.text("assignment.name_needed"))
    place = Place.of(visit)
    graded = await visit.site.store.tab(place.course, place.assignment, SubmissionStatus.GRADED)

    async def released(ids: Sequence[int]) -> list[Skipped]:
        return await visit.site.engine.release(ids, by)

    return await _changed(visit, "released", released, undoable=frozenset(graded))


async def take_back(visit: Visit) -> Response:
    """Undo a release of the last minute, with all that went out in the same act."""
    place, form = Place.of(visit), await visit.form()
    told = str(form.get("paper", ""))
    paper_id = int(told) if told.isdecimal() and len(told) < 19 else 0
    await place.check_ours(visit.site, [paper_id])
    ids, refused = await take_back_with(visit, paper_id)
    said = visit.words.text("undo.too_late" if refused else "undo.taken_back", n=len(ids))
    shown = Shown.told(visit.request.query_params)
    return visit.go(*place.parts, **shown.query(), told=said)


async def archive(visit: Visit) -> Response:
    """Put papers away."""
    return await _changed(visit, "archived", visit.site.engine.archive)


async def unarchive(visit: Visit) -> Response:
    """Take papers back."""
    return await _changed(visit, "unarchived", visit.site.engine.unarchive)


async def _changed(
    visit: Visit, what: str, change: _Change, undoable: Container[int] = ()
) -> Response:
    place, form = Place.of(visit), await visit.form()
    ids = await selection(visit, place, form)
    if not ids:
        return _back(visit, place, form, "nothing_chosen")
    skipped = await change(ids)
    log.info("%d papers of %s/%s %s", len(ids) - len(skipped), *place.parts[1::2], what)
    told = visit.words.text(f"assignment.{what}", n=len(ids) - len(skipped))
    if skipped:
        told += " " + visit.words.text("assignment.not_changed", n=len(skipped))
    left = {one.submission_id for one in skipped}
    undo = next((one for one in ids if one in undoable and one not in left), None)
    return visit.go(*place.parts, **_seen(form), told=told, undo=undo)


async def retry(visit: Visit) -> Response:
    """A paper that was not graded is tried again. Raises NotFoundError."""
    place, form = Place.of(visit), await visit.form()
    job = await _job_of(visit, place, str(form.get("job", "")))
    retried = await visit.site.engine.retry(job_ids=[job])
    return _back(visit, place, form, "retried" if retried else "not_retried")


async def _job_of(visit: Visit, place: Place, told: str) -> int:
    row = await visit.site.store.job(int(told)) if told.isdecimal() and len(told) < 19 else None
    if row is None or row.submission_id is None:
        raise NotFoundError(f"there is no job {told!r}; nothing was done")
    await place.check_ours(visit.site, [row.submission_id])
    return row.id


async def pause(visit: Visit) -> Response:
    """Start no more of a batch."""
    by = await visit.name() or visit.words.text("assignment.somebody")
    return await _steered(visit, "paused", lambda batch_id: visit.site.engine.pause(batch_id, by))


async def resume(visit: Visit) -> Response:
    """Go on with a paused batch."""
    return await _steered(visit, "resumed", visit.site.engine.resume)


async def cancel(visit: Visit) -> Response:
    """Take what is left of a batch out of the queue."""
    return await _steered(visit, "cancelled", visit.site.engine.cancel)


async def _steered(visit: Visit, what: str, steer: Callable[[int], Awaitable[object]]) -> Response:
    """Do it with the batch in the address, and go back to the list; also where nothing was done."""
    place, batch_id = Place.of(visit), int(visit.request.path_params["batch_id"])
    why_not = await _why_not(visit, place, batch_id)
    if why_not is None:
        await steer(batch_id)
    return _back(visit, place, await visit.form(), why_not or f"batch_{what}")


async def _why_not(visit: Visit, place: Place, batch_id: int) -> str | None:
    """Only an open batch of the assignment may be steered here, with no papers of others."""
    batches = await visit.site.store.open_batches_of(place.course, place.assignment)
    if batch_id not in {one.id for one in batches}:
        return "batch_over"
    is_ours = await sees_batch(visit.site, visit.person, batch_id)
    return None if is_ours else "batch_of_others"


def _back(visit: Visit, place: Place, form: FormData, told: str) -> Response:
    return visit.go(*place.parts, **_seen(form), told=visit.words.text(f"assignment.{told}"))


def _seen(form: FormData) -> dict[str, object]:
    """The list as it was."""
    return dict(Shown.told(form).query())
