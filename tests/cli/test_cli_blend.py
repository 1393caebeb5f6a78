"""Words and a model's probabilities together, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_kit import RUBRIC, School, gradeq, jsonl

WITH_REFERENCE = RUBRIC.replace(
    "[[criteria]]",
    'reference = "Schools should start later: tired teenagers learn badly."\n\n[[criteria]]',
    1,
)
PAPERS = "id,text\na,Later! Tired teenagers learn badly.\nb,I like my dog.\nc,\n"
RUN = ("run", "papers.csv", "--rubric", "rubric.toml")
BLEND = ("--grader", "blend")


@pytest.fixture
def asked(school: School, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """How a server that speaks OpenAI's API is named, in a folder with a rubric and papers."""
    (school.folder / "rubric.toml").write_text(WITH_REFERENCE, "utf-8")
    (school.folder / "papers.csv").write_text(PAPERS, "utf-8")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    return ("--base-url", f"{school.url}/v1", "--model", "m")


def test_papers_are_graded_by_words_and_model(school: School, asked: tuple[str, ...]) -> None:
    typed = gradeq(*RUN, *BLEND, *asked, "--out", "r.jsonl", "--json")
    assert typed.code == 1, typed.err
    assert (typed.told["graded"], typed.told["ungraded"]) == (2, 1)
    assert "PROVISIONAL: the words of the papers are compared" in typed.err
    assert "3 to grade with blend" in typed.err
    one, other, blank = jsonl(Path("r.jsonl"))
    assert one["score"] >= other["score"]
    assert one["flags"] == ["provisional"]
    assert 0 < one["confidence"] < 1
    assert one["model"] == "m"
    assert one["output_tokens"] > 0
    assert blank["reason"] == "the paper is blank"
    assert school.stats()["requests"] == 2


def test_it_replaces_no_grade_and_a_model_replaces_its_grades(
    school: School, asked: tuple[str, ...]
) -> None:
    gradeq(*RUN, *BLEND, *asked, "--json")
    again = gradeq(*RUN, *BLEND, *asked, "--json")
    assert school.stats()["requests"] == 2, again.err
    alone = gradeq(*RUN, *asked, "--out", "r.jsonl", "--json")
    assert school.stats()["requests"] == 4, alone.err
    assert jsonl(Path("r.jsonl"))[0]["flags"] != ["provisional"]
    gradeq(*RUN, *BLEND, *asked, "--json")
    assert school.stats()["requests"] == 4


def test_a_provider_without_probabilities_is_refused(school: School, asked: object) -> None:
    typed = gradeq(*RUN, *BLEND, *school.provider)
    assert typed.code == 2
    assert "'simulated' return none; nothing was graded" in typed.err
    assert not Path("gradeq.db").exists()


def test_a_rubric_without_a_reference_is_refused(school: School, asked: tuple[str, ...]) -> None:
    (school.folder / "rubric.toml").write_text(RUBRIC, "utf-8")
    typed = gradeq(*RUN, *BLEND, *asked)
    assert typed.code == 2
    assert "--grader blend cannot grade by rubric.toml" in typed.err
    assert not Path("gradeq.db").exists()


def test_without_any_provider_the_ways_to_one_are_told(asked: object) -> None:
    typed = gradeq(*RUN, *BLEND)
    assert typed.code == 2
    assert "no provider is configured" in typed.err


def test_step_by_step_the_same(school: School, asked: tuple[str, ...]) -> None:
    assert gradeq("import", "papers.csv", "--rubric", "rubric.toml").code == 0
    queued = gradeq("grade", *BLEND, *asked, "--json")
    assert queued.told["queued"] == 3, queued.err
    typed = gradeq("grade", *BLEND, *asked, "--wait", "--json")
    assert typed.told["graded"] == 2, typed.err
    assert school.stats()["requests"] == 2


def test_it_is_measured_like_any_grader(school: School, asked: tuple[str, ...]) -> None:
    rows = [
        {
            "id": f"q{n}",
            "question_id": "schools",
            "question": "Should schools start later?",
            "reference": "They should, since tired pupils learn badly.",
            "text": f"Yes, {n} tired pupils learn badly." if n % 2 else f"I have {n} dogs.",
            "human_label": ("incorrect", "correct")[n % 2],
        }
        for n in range(8)
    ]
    file = school.table(rows, "labelled.csv")
    words = gradeq("evaluate", file, "--grader", "lexical", "--out", "words.jsonl", "--json")
    assert words.code == 0, words.err
    beside = ("--against", "words.jsonl", "--out", "run.jsonl", "--json")
    typed = gradeq("evaluate", file, *BLEND, *asked, *beside)
    assert typed.code == 0, typed.err
    assert "words.jsonl" in typed.out or "lexical" in typed.out + typed.err
    header = json.loads(Path("run.jsonl").read_text("utf-8").splitlines()[0])
    assert (header["grader"], header["model"]) == ("blend", "m")
    refused = gradeq("evaluate", file, *BLEND, *school.provider)
    assert refused.code == 2
    assert "needs the probabilities" in refused.err
