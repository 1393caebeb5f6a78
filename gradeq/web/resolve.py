"""Which submissions are meant: ids of gradeq as they are, people's own ids looked up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from gradeq.store.orders import Skipped
from gradeq.web.answers import SkippedAnswer
from gradeq.web.people import Person
from gradeq.web.problems import Flaw, Problem
from gradeq.web.site import Site

_MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class Meant:
    """`ids` in the order asked, each once; `names` are the words that they were asked for with."""

    ids: list[int]
    names: Mapping[int, int | str]
    unknown: list[SkippedAnswer]

    def told(self, skipped: Iterable[Skipped]) -> list[SkippedAnswer]:
        """All that was skipped, by the ids that the client knows."""
        return [*self.unknown, *map(self._told, skipped)]

    def _told(self, one: Skipped) -> SkippedAnswer:
        name = self.names.get(one.submission_id, one.submission_id)
        return SkippedAnswer(name, one.code, one.reason)


async def resolve(
    site: Site,
    person: Person,
    wanted: Sequence[int | str],
    course: str | None,
    assignment: str | None,
) -> Meant:
    """What the person does not see is unknown, like what does not exist.

    Raises a Problem where an own id stands for submissions of several assignments.
    """
    own = list(dict.fromkeys(one for one in wanted if isinstance(one, str)))
    found = await site.store.find_submissions(own, course, assignment) if own else {}
    numbers = [one for one in wanted if isinstance(one, int)]
    hidden = await _hidden(site, person, [*numbers, *chain.from_iterable(found.values())])
    found = {name: left for name, ids in found.items() if (left := _without(hidden, ids))}
    _refuse_ambiguous(found)
    names: dict[int, int | str] = {}
    unknown = []
    for one in dict.fromkeys(wanted):
        if isinstance(one, int) and one not in hidden:
            names.setdefault(one, one)
        elif isinstance(one, str) and one in found:
            names.setdefault(found[one][0], one)
        else:
            unknown.append(SkippedAnswer(one, "not_found", f"there is no submission {one!r}"))
    return Meant(list(names), names, unknown)


async def _hidden(site: Site, person: Person, ids: Sequence[int]) -> frozenset[int]:
    if person.sees_everything:
        return frozenset()
    courses = await site.store.courses_of(ids)
    return frozenset(one for one in ids if one not in courses or not person.sees(courses[one]))


def _without(hidden: frozenset[int], ids: Sequence[int]) -> list[int]:
    return [one for one in ids if one not in hidden]


def _refuse_ambiguous(found: Mapping[str, Sequence[int]]) -> None:
    flaws = [
        Flaw("$.submission_ids", f"{name!r} may be any of the submissions {list(ids)}")
        for name, ids in found.items()
        if len(ids) > 1
    ]
    if flaws:
        raise Problem(
            422,
            "ambiguous_id",
            f"{len(flaws)} ids stand for submissions of several assignments; nothing was done. "
            "Name course and assignment, or use gradeq's own ids",
            problems=flaws[:_MOST_TOLD],
        )
