"""Reading the documents: pages, sections, tables and code blocks."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
ALL = [*PAGES, *(page for page in (ROOT / "README.md", ROOT / "CHANGELOG.md") if page.exists())]

CODE = re.compile(r"`([^`]+)`")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@cache
def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def reference(name: str) -> str:
    return text_of(DOCS / "reference" / f"{name}.md")


def explanation(name: str) -> str:
    return text_of(DOCS / "explanation" / f"{name}.md")


def blocks(page: Path, *languages: str) -> list[str]:
    """The code blocks of a page that are in one of these languages."""
    return [code for language, code in _FENCE.findall(text_of(page)) if language in languages]


def prose(text: str) -> str:
    """Without code blocks."""
    return _FENCE.sub("", text)


def section(text: str, heading: str) -> str:
    """What stands under `heading`, up to the next one of its rank or above."""
    rank = heading.index(" ")
    found = re.search(rf"^{re.escape(heading)}$", text, re.MULTILINE)
    assert found, f"there is no heading {heading!r}"
    end = re.compile(rf"^#{{1,{rank}}} ", re.MULTILINE).search(text, found.end())
    return text[found.end() : end.start() if end else None]


def rows(text: str) -> list[list[str]]:
    """The cells of every table row, headers and all; an escaped bar is part of its cell."""
    lines = (line for line in prose(text).splitlines() if line.startswith("|"))
    cells = ([one.strip() for one in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines)
    return [row for row in cells if not row[0] or not set(row[0]) <= set("-: ")]


def first_codes(text: str) -> list[str]:
    """The first `code` of every row whose first cell begins with one."""
    return [row[0].split("`")[1] for row in rows(text) if row[0].startswith("`")]
