"""The page at /submissions/{id}: a paper beside its grade, to be looked at one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.responses import Response

from gradeq.errors import NotFoundError
from gradeq.model import CriterionGrade, Flag, JobState, Submission, SubmissionStatus
from gradeq.store.rows import GradeRow, ResultRow, Seen
from gradeq.web.grade_edits import CHOSEN_POINTS, Start, start_of
from gradeq.web.pages.grade_history import happenings
from gradeq.web.pages.highlights import highlighted
from gradeq.web.pages.refusal import Refusal
from gradeq.web.pages.review_form import BY_HAND, KEEP, Typed, lines_of, told_points
from gradeq.web.pages.undo import undo_of
from gradeq.web.pages.walk import Walk, stand_at, walked
from gradeq.web.paths import id_in
from gradeq.web.visit import Visit
from gradeq.web.why import NOTHING, of_paper
from gradeq.web.wording import Wording

_OPEN = (SubmissionStatus.SUBMITTED, SubmissionStatus.GRADED)


@dataclass(frozen=True, slots=True)
class Opened:
    """A paper as it stands when somebody opens it."""

    row: ResultRow
    versions: Sequence[GradeRow]
    start: Start | None
    walk: Walk

    @property
    def paper(self) -> Submission:
        return self.row.submission

    @property
    def current(self) -> GradeRow | None:
        return self.row.grade

    @property
    def seen(self) -> Seen:
        return Seen(self.paper.version, self.current.version if self.current else 0)

    @property
    def state(self) -> str:
        """Another word whenever the page would look different."""
        job = self.row.job.state if self.row.job and self.current is None else ""
        reviewed = self.current is not None and self.current.is_reviewed
        archived = self.paper.archived_at is not None
        parts = (*_told(self.seen), self.paper.status, job, reviewed, archived)
        return "-".join(map(str, parts))

    @property
    def may_edit(self) -> bool:
        return self.paper.status in _OPEN and self.paper.archived_at is None

    @property
    def may_release(self) -> bool:
        return self.may_edit and self.current is not None

    @property
    def may_retry(self) -> bool:
        """Nothing is on its way that could still grade it."""
        job = self.row.job
        is_open = job is not None and job.state in (JobState.PENDING, JobState.PROCESSING)
        return self.may_edit and self.current is None and not is_open


async def show(visit: Visit) -> Response:
    """The paper with its grade, or with `edit=1` the form that changes it."""
    opened = await opened_at(visit)
    return await render(visit, opened, is_editing=bool(visit.query("edit")))


async def news(visit: Visit) -> Response:
    """Whether the page that somebody has open is still as it was."""
    opened = await opened_at(visit, walks=False)
    return visit.show("review_news.html", opened=opened, seen_state=visit.query("state"))


async def opened_at(visit: Visit, *, walks: bool = True) -> Opened:
    """The paper of this address. Raises NotFoundError, also where it is not the person's.

    Unless somebody `walks` on from here, its walk knows no other papers.
    """
    told = visit.part("submission")
    found = await visit.site.store.results([id_in(told)])
    if not found or not visit.person.sees(found[0].submission.course):
        raise NotFoundError(f"there is no submission {told}")
    paper = found[0].submission
    versions = await visit.site.store.grades(paper.id)
    start = await start_of(visit.site, paper, versions)
    walk = stand_at(visit, paper)
    return Opened(found[0], versions, start, await walked(visit, walk, paper) if walks else walk)


async def render(
    visit: Visit,
    opened: Opened,
    *,
    is_editing: bool = False,
    typed: Typed | None = None,
    problem: Refusal | None = None,
) -> Response:
    """The page. With a `problem` the form shows what was `typed`, which was not saved."""
    store = visit.site.store
    paper, current = opened.paper, opened.current
    criteria = current.grade.criteria if current else ()
    releases = await store.releases(paper.id)
    reviewed = await store.reviewed(paper.course, paper.assignment)
    values: dict[str, Any] = {
        "opened": opened,
        "seen_state": "",
        "paper": paper,
        "current": current,
        "walk": opened.walk,
        "is_editing": is_editing and (opened.may_edit or bool(typed)),
        "shown": highlighted(paper.text, criteria),
        **_told_criteria(opened),
        "level": partial(_level, visit.words),
        "known_flags": set(Flag),
        "why": of_paper(visit.words, opened.row) if current is None else NOTHING,
        "happenings": happenings(opened.versions, releases),
        "reviewed": len(reviewed),
        "undo": await undo_of(visit),
        "after": await store.last_event(),
        "problem": problem,
        **_form_values(opened, typed or {}),
    }
    return visit.show("review.html", problem.status if problem else 200, **values)


def _form_values(opened: Opened, typed: Typed) -> Mapping[str, Any]:
    start, is_new = opened.start, opened.current is None
    grade = start.grade if start else None
    score = told_points(grade.score) if grade and not is_new else ""
    return {
        "start": start,
        "rubric": start.rubric if start else None,
        "lines": lines_of(start, typed, is_new=is_new) if start else [],
        "typed": typed,
        "score": typed.get("score", score),
        "feedback": typed.get("feedback", grade.feedback if grade else ""),
        "hand": BY_HAND,
        "keep": KEEP,
    }


def _told_criteria(opened: Opened) -> Mapping[str, Mapping[str, Any]]:
    """What the rubric asks, and how many points it gives at most, by criterion."""
    rubric = opened.start.rubric if opened.start else None
    criteria = rubric.criteria if rubric else ()
    return {
        "criteria": {one.id: one.description for one in criteria},
        "most": {one.id: one.best for one in criteria if one.best},
    }


def _level(words: Wording, one: CriterionGrade) -> str:
    """The rubric's own names stay as they are."""
    if one.points is None:
        return words.text("review.cannot_assess")
    return words.text("review.by_hand") if one.level == CHOSEN_POINTS else one.level


def _told(seen: Seen) -> tuple[int, int]:
    return seen.paper_version, seen.grade_version
