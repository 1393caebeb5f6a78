"""Courses, their assignments with the badges, and the rubrics."""

from __future__ import annotations

from itertools import groupby

from starlette.requests import Request
from starlette.responses import Response

from gradeq.grading.rubric import Rubric
from gradeq.store.rows import Badges, RubricRow
from gradeq.web.answers import (
    AssignmentAnswer,
    CourseAnswer,
    CoursesAnswer,
    CriterionAnswer,
    LevelAnswer,
    RubricAnswer,
    told,
)
from gradeq.web.bodies import CoursePage, Name, RubricSource
from gradeq.web.endpoint import as_json
from gradeq.web.intake import JSON, Raw, read_json, wrong_type
from gradeq.web.people import Person
from gradeq.web.problems import Problem
from gradeq.web.site import Site

TOML = "application/toml"
_TEXTS = frozenset({TOML, "text/plain", "text/x-toml", "text/toml"})


async def courses(site: Site, query: CoursePage, person: Person) -> CoursesAnswer:
    """The courses that one may see, by name, each with its assignments and their badges."""
    rows = await site.store.assignments()
    grouped = [
        CourseAnswer(course, [AssignmentAnswer(name, badges) for _, name, badges in group])
        for course, group in groupby(rows, key=lambda row: row[0])
        if person.sees(course) and (query.after is None or course > query.after)
    ]
    page = grouped[: query.limit]
    return CoursesAnswer(page, page[-1].course if len(page) < len(grouped) else None)


async def badges(site: Site, request: Request, course: str, assignment: str) -> Response:
    """How many papers of an assignment stand where, at the cost of one row.

    Answers 304 to an If-None-Match that still holds.
    """
    counts = await site.engine.badges(course, assignment)
    tag = _tag(counts)
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if _holds(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return as_json(counts, headers=headers)


def _tag(counts: Badges) -> str:
    numbers = (
        counts.in_progress,
        counts.submitted,
        counts.graded,
        counts.released,
        counts.grading,
    )
    return '"{}"'.format("-".join(map(str, numbers)))


def _holds(told: str, tag: str) -> bool:
    """Weak comparison, as RFC 9110 asks for If-None-Match."""
    tags = (one.strip().removeprefix("W/") for one in told.split(","))
    return any(one in ("*", tag) for one in tags)


def read_rubric(raw: Raw) -> str:
    """TOML as it is, or as JSON {"source"}."""
    if raw.media_type == JSON:
        return read_json(raw, RubricSource).source
    if raw.media_type not in _TEXTS:
        raise wrong_type(raw, TOML, "text/plain", JSON)
    try:
        return raw.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(
            422, "bad_encoding", f"the rubric is not UTF-8 text (byte {error.start})"
        ) from None


async def put_rubric(site: Site, course: Name, assignment: Name, body: str) -> RubricAnswer:
    """Give an assignment its rubric. New content becomes a new version; old grades keep theirs."""
    return await _rubric(site, await site.engine.rubrics.give(course, assignment, body))


async def rubric(site: Site, course: str, assignment: str) -> RubricAnswer:
    """The rubric that an assignment's papers are graded by now."""
    rubric_id = await site.store.assignment_rubric(course, assignment)
    if rubric_id is None:
        raise Problem(404, "no_rubric", f"the assignment {course}/{assignment} has no rubric")
    return await _rubric(site, rubric_id)


async def _rubric(site: Site, rubric_id: int) -> RubricAnswer:
    row = await site.store.rubric(rubric_id)
    assert row is not None
    return _answer(row, await site.engine.rubrics.get(rubric_id))


def _answer(row: RubricRow, rubric: Rubric) -> RubricAnswer:
    return RubricAnswer(
        rubric_id=row.id,
        name=row.name,
        version=row.version,
        title=rubric.title,
        max_score=rubric.max_score,
        criteria=[
            CriterionAnswer(
                one.id, one.description, [told(LevelAnswer, level) for level in one.levels]
            )
            for one in rubric.criteria
        ],
        source=row.source,
        created_at=row.created_at,
    )
