"""The table of pages: every address that a person's browser may ask for."""

from __future__ import annotations

from collections.abc import Mapping

from gradeq.web.pages import (
    add,
    assignment,
    batches,
    changes,
    courses,
    grading,
    people,
    queue,
    review,
    review_acts,
    rubric,
    sign_in,
    walk,
)
from gradeq.web.visit import Page

_ASSIGNMENT = "/courses/{course}/assignments/{assignment}"
_OPEN_BATCH = f"{_ASSIGNMENT}/batches/{{batch_id:int}}"
_RUBRIC = f"{_ASSIGNMENT}/rubric"
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
    ("GET", "/new", add.new),
    ("GET", f"{_ASSIGNMENT}/add", add.show),
    ("POST", f"{_ASSIGNMENT}/add", add.add),
    ("GET", _ASSIGNMENT, assignment.show),
    ("GET", f"{_ASSIGNMENT}/grade", grading.confirm),
    ("POST", f"{_ASSIGNMENT}/grade", grading.confirm),
    ("POST", f"{_ASSIGNMENT}/order", grading.order),
    ("GET", f"{_ASSIGNMENT}/review", walk.begin),
    ("POST", f"{_ASSIGNMENT}/release", changes.release),
    ("POST", f"{_ASSIGNMENT}/take-back", changes.take_back),
    ("POST", f"{_ASSIGNMENT}/archive", changes.archive),
    ("POST", f"{_ASSIGNMENT}/unarchive", changes.unarchive),
    ("POST", f"{_ASSIGNMENT}/retry", changes.retry),
    ("POST", f"{_OPEN_BATCH}/pause", changes.pause),
    ("POST", f"{_OPEN_BATCH}/resume", changes.resume),
    ("POST", f"{_OPEN_BATCH}/cancel", changes.cancel),
    ("GET", _SUBMISSION, review.show),
    ("GET", f"{_SUBMISSION}/news", review.news),
    *(("POST", f"{_SUBMISSION}/{name}", act) for name, act in _ACTS.items()),
    # Where something was refused the page stands under the act's own address: a reload leads back.
    *(("GET", f"{_SUBMISSION}/{name}", review_acts.back) for name in _ACTS),
    ("GET", _RUBRIC, rubric.show),
    ("POST", _RUBRIC, rubric.post),
    ("POST", f"{_RUBRIC}/preview", rubric.preview),
    ("GET", f"{_RUBRIC}/toml", rubric.show_toml),
    ("POST", f"{_RUBRIC}/toml", rubric.post_toml),
    ("POST", f"{_RUBRIC}/file", rubric.read_file),
    ("GET", f"{_RUBRIC}/download", rubric.download),
    ("GET", f"{_RUBRIC}/versions/{{rubric_id}}", rubric.show_version),
    ("POST", f"{_RUBRIC}/versions/{{rubric_id}}/assign", rubric.assign_version),
    ("GET", "/batches", batches.show_all),
    ("GET", "/batches/{batch}", batches.show),
    ("POST", "/batches/{batch}/pause", batches.pause),
    ("POST", "/batches/{batch}/resume", batches.resume),
    ("POST", "/batches/{batch}/cancel", batches.cancel),
    ("POST", "/batches/{batch}/retry", batches.retry),
    ("GET", "/queue", queue.show),
    ("POST", "/queue/resume", queue.resume),
    ("POST", "/queue/retry", queue.retry),
    ("POST", "/queue/cancel", queue.cancel),
    ("GET", "/sign-in", sign_in.show),
    ("POST", "/sign-in", sign_in.sign_in),
    ("POST", "/sign-out", sign_in.sign_out),
    ("GET", "/people", people.show),
    ("POST", "/people", people.add),
    ("POST", "/people/change", people.change),
    ("POST", "/people/link", people.link),
    ("POST", "/people/end", people.end),
)
