"""What a person does with a paper on its page: grade, accept, release, take back, try again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.datastructures import FormData
from starlette.responses import Response

from gradeq.errors import ChangedError, GradeqError
from gradeq.model import JobState, Submission
from gradeq.store.orders import Skipped
from gradeq.store.rows import Seen
from gradeq.web.grade_edits import Start, blank
from gradeq.web.pages.refusal import refusal
from gradeq.web.pages.review import Opened, opened_at, render
from gradeq.web.pages.review_form import Typed, change_in, number_in
from gradeq.web.pages.undo import take_back_with
from gradeq.web.problems import Problem
from gradeq.web.visit import Visit


async def save(visit: Visit) -> Response:
    """Store what the form changes. What cannot be stored is shown again, with the reason."""
    opened = await opened_at(visit)
    typed = _typed(await visit.form())
    try:
        await _save(visit, opened, typed)
    except (Problem, GradeqError) as error:
        problem = refusal(visit, error)
        # Somebody may have changed it since: what there is now stands beside what was typed.
        opened = await opened_at(visit)
        return await render(visit, opened, is_editing=True, typed=typed, problem=problem)
    return _stay(visit, opened, told=visit.words.text("review.saved"))


async def _save(visit: Visit, opened: Opened, typed: Typed) -> None:
    seen, by = _seen(typed), await visit.name()
    if opened.paper.released_by is not None:
        raise _conflict(visit, "review.refused.released", by=opened.paper.released_by)
    if opened.paper.archived_at is not None:
        raise _conflict(visit, "review.archived")
    if seen != opened.seen:
        # The form's criteria may be others than those of today; the store tells what has changed.
        await visit.site.engine.review(opened.paper.id, by, seen)
    start = _start(visit, opened, typed)
    edit = change_in(typed, start, by, visit.words.text, is_new=opened.current is None)
    if edit is None:
        await visit.site.engine.review(opened.paper.id, by, seen)
    else:
        await visit.site.engine.edit_grade(opened.paper.id, start.edited(edit), by, seen)


def _start(visit: Visit, opened: Opened, typed: Typed) -> Start:
    """Raises a Problem where a paper without grade and rubric has no points to reach either."""
    if opened.start is not None:
        return opened.start
    told = number_in(typed.get("max_score", ""))
    most = float(told or 0)
    if not 0 < most <= 1e9:
        raise Problem(422, "max_score_needed", visit.words.text("review.max_score_needed"))
    return blank(most)


async def accept(visit: Visit) -> Response:
    """The grade is right; go on."""
    return await _tried(visit, _accept)


async def _accept(visit: Visit, opened: Opened) -> Response:
    await _review(visit, opened)
    told = visit.words.text("review.accepted", name=name_of(opened.paper))
    return _go_on(visit, opened, told=told)


async def release(visit: Visit) -> Response:
    """Release this paper's grade, which the person has before them; go on."""
    return await _tried(visit, _release)


async def _release(visit: Visit, opened: Opened) -> Response:
    if opened.paper.released_by is not None:
        raise _conflict(visit, "review.refused.released", by=opened.paper.released_by)
    await _review(visit, opened)
    refused = await visit.site.engine.release([opened.paper.id], await visit.name())
    if refused:
        raise _conflict(visit, "review.not_released", why=_why(visit, refused[0]))
    return _go_on(visit, opened, undo=opened.paper.id)


async def release_reviewed(visit: Visit) -> Response:
    """Release all papers of the assignment whose grades a person made or found right."""
    return await _tried(visit, _release_reviewed)


async def _release_reviewed(visit: Visit, opened: Opened) -> Response:
    paper = opened.paper
    ids = await visit.site.store.reviewed(paper.course, paper.assignment)
    refused = await visit.site.engine.release(ids, await visit.name())
    released = sorted(set(ids) - {one.submission_id for one in refused})
    if not released:
        return _stay(visit, opened, told=visit.words.text("review.none_reviewed"))
    return _stay(visit, opened, undo=released[0])


async def take_back(visit: Visit) -> Response:
    """Undo a release of the last minute, with all that went out in the same act."""
    return await _tried(visit, _take_back)


async def _take_back(visit: Visit, opened: Opened) -> Response:
    ids, refused = await take_back_with(visit, opened.paper.id)
    if refused:
        raise _conflict(visit, "review.stands", why=_why(visit, refused[0]))
    return _stay(visit, opened, told=visit.words.text("undo.taken_back", n=len(ids)))


def _why(visit: Visit, skipped: Skipped) -> str:
    return visit.words.text(f"skipped.{skipped.code}")


def _conflict(visit: Visit, what: str, **values: object) -> Problem:
    return Problem(409, "conflict", visit.words.text(what, **values))


async def retry(visit: Visit) -> Response:
    """Queue an ungraded paper again."""
    return await _tried(visit, _retry)


async def _retry(visit: Visit, opened: Opened) -> Response:
    if not opened.may_retry:
        raise _conflict(visit, "review.refused.on_its_way")
    job = opened.row.job
    if job is not None and job.state in (JobState.FAILED, JobState.CANCELLED):
        await visit.site.engine.retry(job_ids=[job.id])
    else:
        await visit.site.engine.submit([opened.paper.id])
    return _stay(visit, opened, told=visit.words.text("review.retried"))


async def back(visit: Visit) -> Response:
    """To the paper itself."""
    return _stay(visit, await opened_at(visit))


async def _tried(visit: Visit, act: Callable[[Visit, Opened], Awaitable[Response]]) -> Response:
    """What was refused is told on the page of the paper, as that is now."""
    try:
        return await act(visit, await opened_at(visit))
    except (Problem, GradeqError) as error:
        return await render(visit, await opened_at(visit), problem=refusal(visit, error))


async def _review(visit: Visit, opened: Opened) -> None:
    seen = _seen(_typed(await visit.form()))
    await visit.site.engine.review(opened.paper.id, await visit.name(), seen)


def _typed(form: FormData) -> Typed:
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _seen(typed: Typed) -> Seen:
    """The versions that the form was made from. Raises ChangedError where it does not say."""
    try:
        return Seen(int(typed["paper_version"]), int(typed["grade_version"]))
    except (KeyError, ValueError):
        raise ChangedError(
            "the form does not say which version of the grade it is about; nothing was changed. "
            "Open the paper again"
        ) from None


def _go_on(visit: Visit, opened: Opened, *, told: str = "", **query: object) -> Response:
    """To the next paper; where there is none, back to this one."""
    after = opened.walk.after
    if after in (None, opened.paper.id):
        return _stay(visit, opened, told=visit.words.text("review.was_last"), **query)
    return visit.go("submissions", after, told=told, **opened.walk.query, **query)


def _stay(visit: Visit, opened: Opened, *, told: str = "", **query: object) -> Response:
    return visit.go("submissions", opened.paper.id, told=told, **opened.walk.query, **query)


def name_of(paper: Submission) -> str:
    return paper.student or paper.external_id
