"""The table of pages: every address that a person's browser may ask for."""

from __future__ import annotations

from gradeq.web.pages import courses, review, review_acts
from gradeq.web.visit import Page

_SUBMISSION = "/submissions/{submission:int}"

PAGES: tuple[tuple[str, str, Page], ...] = (
    ("GET", "/", courses.show),
    ("GET", _SUBMISSION, review.show),
    ("GET", f"{_SUBMISSION}/news", review.news),
    ("POST", f"{_SUBMISSION}/grade", review_acts.save),
    ("POST", f"{_SUBMISSION}/review", review_acts.accept),
    ("POST", f"{_SUBMISSION}/release", review_acts.release),
    ("POST", f"{_SUBMISSION}/release-reviewed", review_acts.release_reviewed),
    ("POST", f"{_SUBMISSION}/take-back", review_acts.take_back),
    ("POST", f"{_SUBMISSION}/retry", review_acts.retry),
)
