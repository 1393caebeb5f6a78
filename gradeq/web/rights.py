"""What each person may ask for: one rule for every endpoint.

Whoever may not see something is told that it does not exist.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gradeq.errors import NotFoundError
from gradeq.web.people import Person
from gradeq.web.problems import Problem
from gradeq.web.site import Site

Rule = Callable[[Site, Person, Mapping[str, Any]], Awaitable[None]]
"""Raises what the person is to be told; is given the endpoint's arguments by name."""


async def everybody(_site: Site, _person: Person, _given: Mapping[str, Any]) -> None:
    """Tells nothing about anybody."""


async def by_itself(_site: Site, _person: Person, _given: Mapping[str, Any]) -> None:
    """Takes `person`, and leaves out or refuses what that person does not see."""


async def administrators(_site: Site, person: Person, _given: Mapping[str, Any]) -> None:
    require_administrator(person)


async def of_course(_site: Site, person: Person, given: Mapping[str, Any]) -> None:
    """The course is in the path, or in the query."""
    course = given["course"] if "course" in given else given["query"].course
    require_course(person, course)


async def of_submission(site: Site, person: Person, given: Mapping[str, Any]) -> None:
    await require_submission(site, person, given["submission_id"])


async def of_job(site: Site, person: Person, given: Mapping[str, Any]) -> None:
    job_id = given["job_id"]
    if person.sees_everything:
        return
    row = await site.store.job(job_id)
    if row is None or not await _sees_submission(site, person, row.submission_id):
        raise NotFoundError(f"there is no job {job_id}")


async def of_batch(site: Site, person: Person, given: Mapping[str, Any]) -> None:
    batch_id = given["batch_id"]
    if not await sees_batch(site, person, batch_id):
        raise NotFoundError(f"there is no batch {batch_id}")


def require_administrator(person: Person) -> None:
    if not person.is_admin:
        raise Problem(403, "administrators_only", "only an administrator may do this")


def require_course(person: Person, course: str) -> None:
    """Raises NotFoundError."""
    if not person.sees(course):
        raise NotFoundError(f"there is no course {course!r}")


async def require_submission(site: Site, person: Person, submission_id: int) -> None:
    """Raises NotFoundError."""
    if not await _sees_submission(site, person, submission_id):
        raise NotFoundError(f"there is no submission {submission_id}")


async def _sees_submission(site: Site, person: Person, submission_id: int | None) -> bool:
    if person.sees_everything:
        return True
    if submission_id is None:
        return False
    courses = await site.store.courses_of([submission_id])
    return submission_id in courses and person.sees(courses[submission_id])


async def sees_batch(site: Site, person: Person, batch_id: int) -> bool:
    """All its papers belong to courses that the person sees: stopping it would stop them all."""
    if person.sees_everything:
        return True
    courses = await site.store.courses_of_batch(batch_id)
    return bool(courses) and all(map(person.sees, courses))
