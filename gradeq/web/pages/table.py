"""The table of pages: every address that a person's browser may ask for."""

from __future__ import annotations

from gradeq.web.pages import add, courses, people, sign_in
from gradeq.web.visit import Page

_ASSIGNMENT = "/courses/{course}/assignments/{assignment}"

PAGES: tuple[tuple[str, str, Page], ...] = (
    ("GET", "/", courses.show),
    ("GET", "/new", add.new),
    ("GET", f"{_ASSIGNMENT}/add", add.show),
    ("POST", f"{_ASSIGNMENT}/add", add.add),
    ("GET", "/sign-in", sign_in.show),
    ("POST", "/sign-in", sign_in.sign_in),
    ("POST", "/sign-out", sign_in.sign_out),
    ("GET", "/people", people.show),
    ("POST", "/people", people.add),
    ("POST", "/people/change", people.change),
    ("POST", "/people/link", people.link),
    ("POST", "/people/end", people.end),
)
