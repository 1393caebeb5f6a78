"""Reading papers: a folder of text files, a .csv, a .jsonl or a single text file, here or sent.

What cannot be read becomes a Problem and the rest is read on; nothing is guessed, least of all an
encoding. Blank papers are no problem here: whoever grades decides what a blank paper is.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import msgspec

from gradeq.grading.tables import Problem, Record, csv_records, jsonl_records
from gradeq.model import DEFAULT_ASSIGNMENT, DEFAULT_COURSE, NewSubmission

MOST_PAPER_BYTES = 20_000_000
"""A text file larger than this is no paper."""

READABLE = (".txt", ".md", ".csv", ".jsonl")
"""How the name of a file with papers ends, in whatever case."""

LONGEST_ID = 200

_PAPERS = (".txt", ".md")
_TABLES = (".csv", ".jsonl")
_SUPPORTED = "gradeq reads .txt and .md files, folders of them, .csv and .jsonl"
_FIELDS = frozenset(("id", "text", "student"))
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Papers:
    """What was read, in the order of the input, and what could not be.

    `records` holds where each valid paper stood in the input, by its id.
    """

    valid: list[NewSubmission]
    problems: list[Problem]
    records: Mapping[str, Record] = field(default_factory=dict)


def read_papers(
    path: Path, *, course: str = DEFAULT_COURSE, assignment: str = DEFAULT_ASSIGNMENT
) -> Papers:
    """Read every paper under `path`. Never raises for what a file or a folder can be like."""
    papers = _checked(_records(path), course, assignment)
    if not papers.valid and not papers.problems:
        papers.problems.append(_problem(path, f"holds no papers; {_SUPPORTED}"))
    return papers


def read_sent(name: str, data: bytes, *, course: str, assignment: str) -> Papers:
    """Read the papers of a file that somebody sent. Its `name` says what it is, and is no path."""
    file = PurePath(name.replace("\\", "/").rpartition("/")[2])
    papers = _checked(_sent_records(file, data), course, assignment)
    if not papers.valid and not papers.problems:
        papers.problems.append(_problem(file, "holds no papers"))
    return papers


def _checked(records: Iterable[Record | Problem], course: str, assignment: str) -> Papers:
    valid: dict[str, NewSubmission] = {}
    places: dict[str, Record] = {}
    problems: list[Problem] = []
    for record in records:
        if isinstance(record, Problem):
            problems.append(record)
            continue
        paper = _paper(record, course, assignment)
        if isinstance(paper, Problem):
            problems.append(paper)
        elif paper.external_id in valid:
            problems.append(_repeated(record, paper.external_id))
        else:
            valid[paper.external_id] = paper
            places[paper.external_id] = record
    return Papers(list(valid.values()), problems, places)


def _records(path: Path) -> Iterator[Record | Problem]:
    try:
        if path.is_dir():
            for file in sorted(path.iterdir(), key=_natural):
                if not file.name.startswith("."):
                    yield _folder_paper(file)
        else:
            yield from _file_records(path)
    except OSError as error:
        yield _unreadable(path, error)


def _natural(path: Path) -> list[str | int]:
    """e2 before e10."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return [int(part) if part.isdecimal() else part for part in parts]


def _folder_paper(file: Path) -> Record | Problem:
    if file.is_symlink():
        return _problem(file, "is a link, and links are not followed: copy the file itself here")
    if file.is_dir():
        return _problem(file, "is a folder; only the files directly in the input folder are read")
    if file.suffix.lower() not in _PAPERS:
        return _unsupported(file)
    return _text_paper(file)


def _file_records(path: Path) -> Iterator[Record | Problem]:
    suffix = path.suffix.lower()
    if not path.exists():
        yield _problem(path, "there is no such file or folder")
    elif suffix in _PAPERS:
        yield _text_paper(path)
    elif suffix not in _TABLES:
        yield _unsupported(path)
    elif isinstance(text := _text(path), Problem):
        yield text
    else:
        yield from _table_records(text, path)


def _sent_records(file: PurePath, data: bytes) -> Iterator[Record | Problem]:
    suffix = file.suffix.lower()
    if suffix not in READABLE:
        yield _unsupported(file)
    elif suffix in _PAPERS and len(data) > MOST_PAPER_BYTES:
        yield _too_large(file, MOST_PAPER_BYTES)
    elif isinstance(text := _decoded(data, file), Problem):
        yield text
    elif suffix in _PAPERS:
        yield _paper_of(file, text)
    else:
        yield from _table_records(text, file)


