"""From ticked papers to an order: what will be graded by whom for how much, and what not."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from starlette.datastructures import FormData, QueryParams
from starlette.responses import Response

from gradeq.grading.lexical.grader import MOST_WORDS
from gradeq.grading.llm import MOST_CHARACTERS
from gradeq.grading.normalise import is_blank, normalise
from gradeq.grading.provisional import unfit
from gradeq.handlers.base import GraderFacts
from gradeq.model import (
    BLEND_GRADER,
    DEFAULT_GRADER,
    DEFAULT_OWNER,
    GRADING,
    LEXICAL_GRADER,
    Submission,
    SubmissionStatus,
    is_blend,
)
from gradeq.orders import When
from gradeq.store.orders import Submitted
from gradeq.store.overview import Obstacle
from gradeq.store.rows import RubricRow
from gradeq.web.pages.listing import Place, Shown, selection
from gradeq.web.problems import Problem
from gradeq.web.site import Site
from gradeq.web.visit import Visit
from gradeq.web.wording import Wording

FIRST = 5
"""So many papers are graded to try a rubric out."""

_PAGE = 500
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Way:
    """A way to grade: by whom and when, and about what it would cost, where that is known."""

    grader: GraderFacts
    when: When
    cost: float | None

    @property
    def value(self) -> str:
        return f"{self.when}:{self.grader.name}"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Papers that will not be graded for one reason; the `names` of the first of them."""

    papers: int
    names: Sequence[str]

    @property
    def unnamed(self) -> int:
        return self.papers - len(self.names)


@dataclass(frozen=True, slots=True)
class Sorted:
    """`ids` will be graded, in the order chosen; the others are `left_out`, by the reason."""

    ids: Sequence[int]
    left_out: Mapping[Obstacle, LeftOut]


async def confirm(visit: Visit) -> Response:
    """What would be graded, by whom and for how much; nothing is ordered yet."""
    place, asked = Place.of(visit), await _asked(visit)
    shown = Shown.told(asked)
    chosen = await selection(visit, place, asked)
    if not chosen:
        told = visit.words.text("assignment.nothing_chosen")
        return visit.go(*place.parts, **shown.query(), told=told)
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
        # A filter of the template would escape each of thousands.
        papers=" ".join(map(str, found.ids)),
        left_out=found.left_out,
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
    found: dict[tuple[str, bool], GraderFacts] = {}
    for name in sorted(site.engine.graders, key=_preference):
        facts = site.engine.about(name)
        if facts.kind == GRADING:
            key = (facts.provider or f":{name}", facts.is_blend)
            found.setdefault(key, facts)
    return list(found.values())


def _preference(grader: str) -> tuple[bool, bool, bool]:
    is_default = grader in (DEFAULT_GRADER, BLEND_GRADER)
    return grader == LEXICAL_GRADER, is_blend(grader), not is_default


async def _sorted_out(
    site: Site, chosen: Sequence[int], shown: Shown, graders: Sequence[GraderFacts]
) -> Sorted:
    longest = MOST_CHARACTERS if all(one.needs_rubric for one in graders) else None
    again = shown.status is not SubmissionStatus.SUBMITTED
    found = await site.store.overview.obstacles(chosen, again=again, longest=longest)
    for obstacle, ids in (await _read(site, found.pop(Obstacle.UNREAD, ()), longest)).items():
        found.setdefault(obstacle, []).extend(ids)
    gradable = set(found.pop(None, ()))
    left_out = {one: await _left_out(site, found[one]) for one in Obstacle if found.get(one)}
    return Sorted([one for one in chosen if one in gradable], left_out)


async def _left_out(site: Site, ids: Sequence[int]) -> LeftOut:
    return LeftOut(len(ids), await site.store.overview.names(ids[:_MOST_NAMED]))


async def _read(
    site: Site, ids: Sequence[int], longest: int | None
) -> Mapping[Obstacle | None, list[int]]:
    """What the texts of these papers tell, page by page."""
    found: dict[Obstacle | None, list[int]] = {}
    for start in range(0, len(ids), _PAGE):
        rows = await site.store.results(ids[start : start + _PAGE])
        papers = [row.submission for row in rows]
        for one, obstacle in await asyncio.to_thread(_told_by_texts, papers, longest):
            found.setdefault(obstacle, []).append(one)
    return found


def _told_by_texts(
    papers: Sequence[Submission], longest: int | None
) -> list[tuple[int, Obstacle | None]]:
    return [(one.id, _told_by(one.text, longest)) for one in papers]


def _told_by(text: str, longest: int | None) -> Obstacle | None:
    if is_blank(normalise(text)):
        return Obstacle.BLANK
    return Obstacle.TOO_LONG if longest is not None and len(text) > longest else None


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
    return unfit(grader.name, await site.engine.rubrics.get(rubric.id)) is None


async def order(visit: Visit) -> Response:
    """Queue what was confirmed; the same confirmation queues it once."""
    place, form = Place.of(visit), await visit.form()
    ids = await selection(visit, place, _without_all(form))
    if form.get("first"):
        ids = ids[:FIRST]
    if not ids:
        raise Problem(422, "nothing_to_grade", visit.words.text("grading.nothing"))
    when, grader = _way(str(form.get("way", "")))
    shown = Shown.told(form)
    submitted = await visit.site.engine.submit(
        ids,
        grader=grader,
        when=when,
        owner=await visit.name() or DEFAULT_OWNER,
        idempotency_key=str(form.get("key", "")) or None,
        # What somebody else had graded since the list was shown is not graded again.
        again=shown.status is not SubmissionStatus.SUBMITTED,
    )
    told = _outcome(visit.words, submitted, await visit.name())
    return visit.go(*place.parts, **shown.query(), told=told)


def _outcome(words: Wording, submitted: Submitted, by: str) -> str:
    if not submitted.job_ids:
        return words.text("grading.none_ordered")
    told = [
        words.text(
            "grading.ordered" if submitted.queued else "grading.none_new", n=submitted.queued
        )
    ]
    told += _queued_before(words, submitted, by)
    if submitted.skipped:
        told.append(words.text("assignment.not_changed", n=len(submitted.skipped)))
    return " ".join(told)


def _queued_before(words: Wording, submitted: Submitted, by: str) -> Iterator[str]:
    """How many others had queued, and who."""
    papers: Counter[str] = Counter()
    for one in submitted.already:
        papers[one.owner] += one.papers
    for owner, n in papers.items():
        if owner == DEFAULT_OWNER:
            yield words.text("grading.already", n=n)
        elif owner == by:
            yield words.text("grading.already_own", n=n)
        else:
            yield words.text("grading.already_by", n=n, name=owner)


def _without_all(form: FormData) -> FormData:
    """What was confirmed, not what the list has by now."""
    return FormData([(name, value) for name, value in form.multi_items() if name != "all"])


def _way(told: str) -> tuple[When, str]:
    when, _, grader = told.partition(":")
    return ("overnight" if when == "overnight" else "now"), grader
