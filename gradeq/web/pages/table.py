"""The table of pages: every address that a person's browser may ask for."""

from __future__ import annotations

from gradeq.web.pages import courses
from gradeq.web.visit import Page

PAGES: tuple[tuple[str, str, Page], ...] = (("GET", "/", courses.show),)
