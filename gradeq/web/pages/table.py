"""The table of pages: every address that a person's browser may ask for."""

from __future__ import annotations

from gradeq.web.pages import add, courses
from gradeq.web.visit import Page

_ADD = "/courses/{course}/assignments/{assignment}/add"

PAGES: tuple[tuple[str, str, Page], ...] = (
    ("GET", "/", courses.show),
    ("GET", "/new", add.new),
    ("GET", _ADD, add.show),
    ("POST", _ADD, add.add),
)