def _table_records(text: str, file: PurePath) -> Iterator[Record | Problem]:
    if not text.strip():
        yield _problem(file, "is empty")
    else:
        read = csv_records if file.suffix.lower() == ".csv" else jsonl_records
        yield from read(text, file.name)


def _text_paper(file: Path) -> Record | Problem:
    text = _text(file, most=MOST_PAPER_BYTES)
    return text if isinstance(text, Problem) else _paper_of(file, text)


def _paper_of(file: PurePath, text: str) -> Record:
    return Record(file.name, None, {"id": file.stem, "text": text})


def _text(path: Path, most: int | None = None) -> str | Problem:
    try:
        if not path.is_file():
            return _problem(path, "is not an ordinary file")
        if most is not None and path.stat().st_size > most:
            return _too_large(path, most)
        return _decoded(path.read_bytes(), path)
    except OSError as error:
        return _unreadable(path, error)


def _too_large(path: PurePath, most: int) -> Problem:
    return _problem(path, f"is larger than {most // 1_000_000} MB, too large for a paper")


def _decoded(data: bytes, path: PurePath) -> str | Problem:
    """UTF-8, or UTF-16 and UTF-32 that say so. Guessing an older encoding would corrupt names."""
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), "utf-8")
    if b"\0" in data and encoding.startswith("utf-8"):
        return _problem(path, "is not a text file: it holds NUL bytes")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.removesuffix("-sig").upper()
        line = error.object.count(b"\n", 0, error.start) + 1
        return _problem(
            path,
            f"is not {name} text: byte 0x{error.object[error.start]:02X} in line {line}. "
            'Save it again as UTF-8 (in Excel: "CSV UTF-8")',
        )


def _paper(record: Record, course: str, assignment: str) -> NewSubmission | Problem:
    """A checked paper, or the first thing that is wrong with it."""
    values = record.values
    identifier = _identifier(values.get("id"))
    text, student = values.get("text"), values.get("student")
    if not identifier:
        return record.problem("id", f"must be text or a whole number, but is {_kind(values, 'id')}")
    if len(identifier) > LONGEST_ID or not identifier.isprintable():
        return record.problem("id", f"must be one line of at most {LONGEST_ID} characters")
    if not isinstance(text, str):
        return record.problem("text", f"must be text, but is {_kind(values, 'text')}")
    if "\0" in text:
        return record.problem("text", "holds a NUL character, so it is no text")
    if not isinstance(student, str | None):
        return record.problem("student", f"must be text, but is {_kind(values, 'student')}")
    return NewSubmission(
        external_id=identifier,
        text=text,
        student=(student or "").strip(),
        course=course,
        assignment=assignment,
        extra={str(key): cell_text(values[key]) for key in values if key not in _FIELDS},
    )


def _repeated(record: Record, identifier: str) -> Problem:
    return record.problem("id", f"{identifier!r} is the id of an earlier paper")


def _identifier(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def cell_text(value: object) -> str:
    """A value of a file as text, as columns that gradeq does not know are kept."""
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


def _kind(values: Mapping[str, Any], key: str) -> str:
    if key not in values:
        return "missing"
    value = values[key]
    if isinstance(value, str) and not value.strip():
        return "empty"
    kinds = {type(None): "null", list: "a list", dict: "an object", bool: "true or false"}
    return kinds.get(type(value), "a number")


def _unsupported(path: PurePath) -> Problem:
    kind = f"{path.suffix} files" if path.suffix else "files without a suffix"
    hint = ": save it as text" if path.suffix.lower() in (".pdf", ".docx", ".doc", ".odt") else ""
    return _problem(path, f"{kind} cannot be read{hint}; {_SUPPORTED}")


def _unreadable(path: Path, error: OSError) -> Problem:
    if isinstance(error, PermissionError):
        return _problem(path, "may not be read: check its permissions")
    return _problem(path, f"cannot be read: {error.strerror or error}")


def _problem(path: PurePath, message: str) -> Problem:
    return Problem(path.name or str(path), None, None, message)
