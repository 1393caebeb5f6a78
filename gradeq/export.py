"""Results as files: .jsonl for programs, .csv for spreadsheets. Written whole or not at all."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from gradeq.errors import ConfigError, GradeqError
from gradeq.results import Result
from gradeq.store.rows import ResultRow

FIXED = tuple(Result(id="", status="").row())
"""The columns that every results file begins with, in order."""

_POINTS = "points_"
_SUFFIXES = (".csv", ".jsonl")
# Excel takes a UTF-8 file without the mark for an older encoding and spoils every accent.
_ENCODINGS = {".csv": "utf-8-sig", ".jsonl": "utf-8"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?")


@dataclass(frozen=True, slots=True)
class Exported:
    """One submission's line: its result, and the columns that it came with."""

    result: Result
    kept: Mapping[str, str] = field(default_factory=dict)


Pages = Callable[[], AsyncIterator[Sequence[Exported]]]
"""Called once for each reading of all lines: a .csv is read twice, for its columns come first."""


def kept_columns(row: ResultRow, *, with_place: bool = False) -> dict[str, str]:
    """The other columns of a paper's input; `with_place` adds its course and assignment."""
    paper = row.submission
    place = {"course": paper.course, "assignment": paper.assignment} if with_place else {}
    student = {"student": paper.student} if paper.student else {}
    return {**place, **student, **paper.extra}


def check_target(path: Path) -> None:
    """Raises ConfigError unless results can be written to `path`; leaves nothing behind."""
    if path.suffix.lower() not in _SUFFIXES:
        raise ConfigError(
            f"{path}: results are written as .csv (for spreadsheets) or .jsonl (for programs); "
            "nothing was started. Choose a name that ends in one of these"
        )
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; nothing was started. Name a file")
    try:
        with _part_of(path).open("w"):
            pass
        _part_of(path).unlink()
        if path.exists():
            path.open("ab").close()
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be written ({error.strerror or error}); nothing was started. "
            "Check that its folder exists and may be written, and that no other program has it open"
        ) from error


async def write_results(path: Path, pages: Pages) -> int:
    """Write every line of `pages` to `path`, by its suffix; how many.

    The file is replaced at the end in one step: a reader sees the old one or the new one. Raises
    GradeqError where it cannot be written; then it is as it was before.
    """
    try:
        with _replacing(path) as file:
            if path.suffix.lower() == ".csv":
                return await _write_csv(file, pages)
            return await _write_jsonl(file, pages)
    except OSError as error:
        raise GradeqError(
            f"{path}: the results could not be written ({error.strerror or error}). "
            "The grades are safe in the database; write them with: gradeq export --out FILE"
        ) from error


@contextmanager
def _replacing(path: Path) -> Iterator[TextIO]:
    part = _part_of(path)
    encoding = _ENCODINGS[path.suffix.lower()]
    try:
        # A lone surrogate, which no encoding knows, becomes the escape that JSON has for it.
        with part.open("w", encoding=encoding, errors="backslashreplace", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, os.path.realpath(path))
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _part_of(path: Path) -> Path:
    real = Path(os.path.realpath(path))
    return real.with_name(f".{real.name}.{os.getpid()}.part")


async def _write_jsonl(file: TextIO, pages: Pages) -> int:
    count = 0
    async for page in pages():
        for one in page:
            file.write(jsonl_line(one) + "\n")
        count += len(page)
    return count


def jsonl_line(one: Exported) -> str:
    """The documented fields, then `extra` with the other columns of the input."""
    return _json({**one.result.row(), "extra": dict(one.kept)})


async def _write_csv(file: TextIO, pages: Pages) -> int:
    columns = CsvColumns()
    async for page in pages():
        for one in page:
            columns.note(one)
    writer = csv.writer(file)
    writer.writerow(columns.header())
    count = 0
    async for page in pages():
        writer.writerows(map(columns.cells, page))
        count += len(page)
    return count


class CsvColumns:
    """The columns of a .csv: the fixed ones, the input's others, then the points by criterion.

    `criteria` and `flags` are JSON in their cell. A column of the input whose name is taken is
    called `input_NAME`. Text that a spreadsheet would run as a formula begins with an apostrophe.
    """

    def __init__(self) -> None:
        self._kept: dict[str, None] = {}
        self._criteria: dict[str, None] = {}

    def note(self, one: Exported) -> None:
        """There is such a line."""
        self._kept.update(dict.fromkeys(one.kept))
        if one.result.grade is not None:
            self._criteria.update(dict.fromkeys(c.id for c in one.result.grade.criteria))

    def header(self) -> list[str]:
        points = [_POINTS + criterion for criterion in self._criteria]
        taken = {*FIXED, *points}
        kept = [f"input_{name}" if name in taken else name for name in self._kept]
        return [_cell(name) for name in (*FIXED, *kept, *points)]

    def cells(self, one: Exported) -> list[Any]:
        row = one.result.row()
        points = {criterion["id"]: criterion["points"] for criterion in row["criteria"]}
        row |= {"criteria": _json(row["criteria"]), "flags": _json(row["flags"])}
        return [
            *(_cell(row[name]) for name in FIXED),
            *(_cell(one.kept.get(name)) for name in self._kept),
            *(points.get(criterion) for criterion in self._criteria),
        ]


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
