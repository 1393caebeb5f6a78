"""The same steps one by one, without a daemon."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from cli_kit import School, gradeq, jsonl, table, text


@pytest.fixture
def imported(school: School) -> School:
    typed = gradeq(
        "import", school.papers(4), "--rubric", school.rubric, "--course", "eng", "--json"
    )
    assert typed.code == 0, typed.err
    assert typed.told == {
        "course": "eng",
        "assignment": "essays",
        "created": 4,
        "unchanged": 0,
        "replaced": 0,
        "refused": 0,
        "skipped_invalid": 0,
    }
    return school


@pytest.fixture
def graded(imported: School) -> School:
    assert gradeq("grade", "--wait", *imported.provider).code == 0
    return imported


def badges() -> dict[str, int]:
    told = gradeq("status", "--json").told["assignments"]
    assert len(told) == 1
    return {name: told[0][name] for name in ("submitted", "graded", "released", "grading")}


def test_import_again_changes_what_has_changed(imported: School):
    rows = [{"id": f"p{n}", "text": text(n + 9 * (n == 1))} for n in range(5)]
    typed = gradeq("import", imported.table(rows), "--course", "eng", "--json")
    told = typed.told
    assert (told["created"], told["replaced"], told["unchanged"]) == (1, 1, 3)


def test_papers_in_progress_are_not_graded(school: School):
    gradeq("import", school.papers(2), "--status", "in_progress", "--rubric", school.rubric)
    typed = gradeq("grade", "--json")
    assert typed.told == {"queued": 0, "batch_ids": [], "already_queued": []}
    assert badges()["submitted"] == 0


def test_grade_queues_and_says_who_does_the_work(imported: School):
    typed = gradeq("grade")
    assert typed.code == 0
    assert "4 papers queued" in typed.out
    assert "gradeq serve, or gradeq grade --wait" in typed.out
    assert badges() == {"submitted": 4, "graded": 0, "released": 0, "grading": 4}
    assert "waits for a worker" in gradeq("status").out


def test_grade_and_wait(imported: School):
    gradeq("grade")
    typed = gradeq("grade", "--wait", *imported.provider, "--json")
    assert typed.code == 0
    assert typed.told["graded"] == typed.told["requests"] == typed.told["submitted"] == 4
    assert badges() == {"submitted": 0, "graded": 4, "released": 0, "grading": 0}
    assert gradeq("grade").out == "Nothing to grade.\n"


def test_grade_some_papers_again(graded: School):
    typed = gradeq("grade", "--ids", "p1,p3", "--wait", *graded.provider, "--json")
    assert (typed.told["submitted"], typed.told["requests"]) == (2, 2)


def test_grade_without_a_rubric_queues_nothing(school: School):
    gradeq("import", school.papers(1))
    typed = gradeq("grade")
    assert typed.code == 2
    assert "has no rubric" in typed.err
    assert badges()["grading"] == 0


def test_grade_asks_which_assignment(graded: School):
    gradeq("import", graded.papers(1, "other.csv"), "--rubric", graded.rubric)
    typed = gradeq("grade")
    assert typed.code == 2
    assert "default/other" in typed.err
    assert "eng/essays" in typed.err
    assert gradeq("grade", "--course", "default").code == 0
    ambiguous = gradeq("release", "--by", "Anna", "--ids", "p0")
    assert ambiguous.code == 2
    assert "several assignments" in ambiguous.err


def test_release_needs_a_name_and_papers(graded: School):
    assert gradeq("release", "--ids", "p0").code == 2
    assert gradeq("release", "--by", " ", "--ids", "p0").code == 2
    assert gradeq("release", "--by", "Anna").code == 2
    assert gradeq("release", "--by", "Anna", "--ids", "nobody").code == 2
    assert badges()["released"] == 0


def test_release_keeps_who_did_it(graded: School):
    typed = gradeq("release", "--by", "Anna Berg", "--ids", "p0", "--ids", "p2", "--json")
    assert typed.code == 0
    assert typed.told["released"] == ["p0", "p2"]
    assert "simulated" in typed.err
    assert badges()["released"] == 2
    assert gradeq("release", "--by", "Anna Berg", "--all-graded").code == 0
    assert badges() == {"submitted": 0, "graded": 0, "released": 4, "grading": 0}


def test_release_of_an_ungraded_paper_says_why_not(imported: School):
    typed = gradeq("release", "--by", "Anna", "--ids", "p0", "--json")
    assert typed.code == 1
    assert typed.told["skipped"][0]["id"] == "p0"


def test_export_everything_or_what_is_released(graded: School):
    gradeq("import", graded.papers(1, "other.csv", group="8a"))
    gradeq("release", "--by", "Anna", "--ids", "p1", "--course", "eng")
    gradeq("export", "--out", "all.jsonl")
    rows = jsonl(Path("all.jsonl"))
    assert [row["status"] for row in rows] == ["ungraded", *["graded"] * 4]
    assert rows[0]["extra"] == {"course": "default", "assignment": "other", "group": "8a"}
    typed = gradeq(
        "export", "--out", "released.csv", "--course", "eng", "--released-only", "--json"
    )
    assert typed.told["submissions"] == 1
    assert [row["id"] for row in table(Path("released.csv"))] == ["p1"]


@pytest.mark.parametrize("words", [("status",), ("export", "--out", "x.csv"), ("check",)])
def test_reading_a_database_that_is_not_there(words):
    typed = gradeq(*words)
    assert typed.code == 2
    assert "no such database" in typed.err
    assert "--db names another" in typed.err
    assert not Path("gradeq.db").exists()


def test_reading_what_is_no_database_says_what_it_is():
    Path("empty.db").touch()
    Path("folder.db").mkdir()
    for name, told in (("empty.db", "nothing is in it yet"), ("folder.db", "a folder")):
        typed = gradeq("status", "--json", "--db", name)
        assert (typed.code, typed.out) == (2, "")
        assert told in typed.err


def test_a_backup_is_whole_and_overwrites_nothing(graded: School):
    assert gradeq("backup", "copy.db").code == 0
    assert gradeq("check", "--db", "copy.db").code == 0
    again = gradeq("backup", "copy.db")
    assert again.code == 2
    assert "overwrites no backup" in again.err
    assert gradeq("backup", "nowhere/copy.db").code == 2


def test_check_finds_a_counter_that_is_wrong(graded: School):
    assert gradeq("check", "--json").told == {"ok": True, "problems": []}
    conn = sqlite3.connect("gradeq.db")
    conn.execute("UPDATE assignments SET graded = graded + 1")
    conn.commit()
    conn.close()
    typed = gradeq("check", "--json")
    assert typed.code == 1
    assert typed.told["problems"] == ["eng/essays: badges unlike a recount"]


def test_check_files(school: School):
    good = gradeq("check", "--rubric", school.rubric, "--input", school.papers(2))
    assert good.code == 0
    assert "3 points" in good.out
    assert "2 papers" in good.out
    Path("bad.toml").write_text("title = 3\n", "utf-8")
    bad = gradeq("check", "--rubric", "bad.toml", "--json")
    assert bad.code == 1
    assert "bad.toml, line 1" in bad.told["problems"][0]


def test_batches_are_paused_resumed_cancelled_and_retried(imported: School):
    gradeq("grade")
    assert gradeq("batch", "pause", 1, "--json").told["batch"]["status"] == "paused"
    assert "paused by" in gradeq("status").out
    assert gradeq("batch", "resume", 1, "--json").told["batch"]["status"] == "pending"
    assert gradeq("batch", "cancel", 1, "--json").told["batch"]["cancelled"] == 4
    imported.change(fail="400")
    assert gradeq("grade", "--wait", *imported.provider).code == 1
    imported.change(fail="")
    assert gradeq("batch", "retry", 2, "--json").told["batch"]["pending"] == 4
    assert gradeq("grade", "--wait", *imported.provider).code == 0
    assert "completed" in gradeq("batch", "list").out
    assert gradeq("batch", "pause", 99).code == 2


def test_resuming_a_batch_tries_its_parked_pool_again(imported: School):
    imported.change(fail="401")
    assert gradeq("grade", "--wait", *imported.provider).code == 1
    parked = gradeq("status", "--json").told
    assert parked["batches"][0]["paused_by"] == "gradeq"
    assert "401" in parked["pools"][0]["held_by"]
    gradeq("batch", "resume", 1)
    (pool,) = gradeq("status", "--json").told["pools"]
    assert (pool["held_by"], pool["backlog"]["ready"]) == (None, 4)


def test_a_newer_database_is_left_alone(school: School):
    school.run(school.papers(1))
    conn = sqlite3.connect("gradeq.db")
    conn.execute("PRAGMA user_version = 999")
    conn.close()
    for words in (("status",), ("import", "essays.csv"), ("backup", "b.db")):
        typed = gradeq(*words)
        assert typed.code == 2
        assert "newer gradeq" in typed.err
