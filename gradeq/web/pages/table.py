"""The table of pages: every address that a person's browser may ask for."""

from __future__ import annotations

from gradeq.web.pages import batches, courses, queue
from gradeq.web.visit import Page

PAGES: tuple[tuple[str, str, Page], ...] = (
    ("GET", "/", courses.show),
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
)
