"""`gradeq evaluate`: how far a grader agrees with people."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest
from cli_kit import ROOT, School, Typed, ended, gradeq, jsonl, start, text, until

from gradeq.store.sql import load_schema

EXAMPLES = ROOT / "examples"
MARKS = ("clear", "none")


def labelled(school: School, count: int = 12, **columns: object) -> Path:
    """Essays with what people said of the criterion `claim`, and of whatever else is told."""
    rows = [
        {
            "id": f"p{n}",
            "text": text(n),
            "human_claim": MARKS[n % 2],
            "human_language": str((n + 1) % 2),
            **{name: str(value) for name, value in columns.items()},
        }
        for n in range(count)
    ]
    return school.table(rows, "labelled.csv")


def questions(school: School, count: int = 6, labels: tuple[str, ...] = ("correct", "incorrect")):
    rows = [
        {
            "id": f"{name}{n}",
            "question_id": name,
            "question": f"Should {name} start later?",
            "reference": "They should start later, since pupils need sleep.",
            "text": text(n),
            "human_label": labels[n % len(labels)],
        }
        for name in ("schools", "shops")
        for n in range(count)
    ]
    return school.table(rows, "questions.csv")


def evaluate(school: School, file: Path, *more: object) -> Typed:
    return gradeq("evaluate", file, *school.provider, "--json", *more)


def by_rubric(school: School, file: Path, *more: object) -> Typed:
    return evaluate(school, file, "--rubric", school.rubric, *more)


FIGURES = ("exact", "adjacent", "kappa", "qwk", "pearson", "mae", "bias")


def test_criteria_and_their_sum_are_compared_with_people(school: School):
    typed = by_rubric(school, labelled(school))
    assert typed.code == 0, typed.err
    told = typed.told
    assert told.keys() >= {"n", *FIGURES, "intervals", "undefined", "ungraded", "cost", "seconds"}
    assert (told["n"], told["ungraded"], told["measure"]) == (12, 0, "total")
    assert set(told["criteria"]) == {"total", "claim", "language"}
    for name in FIGURES:
        assert (told[name] is None) == (name in told["undefined"] and name not in told["intervals"])
    low, high = told["intervals"]["mae"]
    assert low <= told["mae"] <= high
    assert told["simulated"] is True
    assert "SIMULATED" in typed.err


def test_the_figures_are_those_of_the_stored_run(school: School):
    typed = by_rubric(school, labelled(school), "--out", "run.jsonl")
    header, *papers = jsonl(Path("run.jsonl"))
    assert header["measures"][0]["name"] == "total"
    assert [one["id"] for one in papers] == [f"p{n}" for n in range(12)]
    assert papers[0]["people"] == {"1": {"total": 3.0, "claim": 2.0, "language": 1.0}}
    pairs = [(one["people"]["1"]["total"], one["grader"]["total"]) for one in papers]
    assert typed.told["exact"] == pytest.approx(sum(a == b for a, b in pairs) / 12, abs=1e-6)
    assert typed.told["bias"] == pytest.approx(sum(b - a for a, b in pairs) / 12, abs=1e-6)


def test_each_question_gets_a_rubric_of_its_own(school: School):
    typed = evaluate(school, questions(school))
    assert typed.code == 0, typed.err
    told = typed.told
    assert (told["n"], told["measure"]) == (12, "answer")
    assert set(told["questions"]) == {"schools", "shops"}
    assert set(told["lines"]) == {"by length alone", "by word overlap"}
    assert "auc" in told
    assert "two levels" in told["undefined"]["adjacent"]
    assert "bootstrap, papers drawn. " in typed.err


def test_every_field_of_the_line_for_scripts_is_described(school: School):
    told = evaluate(school, questions(school, 2)).told
    page = (ROOT / "docs" / "reference" / "cli.md").read_text("utf-8")
    table = page.split("## `gradeq evaluate`")[1].split("| field |")[1].split("\n\n")[0]
    assert set(told) == set(
        re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", table, re.M)))
    )


def test_people_read_a_screen(school: School):
    typed = gradeq("evaluate", questions(school), *school.provider)
    assert "grader and people" in typed.out
    assert "answer: people" in typed.out
    assert "By question: exact from" in typed.out
    assert len(typed.out.splitlines()) <= 32
    assert "{" not in typed.out


def test_a_question_that_is_named_by_its_words_is_told_shortly(school: School):
    asked = "Why, says a question\x1b[31m of many words,\nshould {} start later? " + "Think. " * 20
    rows = [
        {
            "id": f"p{n}",
            "question": asked.format(("schools", "shops")[n % 2]),
            "reference": "They should start later, since pupils need sleep.",
            "text": text(n),
            "human_score": n % 2,
        }
        for n in range(6)
    ]
    typed = gradeq("evaluate", school.table(rows, "long.csv"), "--grader", "lexical")
    told = next(line for line in typed.out.splitlines() if "By question" in line)
    assert "(Why, says a question [31m of many words, should" in told
    assert len(told) < 170


def test_a_question_without_a_reference_is_named_before_anything_is_queued(school: School):
    rows = [
        {
            "id": f"p{n}",
            "question_id": f"q{n % 2}",
            "question": "Why?",
            "reference": ("Because of sleep.", "")[n % 2],
            "text": text(n),
            "human_label": ("no", "yes")[n // 2],
        }
        for n in range(4)
    ]
    file = school.table(rows, "some.csv")
    typed = gradeq("evaluate", file, "--grader", "lexical", "--db", "some.db")
    assert typed.code == 2
    assert "some.csv q1: the grader 'lexical' cannot grade by this rubric" in typed.err


def test_points_and_numbers_need_no_order(school: School):
    rows = [{"id": f"p{n}", "text": text(n), "human_score": f"{n % 3},5"} for n in range(12)]
    file = school.table([{**row, "question": "Why?"} for row in rows], "points.csv")
    typed = evaluate(school, file)
    assert typed.code == 0, typed.err
    assert typed.told["measure"] == "score"
    assert evaluate(school, questions(school, labels=("0", "1", "2"))).told["adjacent"] is not None


def test_a_second_person_stands_beside_the_grader(school: School):
    file = labelled(school, human2_claim="clear", human2_language="0")
    told = by_rubric(school, file).told
    assert set(told["lines"]) == {
        "grader and person 2",
        "person 1 and person 2",
        "by length alone",
        "by word overlap",
    }
    both = told["lines"]["person 1 and person 2"]
    assert both["exact"] == 0.0
    assert both["bias"] == pytest.approx(((2 - 3) + (2 - 0)) / 2)
    claim = told["criteria"]["claim"]["people"]["person 1 and person 2"]
    assert (claim["n"], claim["exact"]) == (12, 0.5)


def test_the_same_again_calls_nothing_and_another_model_stands_beside(school: School):
    file = questions(school)
    first = evaluate(school, file)
    again = evaluate(school, file)
    assert (first.told["requests"], again.told["requests"]) == (12, 0)
    assert again.told["exact"] == first.told["exact"]
    assert evaluate(school, file, "--model", "other").told["requests"] == 12
    assert evaluate(school, file).told["requests"] == 0


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
def test_stopped_half_way_it_tells_what_there_is_and_goes_on(school: School):
    file = questions(school, 10)
    school.change(latency=0.2)
    process = start("evaluate", file, *school.provider, "--json", cwd=school.folder)
    until(lambda: school.stats()["answered"] >= 5, "5 answers")
    process.send_signal(signal.SIGINT)
    stopped = ended(process)
    assert stopped.code == 130, stopped.err
    assert stopped.told["interrupted"] is True
    assert stopped.told["n"] + stopped.told["ungraded"] == 20
    assert 5 <= stopped.told["n"] < 20
    school.change(latency=0.0)
    rest = evaluate(school, file)
    assert (rest.code, rest.told["n"]) == (0, 20), rest.err
    assert rest.told["requests"] == 20 - stopped.told["n"]


def test_a_limit_takes_some_of_each_question_and_the_rest_comes_later(school: School):
    file = questions(school)
    some = evaluate(school, file, "--limit", 4)
    assert some.told["papers"] == some.told["requests"] == 4
    assert some.told["left_out"] == 8
    assert {name: one["n"] for name, one in some.told["questions"].items()} == {
        "schools": 2,
        "shops": 2,
    }
    assert "at least 10 papers" in some.told["undefined"]["exact"]
    assert evaluate(school, file).told["requests"] == 8


def test_ungraded_papers_are_counted_and_in_no_figure(school: School):
    rows = [
        {"id": "a", "text": text(1), "human_claim": "clear"},
        {"id": "b", "text": "  ", "human_claim": "none"},
    ]
    file = school.table(rows, "labelled.csv")
    typed = by_rubric(school, file)
    assert typed.code == 1
    assert (typed.told["n"], typed.told["ungraded"], typed.told["papers"]) == (1, 1, 2)
    assert "the paper is blank (1)" in typed.err
    assert "one and the same mark" in typed.told["undefined"]["kappa"]


def test_graders_never_see_what_people_said(school: School):
    by_rubric(school, labelled(school, 2, human_score="2.5"))
    raw = (
        Path("evaluate.db").read_bytes() + Path("evaluate.db-wal").read_bytes()
        if Path("evaluate.db-wal").exists()
        else Path("evaluate.db").read_bytes()
    )
    assert b"human_" not in raw.replace(load_schema().encode(), b"")


def test_a_school_s_database_is_left_alone(school: School):
    school.run(school.papers(2))
    typed = by_rubric(school, labelled(school), "--db", "gradeq.db")
    assert typed.code == 2
    assert "holds a school's papers" in typed.err
    assert len(gradeq("status", "--json").told["assignments"]) == 1


def test_a_configured_database_is_not_used(school: School):
    Path("gradeq.toml").write_text('[store]\nurl = "sqlite:///school.db"\n', "utf-8")
    assert by_rubric(school, labelled(school, 2)).told["db"] == "evaluate.db"
    assert not Path("school.db").exists()


def test_any_grader_by_its_name(school: School):
    Path("gradeq.toml").write_text(
        f"""
        [provider.first]
        kind = "simulated"
        model = "marker"
        base_url = "{school.url}"
        [provider.second]
        kind = "simulated"
        model = "second-marker"
        base_url = "{school.url}"
        """,
        "utf-8",
    )
    file = labelled(school, 3)
    words = ("evaluate", file, "--rubric", school.rubric, "--json")
    typed = gradeq(*words, "--grader", "llm:second")
    assert (typed.code, typed.told["model"]) == (0, "second-marker"), typed.err
    assert typed.told["simulated"] is True
    unknown = gradeq(*words, "--grader", "nobody")
    assert unknown.code == 2
    assert "there is no grader 'nobody'" in unknown.err


def test_the_grader_by_words_needs_no_provider_and_tells_its_confidence(school: School):
    typed = gradeq("evaluate", questions(school), "--grader", "lexical", "--json")
    assert typed.code == 0, typed.err
    told = typed.told
    assert (told["n"], told["model"], told["simulated"], told["requests"]) == (12, None, False, 12)
    assert sum(one["n"] for one in told["confidence"]["parts"]) == 12
    assert "provisional" not in told["flags"]
    again = gradeq("evaluate", Path("questions.csv"), "--grader", "lexical", "--json")
    assert again.told["requests"] == 0


def test_a_paper_that_the_rubric_gives_away_is_refused(school: School):
    example = f"""
    [[examples]]
    text = "{text(1)}"
    levels = {{ claim = "clear", language = "met" }}
    """
    school.rubric.write_text(school.rubric.read_text("utf-8") + example, "utf-8")
    typed = by_rubric(school, labelled(school, 3))
    assert typed.code == 2
    assert "labelled.csv, row 3, text: is a graded example in the rubric" in typed.err


def test_money_is_capped_over_all_questions_together(school: School):
    prices = ("--price-input", 1000, "--price-output", 5000, "--concurrency", 1)
    file = questions(school, 12)
    first = evaluate(school, file, *prices, "--max-cost", 30)
    assert first.code == 1
    assert 0 < first.told["cost"] <= 30
    assert "cost cap" in first.told["stuck_on"]
    assert 0 < first.told["n"] < 24
    more = evaluate(school, file, *prices, "--max-cost", 1000)
    assert (more.code, more.told["n"]) == (0, 24)
    assert first.told["requests"] + more.told["requests"] == 24


def test_two_runs_are_compared(school: School):
    file = labelled(school)
    by_rubric(school, file, "--out", "one.jsonl")
    changed = [json.loads(line) for line in Path("one.jsonl").read_text("utf-8").splitlines()]
    for paper in changed[1:]:
        paper["grader"] = dict(paper["people"]["1"])
    Path("right.jsonl").write_text("\n".join(map(json.dumps, changed)), "utf-8")
    typed = by_rubric(school, file, "--against", "right.jsonl")
    against = typed.told["against"]
    assert against["nearer"] == []
    assert set(against["farther"]) == set(against["changed"])
    assert len(against["changed"]) == against["only_before"] == 12 - round(12 * typed.told["exact"])
    assert against["mcnemar_p"] == pytest.approx(2 / 2 ** against["only_before"])
    assert against["difference"]["exact"] == pytest.approx(typed.told["exact"] - 1, abs=1e-5)
    assert "more than chance (McNemar" in typed.err
    same = by_rubric(school, file, "--against", "one.jsonl").told["against"]
    assert (same["changed"], same["mcnemar_p"]) == ([], 1.0)


def test_runs_over_other_papers_are_not_compared(school: School):
    by_rubric(school, labelled(school, 3), "--out", "one.jsonl")
    calls = school.stats()["requests"]
    other = by_rubric(school, labelled(school, 4), "--against", "one.jsonl")
    assert other.code == 2
    assert "other papers or other human judgements" in other.err
    school.rubric.write_text(school.rubric.read_text("utf-8").replace("points = 2", "points = 4"))
    scale = by_rubric(school, labelled(school, 3), "--against", "one.jsonl")
    assert scale.code == 2
    assert "measured on another scale (total, 0 to 3 in 3 steps)" in scale.err
    for name in ("labelled.csv", "nowhere.jsonl"):
        wrong = by_rubric(school, labelled(school, 3), "--against", name)
        assert wrong.code == 2
        assert "takes what --out of an earlier" in wrong.err
    assert school.stats()["requests"] == calls


def test_the_report_stands_alone_and_shows_texts_as_text(school: School):
    attack = '<script>alert(1)</script> <img src=x onerror="x"> Schools should start later, I say.'
    rows = [{"id": f"p{n}", "text": f"{attack} {text(n)}"} for n in range(12)]
    rows = [{**row, "human_claim": MARKS[n % 2]} for n, row in enumerate(rows)]
    file = school.table(rows, "labelled.csv")
    by_rubric(school, file, "--out", "one.jsonl")
    typed = by_rubric(school, file, "--html", "report.html", "--against", "one.jsonl")
    assert typed.code == 0, typed.err
    page = Path("report.html").read_text("utf-8")
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert not re.search(r"<[^>]*(?:src|href)=|url\(|@import|https?:", page)
    assert "SIMULATED" in page
    assert page.count("<svg") >= 4
    # On a narrow screen each table scrolls by itself, and what is said of it stays where it is.
    assert page.count("<table") == page.count('<div class="wide"') >= 3
    assert "<caption" not in page
    assert "prefers-color-scheme: dark" in page


@pytest.mark.parametrize(
    ("option", "told"),
    [
        (("--html", "labelled.csv"), "must end in .html"),
        (("--out", "run.csv"), "must end in .jsonl"),
        (("--out", "missing/run.jsonl"), "folder does not exist"),
        (("--html", "folder.html"), "is a folder"),
        (("--labels", "a,b"), "--labels is for files without --rubric"),
        (("--max-cost", "3"), "--max-cost needs prices"),
    ],
)
def test_what_cannot_be_is_refused_first(school: School, option, told):
    Path("folder.html").mkdir()
    typed = by_rubric(school, labelled(school), *option)
    assert typed.code == 2
    assert told in typed.err
    assert school.stats()["requests"] == 0


def test_a_run_never_overwrites_what_it_reads(school: School):
    file = labelled(school, 2)
    by_rubric(school, file, "--out", "one.jsonl")
    typed = by_rubric(school, file, "--against", "one.jsonl", "--out", "../here/one.jsonl")
    assert typed.code == 2
    assert "would overwrite" in typed.err


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("id,text\n1,x\n", "row 1: no column holds a human judgement"),
        ("id,text,human2_claim\n1,x,clear\n", "row 1: no column holds a human judgement"),
        ("id,text,human_claim\n1,x,\n", "row 2, human_claim: is empty"),
        ("id,text,human_claim\n1,x,good\n", "row 2, human_claim: must be a level (clear, none)"),
        ("id,text,human_claim\n1,x,5\n", "points from 0 to 2, but is '5'"),
        ("id,text,human_score\n1,x,4\n", "row 2, human_score: must be points from 0 to 3"),
        ("id,text,human_clam\n1,x,2\n", "row 1, human_clam: is no criterion of the rubric; did"),
        ("id,text,human_label\n1,x,clear\n", "row 1, human_label: the rubric has 2 criteria"),
        ("id,text,human_claim,human1_claim\n1,x,2,2\n", "means the same as the column human_claim"),
        ("id,text,human_claim\n1,x,2\n1,y,2\n", "row 3, id: '1' is the id of an earlier paper"),
    ],
)
def test_a_wrong_file_is_told_by_row_and_column(school: School, rows, told):
    Path("wrong.csv").write_text(rows, "utf-8")
    typed = by_rubric(school, Path("wrong.csv"))
    assert typed.code == 2
    assert f"wrong.csv{', ' if told.startswith('row') else ''}" in typed.err
    assert told in typed.err
    assert "nothing was graded" in typed.err
    assert not Path("evaluate.db").exists()


@pytest.mark.parametrize(
    ("row", "options", "told"),
    [
        ({"human_label": "so-so"}, (), "--labels WORST,…,BEST"),
        ({"human_label": "so-so"}, ("--labels", "bad,good"), "'so-so' is none of --labels"),
        ({"human_label": "so-so"}, ("--labels", "bad"), "two or more different labels"),
        ({"human_score": "many"}, (), "human_score: must be a number from 0 on"),
        ({"human_score": "100"}, (), "the highest human_score is 100"),
        ({"human_claim": "2"}, (), "Without --rubric a file has either human_label or human_score"),
        ({"human_label": "yes", "question": ""}, (), "nothing says what was asked"),
    ],
)
def test_without_a_rubric_the_file_must_say_more(school: School, row, options, told):
    file = school.table([{"id": "1", "text": text(1), "question": "Why?", **row}], "q.csv")
    typed = evaluate(school, file, *options)
    assert typed.code == 2
    assert told in typed.err
    assert not Path("evaluate.db").exists()


def test_one_question_has_one_wording(school: School):
    rows = [
        {"id": "1", "question_id": "q", "question": "Why?", "text": "x", "human_label": "yes"},
        {"id": "2", "question_id": "q", "question": "Who?", "text": "y", "human_label": "no"},
    ]
    typed = evaluate(school, school.table(rows, "q.csv"))
    assert typed.code == 2
    assert "q.csv, row 3, question: is not that of row 2" in typed.err


@pytest.mark.slow
def test_one_question_may_have_a_rubric_with_more_to_say(school: School):
    folder = EXAMPLES / "science"
    for rubric, question in (("minerals", "EM_21b"), ("guitar", "PS_51a")):
        typed = evaluate(
            school,
            folder / "answers.csv",
            "--rubric",
            folder / f"{rubric}.toml",
            "--question",
            question,
        )
        assert typed.code in (0, 1), typed.err
        assert typed.told["papers"] == 20
        assert typed.told["n"] + typed.told["ungraded"] == 20
    wrong = evaluate(school, folder / "answers.csv", "--question", "EM_0")
    assert wrong.code == 2
    assert "has no question 'EM_0'" in wrong.err


def test_the_report_of_the_example_can_be_made_by_the_line_in_its_readme(school: School):
    readme = (EXAMPLES / "science" / "README.md").read_text("utf-8")
    [line, *_] = [
        one for one in readme.splitlines() if one.startswith("    gradeq evaluate answers")
    ]
    words = line.split()[1:]
    words[words.index("answers.csv")] = str(EXAMPLES / "science" / "answers.csv")
    typed = gradeq(*words, "--base-url", school.url, "--limit", 24)
    assert typed.code in (0, 1), typed.err
    assert "SIMULATED" in typed.out
    assert "24 papers of 12 questions" in typed.out
    assert "SIMULATED" in Path("report.html").read_text("utf-8")


def test_a_jsonl_says_the_same(school: School):
    rows = [
        {"id": n, "text": text(n), "human_score": n % 3, "human2_score": None} for n in range(3)
    ]
    Path("l.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    typed = by_rubric(school, Path("l.jsonl"))
    assert (typed.code, typed.told["n"]) == (0, 3), typed.err
