"""From ticked papers to an order: what will be graded by whom for how much, and what not."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from starlette.datastructures import FormData, QueryParams
from starlette.responses import Response

from gradeq.grading.lexical.grader import MOST_WORDS, why_not
from gradeq.grading.llm import MOST_CHARACTERS
from gradeq.grading.normalise import is_blank, normalise
from gradeq.handlers.base import GraderFacts
from gradeq.model import (
    DEFAULT_GRADER,
    DEFAULT_OWNER,
    GRADING,
    LEXICAL_GRADER,
    GradeSource,
    JobState,
    SubmissionStatus,
)
from gradeq.orders import When
from gradeq.store.rows import ResultRow, RubricRow
from gradeq.web.pages.listing import Place, Shown, selection
from gradeq.web.problems import Problem
from gradeq.web.site import Site
from gradeq.web.visit import Visit

FIRST = 5
"""So many papers are graded to try a rubric out."""

_PAGE = 500
_MOST_NAMED = 20
_OPEN = frozenset({JobState.PENDING, JobState.PROCESSING})
_BY_STATUS = {
    SubmissionStatus.IN_PROGRESS: "in_progress",
    SubmissionStatus.RELEASED: "released",
}


@dataclass(frozen=True, slots=True)
class Way:
    """A way to grade: by whom and when, and about what it would cost, where that is known."""

    grader: GraderFacts
    when: When
    cost: float | None

    @property
    def value(self) -> str:
        return f"{self.when}:{self.grader.name}"


@dataclass(slots=True)
class Sorted:
    """`ids` will be graded; `left_out` has the names of the others under a word for the reason."""

    ids: list[int] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def take(self, row: ResultRow, reason: str | None) -> None:
        if reason is None:
            self.ids.append(row.submission.id)
        else:
            name = row.submission.student or row.submission.external_id
            self.left_out.setdefault(reason, []).append(name)


async def confirm(visit: Visit) -> Response:
    """What would be graded, by whom and for how much; nothing is ordered yet."""
    place, asked = Place.of(visit), await _asked(visit)
    shown = Shown.told(asked)
    chosen = await selection(visit, place, asked)
    if not chosen:
        told = visit.words.text("assignment.nothing_chosen")
        return visit.go(*place.parts, **shown.query(page=1), told=told)
    graders = offered(visit.site)
    found = await _sorted_out(visit.site, chosen, shown, graders)
    rubric = await _rubric(visit.site, place)
    ways = await _ways(visit.site, graders, found.ids, rubric)
    return visit.show(
        "grading.html",
        place=place,
        here=partial(visit.url, *place.parts),
        shown=shown,
        ids=found.ids,
        left_out=found.left_out,
        most_named=_MOST_NAMED,
        rubric=rubric,
        ways=ways,
        is_possible=bool(found.ids and ways),
        first=FIRST,
        most_words=MOST_WORDS,
        key=secrets.token_urlsafe(16),
    )


async def _asked(visit: Visit) -> QueryParams | FormData:
    if visit.request.method == "POST":
        return await visit.form()
    return visit.request.query_params


def offered(site: Site) -> list[GraderFacts]:
    """The graders of papers, the usual one first, the one that is always there last; no provider
    twice because it has two names."""
    found: dict[str, GraderFacts] = {}
    for name in sorted(site.engine.graders, key=_preference):
        facts = site.engine.about(name)
        if facts.kind == GRADING:
            found.setdefault(facts.provider or f":{name}", facts)
    return list(found.values())


def _preference(grader: str) -> tuple[bool, bool]:
    return grader == LEXICAL_GRADER, grader != DEFAULT_GRADER


async def _sorted_out(
    site: Site, chosen: Sequence[int], shown: Shown, graders: Sequence[GraderFacts]
) -> Sorted:
    found = Sorted()
    only_models = all(one.needs_rubric for one in graders)
    for start in range(0, len(chosen), _PAGE):
        rows = await site.store.results(chosen[start : start + _PAGE])
        reasons = await asyncio.to_thread(_reasons, rows, shown, only_models)
        for row, reason in zip(rows, reasons, strict=True):
            found.take(row, reason)
    return found


def _reasons(rows: Sequence[ResultRow], shown: Shown, only_models: bool) -> list[str | None]:
    return [_why_not(row, shown) or _unreadable(row, only_models) for row in rows]


def _why_not(row: ResultRow, shown: Shown) -> str | None:
    """A word of the section grading.why for a paper that will not be graded."""
    paper = row.submission
    if paper.archived_at is not None:
        return "archived"
    if paper.status in _BY_STATUS:
        return _BY_STATUS[paper.status]
    if row.job is not None and row.job.state in _OPEN:
        return "queued"
    if row.grade is not None and row.grade.source is GradeSource.PERSON:
        return "person"
    if paper.status is SubmissionStatus.GRADED and shown.status is SubmissionStatus.SUBMITTED:
        return "graded"
    return None


def _unreadable(row: ResultRow, only_models: bool) -> str | None:
    text = row.submission.text
    if is_blank(normalise(text)):
        return "blank"
    return "too_long" if only_models and len(text) > MOST_CHARACTERS else None


async def _rubric(site: Site, place: Place) -> RubricRow | None:
    rubric_id = await site.store.assignment_rubric(place.course, place.assignment)
    return None if rubric_id is None else await site.store.rubric(rubric_id)


async def _ways(
    site: Site, graders: Sequence[GraderFacts], ids: Sequence[int], rubric: RubricRow | None
) -> list[Way]:
    """Those that can be ordered: without a rubric no model can, without a reference no words."""
    ways = []
    for one in graders:
        if one.needs_rubric and not await _suits(site, one, rubric):
            continue
        cost = None
        if rubric is not None and one.provider is not None:
            cost = await site.engine.projected_cost(ids, one.name, rubric.id)
        ways.append(Way(one, "now", cost))
        if one.share_overnight is not None:
            ways.append(Way(one, "overnight", cost and cost * one.share_overnight))
    return ways


async def _suits(site: Site, grader: GraderFacts, rubric: RubricRow | None) -> bool:
    if rubric is None or not grader.is_provisional:
        return rubric is not None
    return why_not(await site.engine.rubrics.get(rubric.id)) is None


async def order(visit: Visit) -> Response:
    """Queue what was confirmed; the same confirmation queues it once."""
    place, form = Place.of(visit), await visit.form()
    ids = await selection(visit, place, _without_all(form))
    if form.get("first"):
        ids = ids[:FIRST]
    if not ids:
        raise Problem(422, "nothing_to_grade", visit.words.text("grading.nothing"))
    when, grader = _way(str(form.get("way", "")))
    submitted = await visit.site.engine.submit(
        ids,
        grader=grader,
        when=when,
        owner=await visit.name() or DEFAULT_OWNER,
        idempotency_key=str(form.get("key", "")) or None,
    )
    told = visit.words.text("grading.ordered", n=len(submitted.job_ids))
    if submitted.skipped:
        told += " " + visit.words.text("assignment.not_changed", n=len(submitted.skipped))
    return visit.go(*place.parts, **Shown.told(form).query(page=1), told=told)


def _without_all(form: FormData) -> FormData:
    """What was confirmed, not what the list has by now."""
    return FormData([(name, value) for name, value in form.multi_items() if name != "all"])


def _way(told: str) -> tuple[When, str]:
    when, _, grader = told.partition(":")
    return ("overnight" if when == "overnight" else "now"), grader
