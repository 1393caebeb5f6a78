"""Which stored papers a command is about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click

from gradeq.cli.stores import result_pages
from gradeq.errors import ConfigError, NotFoundError
from gradeq.model import SubmissionStatus
from gradeq.store.base import Store
from gradeq.store.rows import ResultRow

_PAGE = 500
Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Selection:
    """What was typed: papers by their own ids, or an assignment, or neither."""

    course: str | None = None
    assignment: str | None = None
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Papers of one assignment, by their numbers in the database.

    `is_whole` where they were not named one by one, but are all there are.
    """

    course: str
    assignment: str
    ids: tuple[int, ...]
    is_whole: bool = False


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--course and --assignment; needed only where there are several."""
    command = click.option("--assignment", help="Needed if there are several.")(command)
    return click.option("--course", help="Needed if there are several.")(command)


ids_option = click.option(
    "--ids", multiple=True, metavar="ID,ID,…", help="These papers, by the ids of the input."
)


def typed_ids(ids: Sequence[str]) -> tuple[str, ...]:
    """Several options, or several ids in one."""
    return tuple(one.strip() for typed in ids for one in typed.split(",") if one.strip())


async def places(store: Store, chosen: Selection) -> list[Place]:
    """The assignments that fit. Raises NotFoundError where none does."""
    known = [(course, name) for course, name, _ in await store.assignments()]
    found = [
        (course, name)
        for course, name in known
        if chosen.course in (None, course) and chosen.assignment in (None, name)
    ]
    if not found:
        there = _listed(known) or "none; 'gradeq import' makes one"
        raise NotFoundError(f"no assignment fits; there are: {there}")
    return found


async def place(store: Store, chosen: Selection) -> Place:
    """The one assignment that fits. Raises NotFoundError, or ConfigError where several do."""
    found = await places(store, chosen)
    if len(found) > 1:
        raise ConfigError(f"choose one with --course and --assignment: {_listed(found)}")
    return found[0]


async def named_papers(
    store: Store, chosen: Selection, keep: Callable[[ResultRow], bool] = lambda _: True
) -> list[Group]:
    """The papers with the ids that were typed. Raises NotFoundError or ConfigError."""
    found = await store.find_submissions(chosen.ids, chosen.course, chosen.assignment)
    if missing := [one for one in chosen.ids if one not in found]:
        raise NotFoundError(f"there is no paper {', '.join(missing)}; nothing was changed")
    if ambiguous := [one for one in chosen.ids if len(found[one]) > 1]:
        raise ConfigError(
            f"several assignments have a paper {', '.join(ambiguous)}; nothing was changed. "
            "Name one with --course and --assignment"
        )
    groups: dict[Place, list[int]] = {}
    async for page in result_pages(store, [found[one][0] for one in dict.fromkeys(chosen.ids)]):
        for row in filter(keep, page):
            paper = row.submission
            groups.setdefault((paper.course, paper.assignment), []).append(paper.id)
    return [Group(*where, tuple(found)) for where, found in groups.items()]


async def papers_of(store: Store, where: Place, status: SubmissionStatus | None) -> Group:
    """An assignment's papers that are not archived, oldest first."""
    ids: list[int] = []
    after = 0
    while page := await store.submissions(*where, status, after=after, limit=_PAGE):
        after = page[-1].id
        ids += [paper.id for paper in page]
    return Group(*where, tuple(ids), is_whole=True)


def _listed(found: Sequence[Place]) -> str:
    return ", ".join(f"{course}/{assignment}" for course, assignment in found)
