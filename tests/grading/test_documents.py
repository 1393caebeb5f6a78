from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeq.grading.documents import MOST_PAPER_BYTES, Papers, read_papers
from gradeq.grading.tables import Record, csv_records, jsonl_records
from gradeq.model import NewSubmission

EXAMPLE = Path(__file__).parents[2] / "examples" / "class" / "essays.csv"
HEADER = "id,student,text\n"


def read(folder: Path, name: str, data: str | bytes) -> Papers:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_papers(path)


def problems(papers: Papers) -> list[str]:
    assert papers.valid == []
    return [str(problem) for problem in papers.problems]


def test_the_example_class() -> None:
    papers = read_papers(EXAMPLE, course="English", assignment="essay 1")
    assert papers.problems == []
    assert [paper.external_id for paper in papers.valid] == [f"e{n:02}" for n in range(1, 31)]
    first = papers.valid[0]
    assert (first.student, first.course, first.assignment) == (
        "Tomasz Wielgus",
        "English",
        "essay 1",
    )
    assert first.extra == {"hand_in": "2026-10-15T16:42:10Z"}
    assert papers.valid[14].text.strip() == ""


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("has_hint", [False, True])
def test_csv_as_spreadsheets_write_it(
    tmp_path: Path, delimiter: str, newline: str, encoding: str, *, has_hint: bool
) -> None:
    rows = [
        [" ID ", "Student", "Text", "Room"],
        ["1", "Zoë", f'"A ""quoted""{newline}line{delimiter} and more"', "=1+1"],
        ["2", "", "", ""],
        ["", "", "", ""],
        [],
    ]
    hint = [f"sep={delimiter}"] if has_hint else []
    data = newline.join([*hint, *(delimiter.join(row) for row in rows)])
    papers = read(tmp_path, "class.csv", data.encode(encoding))
    assert papers.problems == []
    assert papers.valid == [
        NewSubmission(
            "1", f'A "quoted"{newline}line{delimiter} and more', "Zoë", extra={"Room": "=1+1"}
        ),
        NewSubmission("2", "", "", extra={"Room": ""}),
    ]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ["c.csv: is empty"]),
        (b" \n\n", ["c.csv: is empty"]),
        (b"\xef\xbb\xbf", ["c.csv: is empty"]),
        (
            "id,student,answer\n1,A,x",
            [
                "c.csv, row 1, text: there is no such column; the first row must name it. "
                "Found: id, student, answer"
            ],
        ),
        (
            "1,A,x\n2,B,y",
            [
                f"c.csv, row 1, {name}: there is no such column; the first row must name it. "
                "Found: 1, A, x"
                for name in ("id", "text")
            ],
        ),
        (
            "id,text,Text\n1,a,b",
            ["c.csv, row 1, text: two columns have this name; rename or remove one"],
        ),
        (HEADER + ",A,x", ["c.csv, row 2, id: must be text or a whole number, but is empty"]),
        (
            HEADER + '"a\nb",A,x',
            ["c.csv, row 2, id: must be one line of at most 200 characters"],
        ),
        (
            HEADER + "x" * 201 + ",A,x",
            ["c.csv, row 2, id: must be one line of at most 200 characters"],
        ),
        (
            HEADER + "1,A,a comma, too\n",
            [
                "c.csv, row 2: has 4 cells where the header has 3: text with a separator, a line "
                "break or a quotation mark in it must stand in quotes"
            ],
        ),
        (
            HEADER + "1,A\n",
            [
                "c.csv, row 2: has 2 cells where the header has 3: text with a separator, a line "
                "break or a quotation mark in it must stand in quotes"
            ],
        ),
        (
            HEADER + '1,A,"never closed\n2,B,x\n',
            [
                "c.csv, row 2: a quotation mark is opened here and never closed. "
                "This row and those after it were not read."
            ],
        ),
        (
            HEADER + '1,A,"He said "no" twice"\n2,B,x\n',
            [
                'c.csv, row 2: a quotation mark inside a quoted cell must be doubled (""). '
                "This row and those after it were not read."
            ],
        ),
        (
            HEADER + '1,A,"' + "x" * 140_000 + '"\n2,B,x\n',
            [
                "c.csv, row 2: a cell is longer than 131,072 characters: is a closing quotation "
                "mark missing? Papers of that length belong in a .jsonl or in a folder of .txt "
                "files. This row and those after it were not read."
            ],
        ),
        (HEADER.encode() + b"1,A,x\0y", ["c.csv: is not a text file: it holds NUL bytes"]),
        (
            HEADER.encode() + b"1,A,ok\n2,Zo\xeb,x",
            [
                "c.csv: is not UTF-8 text: byte 0xEB in line 3. Save it again as UTF-8 "
                '(in Excel: "CSV UTF-8")'
            ],
        ),
        (
            b"\xff\xfei\x00d",
            [
                "c.csv: is not UTF-16 text: byte 0x64 in line 1. Save it again as UTF-8 "
                '(in Excel: "CSV UTF-8")'
            ],
        ),
        (
            b"\xef\xbb\xbfid\xff",
            [
                "c.csv: is not UTF-8 text: byte 0xFF in line 1. Save it again as UTF-8 "
                '(in Excel: "CSV UTF-8")'
            ],
        ),
        (
            HEADER,
            [
                "c.csv: holds no papers; gradeq reads .txt and .md files, folders of them, "
                ".csv and .jsonl"
            ],
        ),
    ],
)
def test_csv_mistakes(tmp_path: Path, data: str | bytes, expected: list[str]) -> None:
    assert problems(read(tmp_path, "c.csv", data)) == expected


