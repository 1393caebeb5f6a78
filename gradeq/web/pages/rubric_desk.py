"""An assignment's rubric on the desk of somebody who may see it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from starlette.responses import Response

from gradeq.errors import Mistake, NotFoundError
from gradeq.store.rows import RubricVersion
from gradeq.web.pages.rubric_check import FIRST, SHORT, place_of
from gradeq.web.visit import Visit

_A_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


@dataclass(frozen=True, slots=True)
class Desk:
    """What a visitor works on. `seen` is the one that the
    visitor knew to be assigned when the editing began, `sample` which paper the preview shows."""

    visit: Visit
    course: str
    assignment: str
    versions: tuple[RubricVersion, ...]
    seen: int | None
    sample: str = FIRST

    @property
    def assigned(self) -> RubricVersion | None:
        return next((one for one in self.versions if one.is_assigned), None)

    @property
    def assigned_id(self) -> int | None:
        return self.assigned.rubric.id if self.assigned else None

    def version(self, rubric_id: str) -> RubricVersion:
        """One of this assignment's, for nobody shall see another course's by its number."""
        for one in self.versions:
            if str(one.rubric.id) == rubric_id:
                return one
        raise NotFoundError(
            f"the assignment {self.course}/{self.assignment} never had a rubric {rubric_id}"
        )

    def at(self, *parts: object, **query: object) -> str:
        place = ("courses", self.course, "assignments", self.assignment)
        return self.visit.url(*place, "rubric", *parts, **query)

    def place(self, mistake: Mistake) -> str:
        """Where a mistake stands, in words."""
        return place_of(self.visit.words, mistake)

    def go(self, told: str) -> Response:
        place = ("courses", self.course, "assignments", self.assignment)
        return self.visit.go(*place, "rubric", told=told)


async def desk_of(visit: Visit, form: Mapping[str, str] | None = None) -> Desk:
    """Raises NotFoundError for what the person may not see, and for names that cannot be."""
    course, assignment = visit.part("course"), visit.part("assignment")
    can_be = _A_NAME.fullmatch(course) and _A_NAME.fullmatch(assignment)
    if not can_be or not visit.person.sees(course):
        raise NotFoundError(f"there is no assignment {course}/{assignment}")
    versions = tuple(await visit.site.store.rubric_versions(course, assignment))
    desk = Desk(visit, course, assignment, versions, None)
    if form is None:
        return replace(desk, seen=desk.assigned_id)
    seen = form.get("seen", "")
    sample = SHORT if form.get("sample") == SHORT else FIRST
    return replace(desk, seen=int(seen) if seen.isdecimal() else None, sample=sample)
