"""Input with mistakes: all of them are named, and nothing goes in unless the user says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_kit import School, gradeq, jsonl, text


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("empty.csv", b"", "is empty"),
        ("binary.csv", b"id,text\n\x00\xff\x00", "not a text file"),
        ("old.csv", "id,text\n1,Jürgen\n".encode("latin-1"), "UTF-8"),
        ("columns.csv", b"name,essay\n1,x\n", "columns.csv, row 1, text: there is no such column"),
        ("twice.csv", b"id,text\n1,one text\n1,another\n", "twice.csv, row 3, id: '1' is the id"),
        ("noid.csv", b"id,text\n,one text\n", "noid.csv, row 2, id"),
        ("list.jsonl", b'[{"id":"1","text":"x"}]', "one object on each line"),
        ("broken.jsonl", b'{"id":"1","text":\n', "broken.jsonl, row 1: is not JSON"),
        ("papers.xlsx", b"PK", ".xlsx files cannot be read"),
    ],
)
def test_a_bad_file_is_refused_whole(school: School, name, content, told):
    Path(name).write_bytes(content)
    for words in (("run", name, "--rubric", school.rubric, *school.provider), ("import", name)):
        typed = gradeq(*words)
        assert typed.code == 2
        assert told in typed.err
    assert not Path("gradeq.db").exists()


def test_missing_input(school: School):
    Path("nothing").mkdir()
    for name, told in (("nowhere.csv", "no such file"), ("nothing", "no papers")):
        typed = school.run(Path(name))
        assert typed.code == 2
        assert told in typed.err


def test_every_problem_is_named_and_nothing_goes_in(school: School):
    rows = [{"id": f"p{n}" if n % 2 else "", "text": text(n)} for n in range(60)]
    typed = school.run(school.table(rows))
    assert typed.code == 2
    assert "30 problems" in typed.err
    assert all(f"row {n + 2}, id" in typed.err for n in range(0, 60, 2))
    assert "--skip-invalid" in typed.err
    assert not Path("gradeq.db").exists()


def test_the_valid_ones_go_in_when_asked(school: School):
    papers = school.table([{"id": "a", "text": text(1)}, {"id": "", "text": text(2)}])
    typed = school.run(papers, "--skip-invalid", "--out", "results.jsonl")
    assert typed.code == 1
    assert (typed.told["graded"], typed.told["skipped_invalid"]) == (1, 1)
    assert "essays.csv, row 3, id" in typed.err
    assert [row["id"] for row in jsonl(Path("results.jsonl"))] == ["a"]


def test_excel_writes_a_mark_and_semicolons(school: School):
    Path("excel.csv").write_text(f"id;student;text\n1;Zoë;{text(1)}\n", "utf-8-sig")
    typed = school.run(Path("excel.csv"), "--out", "results.jsonl")
    assert typed.code == 0, typed.err
    assert jsonl(Path("results.jsonl"))[0]["extra"] == {"student": "Zoë"}


def test_a_rubric_with_mistakes_names_file_and_line(school: School):
    school.rubric.write_text('title = "x"\n[[criteria]]\nid = "a b"\npoints = "two"\n', "utf-8")
    typed = school.run(school.papers(1))
    assert typed.code == 2
    assert "rubric.toml, line 3" in typed.err
    assert "rubric.toml, line 4" in typed.err
    assert not Path("gradeq.db").exists()


def test_a_missing_rubric(school: School):
    school.rubric = Path("nowhere.toml")
    typed = school.run(school.papers(1))
    assert typed.code == 2
    assert "nowhere.toml: no such file" in typed.err


def test_a_bad_configuration_names_the_key(school: School):
    Path("gradeq.toml").write_text('[provider.x]\nkind = "openai"\nmodle = "y"\n', "utf-8")
    typed = school.run(school.papers(1))
    assert typed.code == 2
    assert "did you mean 'model'" in typed.err
