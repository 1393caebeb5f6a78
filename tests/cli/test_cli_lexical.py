"""Grading by words on the command line: with neither key nor model."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from cli_kit import RUBRIC, ended, gradeq, jsonl, start

WITH_REFERENCE = RUBRIC.replace(
    "[[criteria]]",
    'reference = "Schools should start later: tired teenagers learn badly."\n\n[[criteria]]',
    1,
)
PAPERS = "id,text\na,Later! Tired teenagers learn badly.\nb,I like my dog.\nc,\n"


@pytest.fixture
def folder(here: Path) -> Path:
    (here / "rubric.toml").write_text(WITH_REFERENCE, "utf-8")
    (here / "papers.csv").write_text(PAPERS, "utf-8")
    return here


RUN = ("run", "papers.csv", "--rubric", "rubric.toml")


def test_papers_are_graded_with_neither_key_nor_model(folder: Path) -> None:
    typed = gradeq(*RUN, "--grader", "lexical", "--out", "r.jsonl", "--json")
    assert typed.code == 1, typed.err
    assert (typed.told["graded"], typed.told["ungraded"]) == (2, 1)
    assert "PROVISIONAL" in typed.err
    one, other, blank = jsonl(Path("r.jsonl"))
    assert one["score"] > other["score"] == 0
    assert one["flags"] == ["provisional"]
    assert 0 < one["confidence"] < 1
    assert one["model"] is None
    assert blank["reason"] == "the paper is blank"


def test_the_same_command_again_grades_nothing_anew(folder: Path) -> None:
    gradeq(*RUN, "--grader", "lexical", "--json")
    again = gradeq(*RUN, "--grader", "lexical", "--json")
    assert again.told["graded"] == 2
    assert "1 to grade with lexical" in again.err


def test_the_flag_of_every_paper_is_told_once(folder: Path) -> None:
    typed = gradeq(*RUN, "--grader", "lexical")
    assert typed.err.count("PROVISIONAL") == 1
    assert "provisional:" not in typed.out


def test_without_a_provider_it_is_named_as_a_way(folder: Path) -> None:
    typed = gradeq(*RUN)
    assert typed.code == 2
    assert "--grader lexical" in typed.err


@pytest.mark.parametrize(
    "more", [("--max-cost", "1"), ("--provider", "simulated"), ("--model", "m")]
)
def test_what_it_has_no_use_for_is_refused(folder: Path, more: tuple[str, ...]) -> None:
    typed = gradeq(*RUN, "--grader", "lexical", *more)
    assert typed.code == 2
    assert "asks no model and costs nothing; nothing was graded" in typed.err
    assert not Path("gradeq.db").exists()


def test_a_rubric_without_a_reference_is_refused_before_anything_is_stored(folder: Path) -> None:
    (folder / "rubric.toml").write_text(RUBRIC, "utf-8")
    typed = gradeq(*RUN, "--grader", "lexical")
    assert typed.code == 2
    assert "neither a reference answer nor key points" in typed.err
    assert not Path("gradeq.db").exists()


def test_a_daemon_without_a_provider_grades_so(folder: Path) -> None:
    process = start("serve", "--port", 0, "--json", cwd=folder)
    assert process.stdout is not None
    assert process.stdout.readline()
    assert gradeq("import", "papers.csv", "--rubric", "rubric.toml").code == 0
    typed = gradeq("grade", "--grader", "lexical", "--wait", "--json")
    assert typed.told["graded"] == 2, typed.err
    process.send_signal(signal.SIGTERM)
    assert ended(process).code == 0


def test_step_by_step_the_same(folder: Path) -> None:
    assert gradeq("import", "papers.csv", "--rubric", "rubric.toml").code == 0
    queued = gradeq("grade", "--grader", "lexical", "--json")
    assert queued.told["queued"] == 3
    typed = gradeq("grade", "--grader", "lexical", "--wait", "--json")
    assert typed.told["graded"] == 2