def test_a_mistake_in_one_row_leaves_the_others(tmp_path: Path) -> None:
    papers = read(tmp_path, "c.csv", HEADER + "1,A,x\n1,B,y\n,C,z\n4,D,w,,\n")
    assert [paper.external_id for paper in papers.valid] == ["1", "4"]
    assert papers.valid[0].text == "x"
    assert [str(problem) for problem in papers.problems] == [
        "c.csv, row 3, id: '1' is the id of an earlier paper",
        "c.csv, row 4, id: must be text or a whole number, but is empty",
    ]


def test_a_column_without_a_name_is_kept_by_its_number(tmp_path: Path) -> None:
    papers = read(tmp_path, "c.csv", "id,text,\n1,x,note\n")
    assert papers.valid[0].extra == {"column 3": "note"}


def test_jsonl(tmp_path: Path) -> None:
    lines = [
        {"id": 7, "text": "a\u2028b", "student": None, "n": 1.5, "b": True, "x": None},
        {"id": "8", "text": "", "student": " Zoë ", "tags": ["a", {"b": 1}]},
    ]
    data = "\ufeff" + "\r\n\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    papers = read(tmp_path, "c.JSONL", data)
    assert papers.problems == []
    assert papers.valid == [
        NewSubmission("7", "a\u2028b", "", extra={"n": "1.5", "b": "true", "x": ""}),
        NewSubmission("8", "", "Zoë", extra={"tags": '["a",{"b":1}]'}),
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("nonsense", "c.jsonl, row 2: is not JSON: "),
        ('{"id": "1", "text": "x"', "c.jsonl, row 2: is not JSON: "),
        ('{"id": "1", "text": "\\ud800"}', "c.jsonl, row 2: is not JSON: "),
        ('{"id": ' * 100_000, "c.jsonl, row 2: is not JSON: "),
        ("3", 'c.jsonl, row 2: is not a JSON object, like {"id": "1", "text": "..."}'),
        ('{"text": "x"}', "c.jsonl, row 2, id: must be text or a whole number, but is missing"),
        (
            '{"id": true, "text": "x"}',
            "c.jsonl, row 2, id: must be text or a whole number, but is true or false",
        ),
        (
            '{"id": 1.5, "text": "x"}',
            "c.jsonl, row 2, id: must be text or a whole number, but is a number",
        ),
        (
            '{"id": " ", "text": "x"}',
            "c.jsonl, row 2, id: must be text or a whole number, but is empty",
        ),
        ('{"id": 1}', "c.jsonl, row 2, text: must be text, but is missing"),
        ('{"id": 1, "text": null}', "c.jsonl, row 2, text: must be text, but is null"),
        ('{"id": 1, "text": ["x"]}', "c.jsonl, row 2, text: must be text, but is a list"),
        ('{"id": 1, "text": {}}', "c.jsonl, row 2, text: must be text, but is an object"),
        (
            '{"id": 1, "text": "\\u0000"}',
            "c.jsonl, row 2, text: holds a NUL character, so it is no text",
        ),
        (
            '{"id": 1, "text": "x", "student": 3}',
            "c.jsonl, row 2, student: must be text, but is a number",
        ),
    ],
)
def test_jsonl_mistakes(tmp_path: Path, line: str, expected: str) -> None:
    (problem,) = problems(read(tmp_path, "c.jsonl", f"\n{line}\n"))
    assert problem.startswith(expected)
    assert "is not JSON" in expected or problem == expected


def test_a_json_list_is_told_apart_from_jsonl(tmp_path: Path) -> None:
    assert problems(read(tmp_path, "c.jsonl", ' [{"id": 1, "text": "x"}]')) == [
        "c.jsonl, row 1: is one JSON list; a .jsonl has one object on each line, "
        "without [ ] around them"
    ]


