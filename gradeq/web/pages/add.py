"""Adding work: files onto an assignment, each taken whole or refused with its reasons."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from starlette.datastructures import UploadFile
from starlette.responses import Response

from gradeq.errors import GradeqError, NotFoundError
from gradeq.grading.documents import READABLE, Papers, read_sent
from gradeq.store.orders import Added, Kept
from gradeq.web.api_papers import IMPORT_LIMIT, MOST_PAPERS
from gradeq.web.bodies import NewPlace
from gradeq.web.intake import converted
from gradeq.web.problems import Problem
from gradeq.web.visit import Visit

_CHANGES = ("refused", "replaced", "created", "unchanged")
_MOST_SHOWN = 200
_MEGABYTE = 1 << 20
_KEPT = MappingProxyType({one.value: one.name.lower() for one in Kept})
"""The words for why a text was kept, by what the store says."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one file. Where nothing was stored, `papers` is empty and `problems` say why;
    `is_partly` where the problems are those of papers that were left out.
    """

    name: str
    papers: Sequence[Added] = ()
    problems: Sequence[str] = ()

    @property
    def is_partly(self) -> bool:
        return bool(self.papers) and bool(self.problems)

    @property
    def counts(self) -> list[tuple[str, int]]:
        """How many papers went which way, without those that none went."""
        found = Counter(one.change for one in self.papers)
        return [(change, found[change]) for change in _CHANGES if found[change]]

    @property
    def shown(self) -> list[Added]:
        """The papers in whose fate somebody may be interested, those first that need a look."""
        return sorted(self.papers, key=lambda one: _CHANGES.index(one.change))[:_MOST_SHOWN]

    @property
    def problems_shown(self) -> Sequence[str]:
        return self.problems[:_MOST_SHOWN]


async def new(visit: Visit) -> Response:
    """From two names to the page of that assignment, which need not exist yet."""
    told = {name: visit.query(name).strip() for name in ("course", "assignment")}
    place: NewPlace = converted("query", told, NewPlace)
    _must_see(visit, place.course)
    return visit.go("courses", place.course, "assignments", place.assignment, "add")


async def show(visit: Visit) -> Response:
    course, assignment = _place(visit)
    return _page(visit, course, assignment)


async def add(visit: Visit) -> Response:
    """Take files. A script that sends one asks for its lines alone."""
    course, assignment = _place(visit)
    form = await visit.form(IMPORT_LIMIT)
    try:
        sent = [
            one for one in form.getlist("files") if isinstance(one, UploadFile) and one.filename
        ]
        intake = _Intake(visit, course, assignment, is_lenient="lenient" in form)
        taken = [await intake.take(one) for one in sent]
    finally:
        await form.close()
    if "hx-request" in visit.request.headers:
        return visit.show("added.html", taken=taken, kept=_KEPT)
    return _page(visit, course, assignment, taken, is_empty=not sent)


def _place(visit: Visit) -> tuple[str, str]:
    course = visit.part("course")
    _must_see(visit, course)
    place: NewPlace = converted(
        "path", {"course": course, "assignment": visit.part("assignment")}, NewPlace
    )
    return place.course, place.assignment


def _must_see(visit: Visit, course: str) -> None:
    if not visit.person.sees(course):
        raise NotFoundError(f"there is no course {course!r}")


def _page(
    visit: Visit,
    course: str,
    assignment: str,
    taken: Sequence[Taken] = (),
    *,
    is_empty: bool = False,
) -> Response:
    return visit.show(
        "add.html",
        422 if is_empty else 200,
        course=course,
        assignment=assignment,
        taken=taken,
        kept=_KEPT,
        is_empty=is_empty,
        readable=READABLE,
        most_bytes=IMPORT_LIMIT,
        most_megabytes=IMPORT_LIMIT // _MEGABYTE,
    )


class _Intake:
    """The files of one form: no id may come in two of them. `is_lenient` takes the good papers of
    a file that has others, too."""

    def __init__(self, visit: Visit, course: str, assignment: str, *, is_lenient: bool) -> None:
        self._engine = visit.site.engine
        self._course = course
        self._assignment = assignment
        self._is_lenient = is_lenient
        self._seen: dict[str, str] = {}

    async def take(self, file: UploadFile) -> Taken:
        name = str(file.filename)
        try:
            return await self._take(name, await file.read())
        except (GradeqError, Problem) as error:
            return Taken(name, problems=[str(error)])

    async def _take(self, name: str, data: bytes) -> Taken:
        # In a thread: 32 MB of rows would hold everybody else up.
        read = await asyncio.to_thread(
            read_sent, name, data, course=self._course, assignment=self._assignment
        )
        if len(read.valid) > MOST_PAPERS:
            raise Problem(
                422,
                "too_many",
                f"{len(read.valid)} papers are more than {MOST_PAPERS} in one file; none of them "
                "was stored. Divide the file",
            )
        problems = [str(one) for one in read.problems] + self._repeated(read)
        if problems and not self._is_lenient:
            return Taken(name, problems=problems)
        papers = [one for one in read.valid if one.external_id not in self._seen]
        added = await self._engine.add(papers) if papers else []
        self._seen |= {one.external_id: name for one in papers}
        return Taken(name, added, problems)

    def _repeated(self, read: Papers) -> list[str]:
        return [
            f"{one.external_id}: {self._seen[one.external_id]} has a paper of this id already"
            for one in read.valid
            if one.external_id in self._seen
        ]
