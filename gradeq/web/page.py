"""The page at /: the assignments and their badges, readable without JavaScript, live with it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gradeq.store.base import Badges
from gradeq.web.problems import problem_of
from gradeq.web.site import Site

STATIC = Path(__file__).parent / "static"
_MOST_ROWS = 1000
_COLUMNS = (
    ("in_progress", "In progress", "The student is still writing"),
    ("submitted", "Submitted", "Handed in, not graded"),
    ("grading", "Grading", "In the queue or being graded now"),
    ("graded", "Graded", "Graded, for a person to look at"),
    ("released", "Released", "Released to the student by a person"),
)

_Row = tuple[str, str, Badges]


async def page(site: Site, request: Request) -> Response:
    """Rendered from the counts as they stand; the script continues from `data-after`."""
    try:
        after = await site.store.last_event()
        rows = await site.store.assignments()
    except Exception as error:
        return problem_of(error, request).response()
    return HTMLResponse(_page(rows, after), headers={"Cache-Control": "no-store"})


def _page(rows: Sequence[_Row], after: int) -> str:
    heads = "".join(
        f'<th scope="col" class="count" title="{escape(why)}">{escape(label)}</th>'
        for _, label, why in _COLUMNS
    )
    body = "\n".join(_row(*row) for row in rows[:_MOST_ROWS])
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>gradeq</title>
<link rel="icon" href="static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="static/gradeq.css">
<script src="static/badges.js" defer></script>
<noscript><meta http-equiv="refresh" content="15"></noscript>
</head>
<body data-after="{after}">
<header>
<h1>gradeq</h1>
<p id="state" role="status" data-state="still">These counts are as of when the page was opened.</p>
</header>
<main>
<p id="empty"{" hidden" if rows else ""}>No papers yet. Import some with
<code>gradeq import</code> or <code>POST /api/submissions</code>.</p>
<table id="badges"{"" if rows else " hidden"}>
<thead><tr><th scope="col">Assignment</th>{heads}<th scope="col">Done</th></tr></thead>
<tbody>
{body}
</tbody>
</table>
{_cut(len(rows))}
<template id="row">{_row("", "", Badges())}</template>
</main>
<footer>Nothing reaches a student before a person releases it.</footer>
</body>
</html>
"""


def _row(course: str, assignment: str, badges: Badges) -> str:
    counts = "".join(
        f'<td class="count" data-label="{label}"><span class="badge {key}" data-count="{key}" '
        f'data-value="{getattr(badges, key)}">{getattr(badges, key)}</span></td>'
        for key, label, _ in _COLUMNS
    )
    return (
        f'<tr data-course="{escape(course)}" data-assignment="{escape(assignment)}">'
        f'<th scope="row"><span class="assignment">{escape(assignment)}</span> '
        f'<span class="course">{escape(course)}</span></th>{counts}{_progress(badges)}</tr>'
    )


def _progress(badges: Badges) -> str:
    done = badges.graded + badges.released
    whole = done + badges.submitted
    return (
        f'<td class="done"><progress max="{max(1, whole)}" value="{done}" '
        f'aria-label="graded"></progress></td>'
    )


def _cut(count: int) -> str:
    if count <= _MOST_ROWS:
        return ""
    return f"<p>The first {_MOST_ROWS:,} of {count:,} assignments are shown.</p>"