def test_a_folder_is_read_in_the_order_people_count(tmp_path: Path) -> None:
    for name in ("e10.txt", "e2.md", "E1.TXT", ".hidden.txt", ".DS_Store"):
        (tmp_path / name).write_text(f"text of {name}")
    (tmp_path / "e3.txt").write_bytes(b"")
    papers = read_papers(tmp_path)
    assert papers.problems == []
    assert [(paper.external_id, paper.text) for paper in papers.valid] == [
        ("E1", "text of E1.TXT"),
        ("e2", "text of e2.md"),
        ("e3", ""),
        ("e10", "text of e10.txt"),
    ]


def test_a_folder_names_everything_it_could_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("fine")
    (tmp_path / "a.md").write_text("also a")
    (tmp_path / "b.pdf").write_bytes(b"%PDF")
    (tmp_path / "c.docx").write_bytes(b"PK")
    (tmp_path / "d").write_text("no suffix")
    (tmp_path / "e.txt").write_bytes(b"\x89PNG\0")
    (tmp_path / "f.txt").write_bytes(b"caf\xe9")
    (tmp_path / "g").mkdir()
    with (tmp_path / "h.txt").open("wb") as file:
        file.truncate(MOST_PAPER_BYTES + 1)
    reads = "gradeq reads .txt and .md files, folders of them, .csv and .jsonl"
    papers = read_papers(tmp_path)
    assert [paper.text for paper in papers.valid] == ["also a"]
    assert [str(problem) for problem in papers.problems] == [
        "a.txt, id: 'a' is the id of an earlier paper",
        f"b.pdf: .pdf files cannot be read: save it as text; {reads}",
        f"c.docx: .docx files cannot be read: save it as text; {reads}",
        f"d: files without a suffix cannot be read; {reads}",
        "e.txt: is not a text file: it holds NUL bytes",
        "f.txt: is not UTF-8 text: byte 0xE9 in line 1. Save it again as UTF-8 (in Excel: "
        '"CSV UTF-8")',
        "g: is a folder; only the files directly in the input folder are read",
        "h.txt: is larger than 20 MB, too large for a paper",
    ]


def test_links_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("secret")
    folder = tmp_path / "papers"
    folder.mkdir()
    try:
        (folder / "a.txt").symlink_to(tmp_path / "secret.key")
        (folder / "b.txt").symlink_to(tmp_path / "nowhere")
    except OSError:
        pytest.skip("this system lets nobody make links")
    assert problems(read_papers(folder)) == [
        f"{name}: is a link, and links are not followed: copy the file itself here"
        for name in ("a.txt", "b.txt")
    ]


def test_an_empty_folder(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    (problem,) = problems(read_papers(folder))
    assert problem.startswith("empty: holds no papers; gradeq reads")


def test_a_single_text_file(tmp_path: Path) -> None:
    assert read(tmp_path, "essay.md", "# Hi").valid == [NewSubmission("essay", "# Hi")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nowhere.csv", "nowhere.csv: there is no such file or folder"),
        ("nowhere", "nowhere: there is no such file or folder"),
    ],
)
def test_what_is_not_there(tmp_path: Path, name: str, expected: str) -> None:
    assert problems(read_papers(tmp_path / name)) == [expected]


def test_an_unknown_suffix(tmp_path: Path) -> None:
    (problem,) = problems(read(tmp_path, "grades.xlsx", b"PK"))
    assert problem.startswith("grades.xlsx: .xlsx files cannot be read; gradeq reads")


class _Locked(type(Path())):
    """A file whose owner lets nobody read it; root could read a real one."""

    def read_bytes(self) -> bytes:
        raise PermissionError(13, "Permission denied")


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text(HEADER)
    assert problems(read_papers(_Locked(tmp_path / "c.csv"))) == [
        "c.csv: may not be read: check its permissions"
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    assert problems(read_papers(tmp_path)) == ["a.txt: is not an ordinary file"]


@given(st.text(max_size=200), st.booleans())
def test_no_text_whatever_makes_the_readers_raise(text: str, as_csv: bool) -> None:
    reader = csv_records if as_csv else jsonl_records
    for beginning in ("", "id,text\n", '{"id": "1", "text": "'):
        for record in reader(beginning + text, "f"):
            assert isinstance(record, Record) or str(record)


def test_many_rows(tmp_path: Path) -> None:
    path = tmp_path / "many.csv"
    with path.open("w") as file:
        file.write(HEADER)
        file.writelines(f"p{n},Student {n},A short answer.\n" for n in range(20_000))
    papers = read_papers(path)
    assert len(papers.valid) == 20_000
    assert papers.problems == []
