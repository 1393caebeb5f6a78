"""Which assignment a page is about, which of its papers it lists, and which of them are meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from starlette.datastructures import FormData, QueryParams

from gradeq.errors import NotFoundError
from gradeq.model import Submission, SubmissionStatus
from gradeq.store.rows import PaperOrder
from gradeq.web.site import Site
from gradeq.web.visit import Visit

ROWS = 50
"""A page of a list."""

TABS = tuple(SubmissionStatus)
ARCHIVED = "archived"
_LONGEST_FIND = 200


@dataclass(frozen=True, slots=True)
class Place:
    """An assignment, by the names in the address."""

    course: str
    assignment: str

    @classmethod
    def of(cls, visit: Visit) -> Self:
        """Raises NotFoundError where the person does not see the course."""
        place = cls(visit.part("course"), visit.part("assignment"))
        if not visit.person.sees(place.course):
            raise NotFoundError(f"there is no assignment {place.course}/{place.assignment}")
        return place

    @property
    def parts(self) -> tuple[str, str, str, str]:
        return ("courses", self.course, "assignments", self.assignment)

    def has(self, paper: Submission) -> bool:
        return (paper.course, paper.assignment) == (self.course, self.assignment)

    async def check_ours(self, site: Site, submission_ids: list[int]) -> None:
        """Raises NotFoundError unless all of these are papers of this assignment."""
        for course, assignment, _ in await site.store.assignments_of(submission_ids):
            if (course, assignment) != (self.course, self.assignment):
                raise NotFoundError(
                    "some of these papers are of another assignment; nothing was done"
                )


@dataclass(frozen=True, slots=True)
class Shown:
    """What of an assignment is listed: a tab, a search, an order; `page` counts from 1."""

    tab: str = SubmissionStatus.SUBMITTED.value
    find: str = ""
    order: PaperOrder = PaperOrder.TIME
    is_descending: bool = False
    page: int = 1

    @classmethod
    def told(cls, asked: QueryParams | FormData) -> Self:
        """Whatever makes no sense is as if it had not been said."""
        tab = _text(asked, "tab")
        sort = _text(asked, "sort")
        order = sort.removeprefix("-")
        page = _text(asked, "page")
        return cls(
            tab=tab if tab in (*TABS, ARCHIVED) else SubmissionStatus.SUBMITTED.value,
            find=_text(asked, "find").strip()[:_LONGEST_FIND],
            order=PaperOrder(order) if order in tuple(PaperOrder) else PaperOrder.TIME,
            is_descending=sort.startswith("-"),
            page=max(1, int(page)) if page.isdecimal() and len(page) < 9 else 1,
        )

    @property
    def sort(self) -> str:
        return f"-{self.order}" if self.is_descending else self.order.value

    @property
    def status(self) -> SubmissionStatus | None:
        return None if self.tab == ARCHIVED else SubmissionStatus(self.tab)

    def query(self, **other: Any) -> Mapping[str, Any]:
        """How an address tells it, with what is `other` there; a usual value is left out."""
        usual = {"tab": SubmissionStatus.SUBMITTED, "sort": PaperOrder.TIME, "page": 1}
        told = {"tab": self.tab, "find": self.find, "sort": self.sort, "page": self.page, **other}
        return {name: value for name, value in told.items() if usual.get(name) != value}

    def sorted_by(self, order: str) -> str:
        """How to ask for that order, or for its reverse where it is the order now."""
        return f"-{order}" if self.sort == order else order

    async def ids(self, site: Site, place: Place) -> list[int]:
        """Of all pages, in the order shown."""
        found = await site.store.tab(
            place.course, place.assignment, self.status, find=self.find, order=self.order
        )
        return found[::-1] if self.is_descending else found


async def selection(visit: Visit, place: Place, asked: QueryParams | FormData) -> list[int]:
    """The papers that a form means: those ticked on any page, or all that the list has.

    Raises NotFoundError for papers of another assignment.
    """
    if asked.get("all"):
        return await Shown.told(asked).ids(visit.site, place)
    told = [*map(str, asked.getlist("paper")), *_text(asked, "papers").split()]
    ids = [int(one) for one in dict.fromkeys(told) if one.isdecimal() and len(one) < 19]
    await place.check_ours(visit.site, ids)
    return ids


def _text(asked: QueryParams | FormData, name: str) -> str:
    return str(asked.get(name, ""))
