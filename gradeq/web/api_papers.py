"""Submissions: import, list by tab, put away, release."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from gradeq.errors import NotFoundError
from gradeq.model import NewSubmission, Submission, SubmissionStatus
from gradeq.results import why_ungraded
from gradeq.store.orders import Skipped
from gradeq.web.answers import (
    AddedAnswer,
    Done,
    ImportAnswer,
    OneSubmission,
    SubmissionAnswer,
    SubmissionsAnswer,
    told,
)
from gradeq.web.bodies import Archive, Id, Paper, Release, SubmissionPage
from gradeq.web.intake import Raw, flaw, read_json
from gradeq.web.people import Person
from gradeq.web.problems import Flaw, Problem
from gradeq.web.resolve import Meant, resolve
from gradeq.web.rights import require_course
from gradeq.web.site import Site

log = logging.getLogger("gradeq")
IMPORT_LIMIT = 32 << 20
MOST_PAPERS = 10_000
_MOST_TOLD = 20
_FIELDS = frozenset(Paper.__struct_fields__)
_Row = dict[str, Any]


def read_papers(raw: Raw) -> list[NewSubmission]:
    """One paper or a list of them. Raises a Problem with what is wrong with the first 20."""
    told: _Row | list[_Row] = read_json(raw, _Row | list[_Row])  # type: ignore[arg-type] # a union is no class
    read = [_paper(row, place) for place, row in _rows(told)]
    if flaws := [one for one in read if isinstance(one, Flaw)]:
        raise Problem(
            422,
            "invalid_body",
            f"{len(flaws)} of {len(read)} papers cannot be taken; nothing was stored. "
            f"{flaws[0].problem} (at body {flaws[0].path})",
            problems=flaws[:_MOST_TOLD],
        )
    return [one for one in read if isinstance(one, NewSubmission)]


def _rows(told: _Row | list[_Row]) -> list[tuple[str, _Row]]:
    """Each object with its path in the body."""
    if isinstance(told, dict):
        return [("$", told)]
    if len(told) > MOST_PAPERS:
        raise Problem(
            422,
            "too_many",
            f"{len(told)} papers are more than {MOST_PAPERS} at once; nothing was stored",
        )
    return [(f"$[{place}]", row) for place, row in enumerate(told)]


def _paper(row: _Row, place: str) -> NewSubmission | Flaw:
    try:
        paper = msgspec.convert({key: row[key] for key in row if key in _FIELDS}, Paper)
    except msgspec.ValidationError as error:
        return flaw(error, place)
    given = [one for one in (paper.id, paper.external_id) if one is not None]
    if len(given) != 1:
        return Flaw(place, "name the paper by either `id` or `external_id`")
    external_id = str(given[0]).strip()
    if not external_id or not external_id.isprintable():
        return Flaw(f"{place}.id", "must be one line of printable characters")
    return NewSubmission(
        external_id=external_id,
        text=paper.text,
        student=(paper.student or "").strip(),
        course=paper.course,
        assignment=paper.assignment,
        status=SubmissionStatus(paper.status),
        extra={key: _kept(row[key]) for key in row if key not in _FIELDS},
    )


def _kept(value: object) -> str:
    """Keys that gradeq does not know are kept as text."""
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


async def add(site: Site, body: list[NewSubmission], person: Person) -> ImportAnswer:
    """Store papers without grading them: one object, or a list of up to 10,000.

    A known id with a new text replaces the old text, unless a person's decision stands on it.
    """
    for course in {one.course for one in body}:
        require_course(person, course)
    added = await site.engine.add(body)
    return ImportAnswer([told(AddedAnswer, one) for one in added])


async def listed(site: Site, query: SubmissionPage) -> SubmissionsAnswer:
    """The papers of one tab, by id: those of a status, or with `archived=1` those put away."""
    if query.archived and query.status is not None:
        raise Problem(422, "invalid_query", "archived papers are listed whatever their status")
    await site.engine.badges(query.course, query.assignment)
    found = await site.store.submissions(
        query.course,
        query.assignment,
        query.status,
        archived=query.archived,
        after=query.after,
        limit=query.limit + 1,
    )
    page = found[: query.limit]
    return SubmissionsAnswer(
        [_answer(one, with_text=query.text) for one in page],
        page[-1].id if len(found) > len(page) else None,
    )


def _answer(paper: Submission, *, with_text: bool) -> SubmissionAnswer:
    answer = told(SubmissionAnswer, paper)
    return answer if with_text else msgspec.structs.replace(answer, text=msgspec.UNSET)


async def one(site: Site, submission_id: Id) -> OneSubmission:
    """A paper with its text, its last job, and why it has no grade where it has none."""
    found = await site.store.results([submission_id])
    if not found:
        raise NotFoundError(f"there is no submission {submission_id}")
    row = found[0]
    return OneSubmission(
        **msgspec.structs.asdict(told(SubmissionAnswer, row.submission)),
        cost=row.cost,
        job_id=None if row.job is None else row.job.id,
        ungraded_reason=why_ungraded(row) if row.grade is None else None,
    )


async def release(site: Site, body: Release, person: Person) -> Done:
    """Show grades to students, in the name of the person who decided so."""
    meant = await _meant(site, person, body)
    return _done(meant, await site.engine.release(meant.ids, body.by))


async def archive(site: Site, body: Archive, person: Person) -> Done:
    """Put papers away; their open jobs are cancelled with them."""
    meant = await _meant(site, person, body)
    done = _done(meant, await site.engine.archive(meant.ids))
    log.info("%d submissions archived by %s", done.done, body.by)
    return done


async def unarchive(site: Site, body: Archive, person: Person) -> Done:
    """Take papers back; they are queued again only when somebody asks for it."""
    meant = await _meant(site, person, body)
    done = _done(meant, await site.engine.unarchive(meant.ids))
    log.info("%d submissions unarchived by %s", done.done, body.by)
    return done


async def _meant(site: Site, person: Person, body: Archive | Release) -> Meant:
    return await resolve(site, person, body.submission_ids, body.course, body.assignment)


def _done(meant: Meant, skipped: Sequence[Skipped]) -> Done:
    return Done(len(meant.ids) - len(skipped), meant.told(skipped))
