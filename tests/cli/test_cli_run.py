"""`gradeq run`: in one go, and again."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from cli_kit import RUBRIC, School, fingerprint, gradeq, jsonl, table, text

from gradeq.results import Result

SUMMARY = {
    "submitted",
    "graded",
    "ungraded",
    "seconds",
    "requests",
    "rate_limited",
    "input_tokens",
    "output_tokens",
    "limited_by",
}


def test_papers_go_in_and_grades_come_out(school: School):
    papers = school.papers(6, student="Jürgen", group="7b")
    typed = school.run(papers, "--out", "results.jsonl")
    assert typed.code == 0, typed.err
    assert typed.told.keys() >= SUMMARY
    assert typed.told["graded"] == typed.told["submitted"] == typed.told["requests"] == 6
    assert typed.told["ungraded"] == typed.told["rate_limited"] == 0
    assert typed.told["input_tokens"] > 0
    rows = jsonl(Path("results.jsonl"))
    assert [row["id"] for row in rows] == [f"p{n}" for n in range(6)]
    assert set(rows[0]) == {*Result("", "").row(), "extra"}
    assert rows[0]["extra"] == {"student": "Jürgen", "group": "7b"}
    assert rows[0]["status"] == "graded"
    assert rows[0]["max_score"] == 3
    assert Path("gradeq.db").is_file()


def test_the_spreadsheet_has_the_same_and_the_points_by_criterion(school: School):
    school.run(school.papers(3, group="=cmd|' /C calc'!A0"), "--out", "results.csv")
    rows = table(Path("results.csv"))
    assert list(rows[0])[: len(Result("", "").row())] == list(Result("", "").row())
    assert rows[0]["group"] == "'=cmd|' /C calc'!A0"
    points = {one["id"]: one["points"] for one in json.loads(rows[0]["criteria"])}
    assert float(rows[0]["points_claim"]) == points["claim"]
    assert "simulated" in json.loads(rows[0]["flags"])


def test_it_says_that_simulated_grades_are_simulated(school: School):
    typed = school.run(school.papers(1), "--out", "results.jsonl")
    assert "SIMULATED" in typed.err
    assert typed.told["simulated"] is True
    assert "simulated" in jsonl(Path("results.jsonl"))[0]["flags"]


def test_the_simulated_provider_needs_no_server_of_its_own(school: School):
    papers = school.papers(2)
    typed = gradeq("run", papers, "--rubric", school.rubric, "--provider", "simulated", "--json")
    assert (typed.code, typed.told["graded"]) == (0, 2)


def test_people_read_sentences_and_programs_one_line(school: School):
    papers = school.papers(2)
    words = ("run", papers, "--rubric", school.rubric, *school.provider)
    typed = gradeq(*words)
    assert "2 graded, 0 ungraded" in typed.out
    assert "gradeq.db" in typed.out
    assert len(gradeq(*words, "--json").out.splitlines()) == 1


def test_the_same_again_calls_nothing(school: School):
    papers = school.papers(4)
    school.run(papers)
    typed = school.run(papers, "--out", "results.jsonl")
    assert typed.code == 0
    assert (typed.told["graded"], typed.told["requests"]) == (4, 0)
    assert school.stats()["requests"] == 4
    assert all(row["status"] == "graded" for row in jsonl(Path("results.jsonl")))


def test_only_a_changed_text_is_graded_anew(school: School):
    school.run(school.papers(3))
    rows = [{"id": f"p{n}", "text": text(n)} for n in range(3)]
    rows[1]["text"] = "Schools should stay as they are, since my bus is early anyway."
    typed = school.run(school.table(rows))
    assert (typed.told["graded"], typed.told["requests"]) == (3, 1)
    assert school.calls()[fingerprint(rows[1]["text"])] == 1


def test_a_changed_rubric_grades_all_anew_and_a_renamed_one_nothing(school: School):
    papers = school.papers(3)
    school.run(papers)
    renamed = school.rubric.rename("other-name.toml")
    school.rubric = renamed
    assert school.run(papers).told["requests"] == 0
    renamed.write_text(RUBRIC.replace("points = 2", "points = 5"), "utf-8")
    typed = school.run(papers, "--out", "results.jsonl")
    assert typed.told["requests"] == 3
    assert {row["max_score"] for row in jsonl(Path("results.jsonl"))} == {6}


def test_another_model_grades_all_anew(school: School):
    papers = school.papers(2)
    school.run(papers)
    assert school.run(papers, "--model", "better-marker").told["requests"] == 2


def test_simulated_grades_never_pass_for_real_ones(school: School, monkeypatch):
    papers = school.papers(2)
    school.run(papers, "--model", "claude-x")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test")
    real = ("--provider", "anthropic", "--model", "claude-x", "--base-url", school.url)
    typed = gradeq("run", papers, "--rubric", school.rubric, *real, "--json", "--out", "r.jsonl")
    assert typed.told["requests"] == 2
    assert typed.told["simulated"] is False
    assert all("simulated" not in row["flags"] for row in jsonl(Path("r.jsonl")))


def test_a_limit_takes_the_first_and_the_rest_comes_later(school: School):
    papers = school.papers(5)
    typed = school.run(papers, "--limit", 2, "--out", "results.jsonl")
    assert (typed.told["submitted"], typed.told["requests"]) == (2, 2)
    assert [row["id"] for row in jsonl(Path("results.jsonl"))] == ["p0", "p1"]
    assert school.run(papers).told["requests"] == 3


def test_a_blank_paper_is_ungraded_with_its_reason(school: School):
    papers = school.table([{"id": "a", "text": text(1)}, {"id": "b", "text": " \n "}])
    typed = school.run(papers, "--out", "results.jsonl")
    assert typed.code == 1
    assert typed.told["ungraded"] == 1
    assert jsonl(Path("results.jsonl"))[1]["reason"] == "the paper is blank"


def test_a_paper_that_failed_is_tried_again(school: School):
    papers = school.papers(2)
    school.change(fail="400")
    first = school.run(papers)
    assert (first.code, first.told["ungraded"]) == (1, 2)
    school.change(fail="")
    second = school.run(papers)
    assert (second.code, second.told["graded"]) == (0, 2)


def test_a_refused_key_ends_early_says_why_and_goes_on_when_mended(school: School, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-ant-wrong-0123456789")
    papers = school.papers(9)
    school.change(fail="401")
    words = ("--provider", "anthropic", "--model", "m", "--api-key-env", "MY_KEY")
    first = school.run(papers, *words, "--out", "results.jsonl")
    assert first.code == 1
    assert "MY_KEY" in first.told["stuck_on"]
    assert "same command again" in first.err
    assert "sk-ant-wrong" not in first.err + first.out + Path("results.jsonl").read_text("utf-8")
    reasons = {row["reason"] for row in jsonl(Path("results.jsonl"))}
    assert all("401" in reason for reason in reasons)
    school.change(fail="")
    second = school.run(papers, *words)
    assert (second.code, second.told["graded"]) == (0, 9)


def test_what_a_person_decided_stays(school: School):
    papers = school.papers(3)
    school.run(papers)
    assert gradeq("release", "--by", "Anna", "--ids", "p0").code == 0
    rows = [{"id": f"p{n}", "text": text(n + 50)} for n in range(3)]
    typed = school.run(school.table(rows), "--out", "results.jsonl")
    assert typed.code == 1
    assert typed.told["kept_as_stored"] == 1
    assert typed.told["requests"] == 2
    assert "p0" in typed.err
    assert "released" in typed.err


def test_a_grade_that_could_not_be_made_anew_does_not_count(school: School):
    papers = school.papers(2)
    school.run(papers)
    school.change(fail="400")
    typed = school.run(papers, "--model", "another", "--out", "results.jsonl")
    assert (typed.code, typed.told["graded"], typed.told["ungraded"]) == (1, 0, 2)
    assert "still stands" in jsonl(Path("results.jsonl"))[0]["reason"]
    assert gradeq("status", "--json").told["assignments"][0]["graded"] == 2


def test_a_batch_that_a_person_paused_stays_paused(school: School):
    gradeq("import", school.papers(3), "--rubric", school.rubric)
    gradeq("grade")
    gradeq("batch", "pause", 1)
    typed = school.run(Path("essays.csv"))
    assert (typed.code, typed.told["requests"]) == (1, 0)
    assert "gradeq batch resume 1" in typed.err
    gradeq("batch", "resume", 1)
    assert school.run(Path("essays.csv")).told["graded"] == 3


def test_queued_papers_go_on_in_their_batch(school: School):
    gradeq("import", school.papers(4), "--rubric", school.rubric)
    queued = gradeq("grade", "--json").told
    typed = school.run(Path("essays.csv"))
    assert (typed.told["requests"], typed.told["graded"]) == (4, 4)
    assert [typed.told["batch_id"]] == queued["batch_ids"]


def test_queued_papers_move_to_a_new_batch_with_a_new_rubric(school: School):
    gradeq("import", school.papers(4), "--rubric", school.rubric)
    gradeq("grade")
    school.rubric.write_text(RUBRIC.replace("points = 2", "points = 4"), "utf-8")
    typed = school.run(Path("essays.csv"), "--out", "results.jsonl")
    assert typed.told["requests"] == 4
    assert {row["max_score"] for row in jsonl(Path("results.jsonl"))} == {5}
    batches = gradeq("batch", "list", "--json").told["batches"]
    assert [one["cancelled"] for one in batches] == [0, 4]
    assert gradeq("check").code == 0


def test_a_folder_may_hold_the_rubric_and_the_results(school: School):
    folder = Path("papers")
    folder.mkdir()
    for number in (2, 10):
        (folder / f"e{number}.txt").write_text(text(number), "utf-8")
    school.rubric = school.rubric.rename(folder / "rubric.toml")
    words = (folder, "--out", folder / "results.csv", "--db", folder / "own.db")
    for calls in (2, 0):
        typed = school.run(*words)
        assert (typed.code, typed.told["requests"]) == (0, calls), typed.err
    assert [row["id"] for row in table(folder / "results.csv")] == ["e2", "e10"]


def test_a_configuration_names_the_provider(school: School):
    Path("gradeq.toml").write_text(
        f"""
        [store]
        url = "sqlite:///own.db"
        [provider.practice]
        kind = "simulated"
        model = "marker"
        base_url = "{school.url}"
        price_input = 1000.0
        """,
        "utf-8",
    )
    typed = gradeq("run", school.papers(2), "--rubric", school.rubric, "--json")
    assert typed.code == 0
    assert typed.told["cost"] > 0
    assert Path("own.db").is_file()
    named = gradeq(
        "run", "essays.csv", "--rubric", school.rubric, "--provider", "practice", "--json"
    )
    assert named.told["requests"] == 0


def test_the_command_for_results_finds_the_database_of_the_run(school: School):
    typed = gradeq(
        *("run", school.papers(1), "--rubric", school.rubric, *school.provider),
        *("--db", "spring term.db"),
    )
    [hint] = [line for line in typed.out.splitlines() if "gradeq export" in line]
    words = shlex.split(hint.partition("gradeq export")[2])
    assert gradeq("export", *[word.replace("FILE", "out.csv") for word in words]).code == 0
    assert len(table(Path("out.csv"))) == 1


def test_who_names_no_rubric_is_told_what_one_is(school: School):
    typed = gradeq("run", school.papers(1))
    assert typed.code == 2
    assert "what was asked and what earns how many points" in " ".join(typed.err.split())


def test_rates_limit_and_are_named(school: School):
    school.change(requests_per_minute=1200, burst_seconds=0.5)
    typed = school.run(school.papers(20), "--rpm", 1200, "--concurrency", 20)
    assert typed.told["graded"] == 20
    assert typed.told["limited_by"] == "requests"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--provider simulated"),
        (("--provider", "anthropic"), "needs --model"),
        (("--provider", "openai"), "needs --model"),
        (("--base-url", "http://localhost:1/v1"), "needs --model"),
        (("--provider", "gpt", "--model", "x"), "there is no provider 'gpt'"),
        (("--provider", "openai", "--model", "x"), "OPENAI_API_KEY"),
        (("--provider", "openai", "--model", "x", "--base-url", "nowhere"), "not a web address"),
        (("--provider", "simulated", "--concurrency", "0"), "--concurrency"),
        (("--provider", "simulated", "--rpm", "0"), "--rpm"),
    ],
)
def test_without_a_usable_provider_nothing_starts(school: School, words, told):
    typed = gradeq("run", school.papers(1), "--rubric", school.rubric, *words)
    assert typed.code == 2
    assert told in typed.err
    assert school.stats()["requests"] == 0


def test_a_key_that_is_there_is_pointed_out(school: School, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret-0123456789")
    typed = gradeq("run", school.papers(1), "--rubric", school.rubric)
    assert typed.code == 2
    assert "ANTHROPIC_API_KEY is set: add --provider anthropic" in typed.err
    assert "sk-ant-secret" not in typed.err


@pytest.mark.parametrize("out", ["results.xlsx", "missing/results.csv", "folder.csv"])
def test_results_that_cannot_be_written_are_noticed_first(school: School, out):
    Path("folder.csv").mkdir()
    typed = school.run(school.papers(1), "--out", out)
    assert typed.code == 2
    assert out in typed.err
    assert school.stats()["requests"] == 0


def test_results_never_overwrite_the_papers(school: School):
    papers = school.papers(1)
    before = papers.read_bytes()
    typed = school.run(papers, "--out", f"../here/{papers.name}")
    assert typed.code == 2
    assert "would overwrite" in typed.err
    assert papers.read_bytes() == before


def test_results_replace_the_file_and_leave_nothing_beside_it(school: School, here: Path):
    Path("results.jsonl").write_text("old\n", "utf-8")
    school.run(school.papers(1), "--out", "results.jsonl")
    assert len(jsonl(Path("results.jsonl"))) == 1
    assert not list(here.glob(".results*"))


def test_a_database_of_another_program_is_left_alone(school: School):
    Path("gradeq.db").write_text("this is a diary, not a database, and long enough", "utf-8")
    typed = school.run(school.papers(1))
    assert typed.code == 2
    assert "not a gradeq database" in typed.err
    assert Path("gradeq.db").read_text("utf-8").startswith("this is a diary")
