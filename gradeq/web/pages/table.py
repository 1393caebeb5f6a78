"""The table of pages: every address that a person's browser may ask for."""

from __future__ import annotations

from collections.abc import Mapping

from gradeq.web.pages import courses, review, review_acts
from gradeq.web.visit import Page

_SUBMISSION = "/submissions/{submission:int}"

_ACTS: Mapping[str, Page] = {
    "grade": review_acts.save,
    "review": review_acts.accept,
    "release": review_acts.release,
    "release-reviewed": review_acts.release_reviewed,
    "take-back": review_acts.take_back,
    "retry": review_acts.retry,
}

PAGES: tuple[tuple[str, str, Page], ...] = (
    ("GET", "/", courses.show),
    ("GET", _SUBMISSION, review.show),
    ("GET", f"{_SUBMISSION}/news", review.news),
    *(("POST", f"{_SUBMISSION}/{name}", act) for name, act in _ACTS.items()),
    # Where something was refused the page stands under the act's own address: a reload leads back.
    *(("GET", f"{_SUBMISSION}/{name}", review_acts.back) for name in _ACTS),
)
