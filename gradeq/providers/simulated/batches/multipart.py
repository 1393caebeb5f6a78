"""multipart/form-data, as much of it as a file's upload needs (RFC 7578)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_BOUNDARY = re.compile(r'multipart/form-data;.*?boundary="?([^";,]+)"?', re.IGNORECASE)
_DISPOSITION = re.compile(r'form-data;\s*name="([^"]*)"(?:;\s*filename="([^"]*)")?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form; `filename` is "" where it is no file."""

    data: bytes
    filename: str = ""


def read_form(content_type: str, body: bytes) -> dict[str, Field]:
    """Fields by name. Raises ValueError for what is no such form."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise ValueError("the content type names no boundary")
    parts = (b"\r\n" + body).split(b"\r\n--" + found[1].encode("latin-1"))
    if len(parts) < 3 or not parts[-1].startswith(b"--"):
        raise ValueError("the form has no end")
    return dict(_field(part) for part in parts[1:-1])


def _field(part: bytes) -> tuple[str, Field]:
    head, blank_line, data = part.partition(b"\r\n\r\n")
    named = _DISPOSITION.search(head.decode("utf-8", "replace"))
    if not blank_line or named is None:
        raise ValueError("a field of the form has no name")
    return named[1], Field(data, named[2] or "")
