"""The way through a tab, paper by paper: what comes before and after, and where one stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from starlette.responses import Response

from gradeq.model import Submission, SubmissionStatus
from gradeq.web.pages.listing import Place
from gradeq.web.visit import Visit

DOUBTFUL, BY_STUDENT = "doubtful", "student"


@dataclass(frozen=True)
class Walk:
    """`ids` are the tab's papers in their order. The paper itself may have left the tab."""

    tab: str
    order: str
    ids: Sequence[int]
    paper_id: int

    @cached_property
    def place(self) -> int | None:
        """From 1; None where the paper is not in the tab."""
        return self.ids.index(self.paper_id) + 1 if self.paper_id in self.ids else None

    @property
    def before(self) -> int | None:
        return self.ids[self.place - 2] if self.place and self.place > 1 else None

    @property
    def after(self) -> int | None:
        """The next paper; the first one for a paper that has left the tab."""
        return next(iter(self.ids[self.place or 0 :]), None)

    @property
    def query(self) -> Mapping[str, str]:
        """What keeps the way in an address."""
        return {"tab": self.tab, "order": self.order}


def stand_at(visit: Visit, paper: Submission) -> Walk:
    """As the address says, or else in the tab in which the paper is; other papers are unknown."""
    tab, order = visit.query("tab"), visit.query("order", DOUBTFUL)
    status = SubmissionStatus(tab) if tab in set(SubmissionStatus) else paper.status
    return Walk(status, BY_STUDENT if order == BY_STUDENT else DOUBTFUL, (), paper.id)


async def walked(visit: Visit, walk: Walk, paper: Submission) -> Walk:
    """The same with all papers of its tab."""
    ids = await visit.site.store.walk(
        paper.course,
        paper.assignment,
        SubmissionStatus(walk.tab),
        doubtful_first=walk.order == DOUBTFUL,
    )
    return replace(walk, ids=ids)


async def begin(visit: Visit) -> Response:
    """To the most doubtful graded paper that nobody has reviewed; else to the first there is."""
    place, tab = Place.of(visit), SubmissionStatus.GRADED
    store = visit.site.store
    ids = await store.walk(place.course, place.assignment, tab, doubtful_first=True)
    reviewed = set(await store.reviewed(place.course, place.assignment))
    first = next((one for one in ids if one not in reviewed), None) or next(iter(ids), None)
    if first is None:
        return visit.go(*place.parts, tab=tab.value)
    return visit.go("submissions", first, tab=tab.value, order=DOUBTFUL)
