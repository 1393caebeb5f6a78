"""The table of pages: every address that a person's browser may ask for."""

from __future__ import annotations

from gradeq.web.pages import assignment, changes, courses, grading
from gradeq.web.visit import Page

_ASSIGNMENT = "/courses/{course}/assignments/{assignment}"
_OPEN_BATCH = _ASSIGNMENT + "/batches/{batch_id:int}"

PAGES: tuple[tuple[str, str, Page], ...] = (
    ("GET", "/", courses.show),
    ("GET", _ASSIGNMENT, assignment.show),
    ("GET", f"{_ASSIGNMENT}/grade", grading.confirm),
    ("POST", f"{_ASSIGNMENT}/grade", grading.confirm),
    ("POST", f"{_ASSIGNMENT}/order", grading.order),
    ("POST", f"{_ASSIGNMENT}/release", changes.release),
    ("POST", f"{_ASSIGNMENT}/archive", changes.archive),
    ("POST", f"{_ASSIGNMENT}/unarchive", changes.unarchive),
    ("POST", f"{_ASSIGNMENT}/retry", changes.retry),
    ("POST", f"{_OPEN_BATCH}/pause", changes.pause),
    ("POST", f"{_OPEN_BATCH}/resume", changes.resume),
    ("POST", f"{_OPEN_BATCH}/cancel", changes.cancel),
)
