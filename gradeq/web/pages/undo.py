"""Taking a release back, for as long as that is possible."""

from __future__ import annotations

from dataclasses import dataclass

from gradeq.model import Submission
from gradeq.store.orders import Skipped
from gradeq.store.rows import TAKE_BACK_SECONDS
from gradeq.web.paths import id_in
from gradeq.web.visit import Visit


@dataclass(frozen=True, slots=True)
class Undo:
    """A release that the person before the page may still take back.

    `paper` is one of the `count` that went out in that act; `seconds` are left.
    """

    paper: Submission
    count: int
    seconds: float


async def undo_of(visit: Visit) -> Undo | None:
    """Of the release that the address tells; None where it is too late for that."""
    paper = await visit.site.store.submission(id_in(visit.query("undo")))
    if paper is None or paper.released_at is None or paper.released_by != visit.person.name:
        return None
    left = TAKE_BACK_SECONDS - (visit.site.engine.clock.now_ms() - paper.released_at) / 1000
    if left <= 0 or not visit.person.sees(paper.course):
        return None
    return Undo(paper, len(await visit.site.store.released_together(paper.id)), left)


async def take_back_with(visit: Visit, submission_id: int) -> tuple[list[int], list[Skipped]]:
    """Undo the release of this paper and of all that went out in the same act; what was refused."""
    ids = await visit.site.store.released_together(submission_id) or [submission_id]
    return ids, await visit.site.engine.take_back(ids, await visit.name())
