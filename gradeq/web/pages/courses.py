"""The page at /: the courses and their assignments, with their badges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from starlette.responses import Response

from gradeq.store.rows import Badges
from gradeq.web.visit import Visit

_MOST_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Line:
    """An assignment in the list."""

    course: str
    assignment: str
    badges: Badges

    @property
    def done(self) -> int:
        return self.badges.graded + self.badges.released

    @property
    def whole(self) -> int:
        return self.done + self.badges.submitted


async def show(visit: Visit) -> Response:
    """Every assignment that the person may see, by course."""
    after = await visit.site.store.last_event()
    rows = await visit.site.store.assignments()
    lines = [Line(*row) for row in rows if visit.person.sees(row[0])]
    return visit.show(
        "courses.html",
        after=after,
        courses=list(_by_course(lines[:_MOST_ROWS])),
        shown=min(len(lines), _MOST_ROWS),
        whole=len(lines),
    )


def _by_course(lines: Sequence[Line]) -> Iterator[tuple[str, list[Line]]]:
    for course, group in groupby(lines, key=lambda one: one.course):
        yield course, list(group)
