"""Results files: whole or not there, and safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from cli_kit import jsonl, table
from hypothesis import given
from hypothesis import strategies as st

from gradeq.errors import ConfigError, GradeqError
from gradeq.export import FIXED, CsvColumns, Exported, check_target, jsonl_line, write_results
from gradeq.model import CriterionGrade, Evidence, Grade
from gradeq.results import GRADED, UNGRADED, Result


def graded(name: str, *criteria: tuple[str, float | None], feedback: str = "Good.") -> Result:
    rows = tuple(
        CriterionGrade(one, "level", points, "why", (Evidence("a", 0, 1, True),))
        for one, points in criteria
    )
    return Result(name, GRADED, Grade(2.5, 4.0, rows, feedback, ("blank",), "m"))


def pages_of(*pages: Sequence[Exported]):
    async def pages_() -> AsyncIterator[Sequence[Exported]]:
        for page in pages:
            yield page

    return pages_


async def test_columns_come_from_all_pages(here: Path):
    path = here / "results.csv"
    first = Exported(graded("a", ("claim", 2.0)), {"group": "7b"})
    second = Exported(graded("b", ("style", None)), {"score": "5", "group": "7c"})
    assert await write_results(path, pages_of([first], [second])) == 2
    rows = table(path)
    assert tuple(rows[0]) == (*FIXED, "group", "input_score", "points_claim", "points_style")
    assert (rows[0]["score"], rows[0]["points_claim"], rows[0]["points_style"]) == (
        "2.5",
        "2.0",
        "",
    )
    assert (rows[1]["input_score"], rows[1]["points_claim"]) == ("5", "")
    assert json.loads(rows[0]["criteria"])[0]["evidence"][0]["verified"] is True


async def test_the_spreadsheet_has_a_mark_and_the_lines_have_none(here: Path):
    one = Exported(graded("Jürgen", ("c", 1.0)))
    for name in ("results.csv", "results.jsonl"):
        await write_results(here / name, pages_of([one]))
    assert (here / "results.csv").read_bytes().startswith(b"\xef\xbb\xbfid,status")
    assert (here / "results.jsonl").read_bytes().startswith(b'{"id":"J\xc3\xbcrgen"')


async def test_a_failure_leaves_the_old_file_and_nothing_else(here: Path):
    path = here / "results.jsonl"
    path.write_text("old", "utf-8")

    async def pages() -> AsyncIterator[Sequence[Exported]]:
        yield [Exported(Result("a", UNGRADED))]
        raise OSError(28, "No space left on device")

    with pytest.raises(GradeqError, match=r"No space left .* safe in the database"):
        await write_results(path, pages)
    assert path.read_text("utf-8") == "old"
    assert list(here.iterdir()) == [path]


async def test_a_link_stays_a_link(here: Path):
    (here / "real").mkdir()
    link = here / "results.jsonl"
    try:
        link.symlink_to(here / "real" / "results.jsonl")
    except OSError:
        pytest.skip("this user may not make links")
    await write_results(link, pages_of([Exported(Result("a", UNGRADED))]))
    assert link.is_symlink()
    assert jsonl(here / "real" / "results.jsonl")[0]["id"] == "a"


def test_a_target_is_checked_without_being_touched(here: Path):
    path = here / "results.csv"
    check_target(path)
    assert list(here.iterdir()) == []
    path.write_text("old", "utf-8")
    check_target(path)
    assert path.read_text("utf-8") == "old"
    for bad in (here / "results.txt", here / "no" / "results.csv", here):
        with pytest.raises(ConfigError):
            check_target(bad)


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_formulas_are_text(begin: str):
    cells = cells_of(begin + "SUM(A1)")
    assert cells[FIXED.index("id")] == "'" + begin + "SUM(A1)"
    assert cells[-1] == "'" + begin + "SUM(A1)"


@pytest.mark.parametrize("number", ["-5", "+3", "-2.5", "-2,5"])
def test_numbers_stay_numbers(number: str):
    assert cells_of(number)[-1] == number


def cells_of(text: str) -> list[object]:
    one = Exported(graded(text, feedback=text), {"other": text})
    columns = CsvColumns()
    columns.note(one)
    return columns.cells(one)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1))
def test_no_text_is_run_and_none_is_lost(text: str):
    one = Exported(Result(text, UNGRADED, reason=text), {text: text})
    columns = CsvColumns()
    columns.note(one)
    file = io.StringIO(newline="")
    csv.writer(file).writerows([columns.header(), columns.cells(one)])
    rows = list(csv.reader(io.StringIO(file.getvalue(), newline="")))
    for cell in rows[1]:
        is_number = cell.lstrip("+-").replace(",", ".", 1).replace(".", "", 1).isdecimal()
        assert is_number or not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert rows[1][0].removeprefix("'") == text.removeprefix("'")
    assert json.loads(jsonl_line(one))["extra"] == {text: text}
