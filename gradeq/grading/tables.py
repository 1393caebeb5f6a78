"""Rows of papers in .csv and .jsonl text, each with its place in the file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

_DELIMITERS = (",", ";", "\t")
_HINTS = ("sep=", *(f"sep={one}" for one in _DELIMITERS))
"""A first line for Excel, which shows it to nobody: what stands between the cells."""
_NEEDED = ("id", "text")
_KNOWN = ("id", "text", "student")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be read. `row` counts from 1; in a .csv the header is row 1."""

    file: str
    row: int | None
    field: str | None
    message: str

    def __str__(self) -> str:
        row = [] if self.row is None else [f"row {self.row}"]
        return f"{', '.join([self.file, *row, *filter(None, [self.field])])}: {self.message}"


@dataclass(frozen=True, slots=True)
class Record:
    """One paper before it is checked: the values of one row or of one file."""

    file: str
    row: int | None
    values: Mapping[str, Any]

    def problem(self, field: str | None, message: str) -> Problem:
        return Problem(self.file, self.row, field, message)


def csv_records(text: str, file: str) -> Iterator[Record | Problem]:
    """Papers of a .csv; comma, semicolon or tab between the cells, whichever fits the header."""
    rows = _csv_rows(text, file, _delimiter(text))
    _, first = next(rows, (1, []))
    if isinstance(first, list) and "".join(first).lower() in _HINTS:
        _, first = next(rows, (2, []))
    if isinstance(first, Problem):
        yield first
        return
    header = _header(first)
    if problems := list(_header_problems(header, file)):
        yield from problems
        return
    for row, cells in rows:
        if isinstance(cells, Problem):
            yield cells
        elif any(map(str.strip, cells)):
            yield _csv_record(header, cells, file, row)


def jsonl_records(text: str, file: str) -> Iterator[Record | Problem]:
    """Papers of a .jsonl: one JSON object on each line; blank lines are skipped."""
    if text.lstrip().startswith("["):
        message = "is one JSON list; a .jsonl has one object on each line, without [ ] around them"
        yield Problem(file, 1, None, message)
        return
    for row, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield _json_record(line, file, row)


def _csv_rows(text: str, file: str, delimiter: str) -> Iterator[tuple[int, list[str] | Problem]]:
    """Rows with their numbers; after a mistake in the quoting nothing behind it can be trusted."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    row = 0
    try:
        for row, cells in enumerate(reader, start=1):
            yield row, cells
    except csv.Error as error:
        message = f"{_csv_mistake(str(error))} This row and those after it were not read."
        yield row + 1, Problem(file, row + 1, None, message)


def _csv_mistake(error: str) -> str:
    if "field limit" in error:
        most = f"{csv.field_size_limit():,}"
        return (
            f"a cell is longer than {most} characters: is a closing quotation mark missing? "
            "Papers of that length belong in a .jsonl or in a folder of .txt files."
        )
    if "unexpected end" in error:
        return "a quotation mark is opened here and never closed."
    return 'a quotation mark inside a quoted cell must be doubled ("").'


def _delimiter(text: str) -> str:
    beginning = text[:10_000]
    hint, _, rest = beginning.partition("\n")
    if hint.strip().lower().startswith("sep="):
        beginning = rest

    def fitness(delimiter: str) -> tuple[int, int]:
        header: list[str] = []
        with suppress(csv.Error, StopIteration):
            header = _header(next(csv.reader(io.StringIO(beginning), delimiter=delimiter)))
        return sum(name in header for name in _NEEDED), len(header)

    return max(_DELIMITERS, key=fitness)


def _header(cells: Sequence[str]) -> list[str]:
    """Column names; those that gradeq knows in lower case, the rest as the file has them."""
    names = [cell.strip() or f"column {number}" for number, cell in enumerate(cells, start=1)]
    return [name.lower() if name.lower() in _KNOWN else name for name in names]


def _header_problems(header: list[str], file: str) -> Iterator[Problem]:
    for name in _NEEDED:
        if name not in header:
            found = ", ".join(header) or "none"
            message = f"there is no such column; the first row must name it. Found: {found}"
            yield Problem(file, 1, name, message)
    for name in sorted({name for name in header if header.count(name) > 1}):
        yield Problem(file, 1, name, "two columns have this name; rename or remove one")


def _csv_record(header: list[str], cells: list[str], file: str, row: int) -> Record | Problem:
    width = len(header)
    if len(cells) < width or any(cells[width:]):
        message = (
            f"has {len(cells)} cells where the header has {width}: text with a separator, "
            "a line break or a quotation mark in it must stand in quotes"
        )
        return Problem(file, row, None, message)
    return Record(file, row, dict(zip(header, cells, strict=False)))


def _json_record(line: str, file: str, row: int) -> Record | Problem:
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        return Problem(file, row, None, f"is not JSON: {error}")
    if not isinstance(value, dict):
        return Problem(file, row, None, 'is not a JSON object, like {"id": "1", "text": "..."}')
    return Record(file, row, value)
