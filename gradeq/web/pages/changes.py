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
    return visit.go(*place.parts, **shown.query(page=1), told=said)


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
    """Start no more of a batch. Raises NotFoundError, ConflictError."""
    by = await visit.name()
    somebody = visit.words.text("assignment.somebody")
    await visit.site.engine.pause(await _batch_of(visit), by or somebody)
    return await _steered(visit, "paused")


async def resume(visit: Visit) -> Response:
    """Go on with a paused batch. Raises NotFoundError."""
    await visit.site.engine.resume(await _batch_of(visit))
    return await _steered(visit, "resumed")


async def cancel(visit: Visit) -> Response:
    """Take what is left of a batch out of the queue. Raises NotFoundError."""
    await visit.site.engine.cancel(await _batch_of(visit))
    return await _steered(visit, "cancelled")


async def _batch_of(visit: Visit) -> int:
    """The batch in the address: an open one of the assignment there, with no papers of others."""
    place, batch_id = Place.of(visit), int(visit.request.path_params["batch_id"])
    batches = await visit.site.store.open_batches_of(place.course, place.assignment)
    if batch_id not in {one.id for one in batches}:
        raise NotFoundError(visit.words.text("assignment.batch_over"))
    if not await sees_batch(visit.site, visit.person, batch_id):
        raise NotFoundError(visit.words.text("assignment.batch_of_others"))
    return batch_id


async def _steered(visit: Visit, what: str) -> Response:
    return _back(visit, Place.of(visit), await visit.form(), f"batch_{what}")


def _back(visit: Visit, place: Place, form: FormData, told: str) -> Response:
    return visit.go(*place.parts, **_seen(form), told=visit.words.text(f"assignment.{told}"))


def _seen(form: FormData) -> dict[str, object]:
    """The list as it was, from its first page on."""
    return dict(Shown.told(form).query(page=1))
