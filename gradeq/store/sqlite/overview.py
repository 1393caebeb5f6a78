"""Reads for people: pages of rows, and sums that the database makes."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Protocol, TypeVar

import msgspec

from gradeq.model import JobState
from gradeq.store.overview import (
    Failure,
    InHand,
    Obstacle,
    PaperRow,
    Place,
    Resting,
    Scores,
    Times,
)
from gradeq.store.sqlite.reads import every
from gradeq.store.sqlite.tx import Tx, from_json, ids_json

T = TypeVar("T")


class _Read(Protocol):
    def __call__(self, work: Callable[[Tx], T]) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class SqliteOverview:
    """Overview over a store's way to read."""

    read: _Read

    async def places(self, batch_ids: Sequence[int]) -> dict[int, list[Place]]:
        return await self.read(partial(_places, batch_ids=batch_ids))

    async def obstacles(
        self, submission_ids: Sequence[int], *, again: bool, longest: int | None = None
    ) -> dict[Obstacle | None, list[int]]:
        asked = {"ids": ids_json(submission_ids), "again": again, "longest": longest}
        return await self.read(partial(_obstacles, asked=asked))

    async def names(self, submission_ids: Sequence[int]) -> list[str]:
        asked = ids_json(submission_ids)
        return await self.read(lambda tx: every(tx, "paper_names", lambda row: row[0], ids=asked))

    async def papers(
        self, batch_id: int, state: JobState | None = None, *, after: int = 0, limit: int = 50
    ) -> list[PaperRow]:
        where = {"batch_id": batch_id, "state": state, "after": after, "limit": limit}
        return await self.read(lambda tx: every(tx, "batch_papers", _paper, **where))

    async def times(self, batch_id: int, stretches: int) -> Times | None:
        return await self.read(partial(_times, batch_id=batch_id, stretches=stretches))

    async def scores(self, batch_id: int, stretches: int) -> Scores:
        return await self.read(partial(_scores, batch_id=batch_id, stretches=stretches))

    async def in_hand(self, limit: int) -> list[InHand]:
        return await self.read(
            lambda tx: every(tx, "jobs_in_hand", lambda row: InHand(*row), limit=limit)
        )

    async def failures(self, batches: int) -> list[Failure]:
        return await self.read(
            lambda tx: every(tx, "failures", lambda row: Failure(*row), batches=batches)
        )

    async def failed_jobs(self, grader: str, error: str, batches: int) -> list[int]:
        which = {"grader": grader, "error": error, "batches": batches}
        return await self.read(
            lambda tx: every(tx, "failed_alike", lambda row: int(row["id"]), **which)
        )

    async def resting(self, since: int) -> list[Resting]:
        return await self.read(
            lambda tx: every(tx, "batches_resting", lambda row: Resting(*row), since=since)
        )


def _places(tx: Tx, batch_ids: Sequence[int]) -> dict[int, list[Place]]:
    places: dict[int, list[Place]] = {}
    for batch_id, *place in tx.all("batch_places", batch_ids=ids_json(batch_ids)):
        places.setdefault(batch_id, []).append(Place(*place))
    return places


def _obstacles(tx: Tx, asked: Mapping[str, Any]) -> dict[Obstacle | None, list[int]]:
    return {
        Obstacle(row["obstacle"]) if row["obstacle"] else None: from_json(row["ids"])
        for row in tx.all("obstacles", **asked)
    }


def _paper(row: sqlite3.Row) -> PaperRow:
    names = PaperRow.__dataclass_fields__
    return PaperRow(**{**{name: row[name] for name in names}, "state": JobState(row["state"])})


def _times(tx: Tx, batch_id: int, stretches: int) -> Times | None:
    ms = msgspec.json.decode(tx.value("batch_times", batch_id=batch_id), type=list[int])
    if not ms:
        return None
    ms.sort()
    jobs, longest = len(ms), ms[-1]
    median, ninetieth = ms[(jobs + 1) // 2 - 1], ms[(jobs * 9 + 9) // 10 - 1]
    # Few papers that took very long must not squeeze all others into one bar.
    width = round_width(min(longest, 2 * ninetieth), stretches)
    edges = [bisect_left(ms, n * width) for n in range(stretches)]
    counts = tuple(end - start for start, end in pairwise((*edges, jobs)))
    return Times(jobs, median, ninetieth, longest, width, counts)


def round_width(most: int, stretches: int) -> int:
    """The smallest of 1, 2, 5, 10, 20 … whose `stretches` reach beyond `most`."""
    ten = 1
    while True:
        for width in (ten, 2 * ten, 5 * ten):
            if width * stretches > most:
                return width
        ten *= 10


def _scores(tx: Tx, batch_id: int, stretches: int) -> Scores:
    row = tx.one("batch_scores", batch_id=batch_id, stretches=stretches)
    assert row is not None
    grades = Counter(from_json(row["stretches"]))
    return Scores(row["mean"], tuple(grades[n] for n in range(stretches)))
