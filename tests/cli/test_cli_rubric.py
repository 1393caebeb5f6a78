"""`gradeq rubric check`."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_kit import RUBRIC, SAMPLE, gradeq


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return written(tmp_path, RUBRIC)


def written(folder: Path, source: str) -> Path:
    file = folder / "rubric.toml"
    file.write_text(source, "utf-8")
    return file


def test_a_good_rubric_is_told_in_one_line(good: Path) -> None:
    typed = gradeq("rubric", "check", good)
    assert (typed.code, typed.err) == (0, "")
    assert typed.out == f"{good}: a rubric with 2 criteria, 3 points; no warnings\n"


def test_one_point_is_no_points(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        'title = "T"\nquestion = "Q?"\n[[criteria]]\nid = "a"\ndescription = "D?"\npoints = 1\n',
    )
    assert "1 criterion, 1 point; " in gradeq("rubric", "check", file).out


def test_the_example_has_no_warnings() -> None:
    told = gradeq("rubric", "check", SAMPLE / "rubric.toml", "--json").told
    assert (told["ok"], told["max_score"], told["warnings"]) == (True, 12.0, [])


def test_warnings_are_told_and_are_no_failure(tmp_path: Path) -> None:
    file = written(tmp_path, RUBRIC.replace("A clear position.", "Be strict."))
    typed = gradeq("rubric", "check", file)
    assert typed.code == 0
    assert "1 warning\n" in typed.out
    assert "Criterion claim, level clear: “Be strict” asks for harshness." in typed.out
    [warning] = gradeq("rubric", "check", file, "--json").told["warnings"]
    assert (warning["rule"], warning["criterion"], warning["level"]) == ("harsh", "claim", "clear")
    assert all(warning[part] for part in ("where", "what", "why", "instead"))


def test_mistakes_are_told_by_line_and_end_with_2(tmp_path: Path) -> None:
    file = written(tmp_path, RUBRIC.replace("points = 1", "pionts = 1"))
    typed = gradeq("rubric", "check", file)
    assert typed.code == 2
    assert "did you mean points?" in typed.err
    typed = gradeq("rubric", "check", file, "--json")
    assert (typed.code, typed.told["ok"], typed.told["warnings"]) == (2, False, [])
    assert {key: typed.told["errors"][1][key] for key in ("path", "line")} == {
        "path": ["criteria", 1, "pionts"],
        "line": 16,
    }


@pytest.mark.parametrize("source", ["title = ", "\x00", "a = 1\na = 2"])
def test_what_is_no_toml_is_an_error(tmp_path: Path, source: str) -> None:
    typed = gradeq("rubric", "check", written(tmp_path, source), "--json")
    assert typed.code == 2
    assert "is not valid TOML" in typed.told["errors"][0]["error"]


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    typed = gradeq("rubric", "check", tmp_path / "none.toml", "--json")
    assert (typed.code, typed.told["errors"][0]["path"]) == (2, [])
    assert "no such file" in typed.told["errors"][0]["error"]
