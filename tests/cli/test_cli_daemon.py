"""Commands beside a running daemon: it does the work, nothing is written around it."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_kit import School, ended, gradeq, jsonl, start, text, until

TOKEN = "a-token-that-is-long-and-not-guessed"


def serving(school: School, *more: object, **env: str) -> tuple[subprocess.Popen[str], str]:
    words = ("serve", "--port", 0, "--json", *school.provider, *more)
    process = start(*words, cwd=school.folder, **env)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()
    return process, json.loads(line)["url"]


@pytest.fixture
def daemon(school: School) -> Iterator[str]:
    process, url = serving(school)
    yield url
    process.send_signal(signal.SIGTERM)
    typed = ended(process)
    assert typed.code == 0, typed.err
    assert "Traceback" not in typed.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env", "is_warned"),
    [
        ({}, False),
        ({"GRADEQ_SERVER_PUBLIC_URL": "https://grading.example"}, True),
        ({"GRADEQ_SERVER_PUBLIC_URL": "https://grading.example", "GRADEQ_TOKEN": TOKEN}, False),
    ],
)
def test_an_open_service_behind_a_proxy_is_warned_of(
    school: School, env: dict[str, str], is_warned: bool
):
    process, _ = serving(school, **env)
    process.send_signal(signal.SIGTERM)
    assert ("whoever a proxy passes on may do everything" in ended(process).err) is is_warned


def test_the_steps_go_through_the_daemon(school: School, daemon: str):
    papers = school.papers(4, student="Zoë", status="late")
    imported = gradeq("import", papers, "--rubric", school.rubric, "--course", "a/b", "--json")
    assert (imported.code, imported.told["created"]) == (0, 4)
    queued = gradeq("grade")
    assert queued.code == 0
    assert f"The daemon at {daemon} grades them" in queued.out
    waited = gradeq("grade", "--wait", "--json")
    assert waited.code == 0, waited.err
    status = gradeq("status", "--json").told
    assert status["daemon"]["url"] == daemon
    assert set(status["daemon"]) == {"pid", "url"}, "its key is nobody's to see"
    assert status["assignments"][0]["graded"] == 4
    released = gradeq("release", "--by", "Anna", "--ids", "p0,p1", "--json")
    assert (released.code, released.told["released"]) == (0, ["p0", "p1"])
    assert gradeq("export", "--out", "results.jsonl").code == 0
    rows = jsonl(Path("results.jsonl"))
    assert [row["status"] for row in rows] == ["graded"] * 4
    assert rows[0]["extra"]["student"] == "Zoë"
    assert "late" in rows[0]["extra"].values()
    assert gradeq("backup", "copy.db").code == 0
    assert gradeq("check").code == 0
    assert school.stats()["requests"] == 4


def test_what_is_queued_already_is_not_told_as_queued_again(school: School, daemon: str):
    gradeq("import", school.papers(3), "--rubric", school.rubric)
    school.change(fail="401")
    assert gradeq("grade", "--ids", "p0,p1", "--json").told["queued"] == 2
    again = gradeq("grade", "--ids", "p0,p1")
    assert again.out.splitlines()[0] == "2 papers were queued already, by local (batch 1)."
    assert "papers queued" not in again.out
    rest = gradeq("grade", "--json").told
    already = [{"batch_id": 1, "owner": "local", "papers": 2}]
    assert rest == {"queued": 1, "batch_ids": [2], "already_queued": already}


def test_grade_and_wait_shows_what_the_daemon_does(school: School, daemon: str):
    gradeq("import", school.papers(6), "--rubric", school.rubric)
    school.change(latency=0.1)
    typed = gradeq("grade", "--wait", "--json")
    assert typed.code == 0, typed.err
    assert typed.told["graded"] == typed.told["requests"] == 6
    assert typed.told["simulated"] is True
    assert daemon in typed.err


@pytest.mark.slow
def test_waiting_ends_when_the_daemon_cannot_go_on(school: School, daemon: str):
    gradeq("import", school.papers(8), "--rubric", school.rubric)
    school.change(fail="401")
    typed = gradeq("grade", "--wait", "--json")
    assert typed.code == 1
    assert "401" in typed.told["stuck_on"]
    school.change(fail="")
    assert gradeq("batch", "resume", 1).code == 0
    again = gradeq("grade", "--wait", "--json")
    assert (again.code, gradeq("status", "--json").told["assignments"][0]["graded"]) == (0, 8)


def test_run_says_what_to_do_instead(school: School, daemon: str):
    typed = school.run(school.papers(1))
    assert typed.code == 2
    assert daemon in typed.err
    assert "--db" in typed.err
    assert school.run(Path("essays.csv"), "--db", "other.db").code == 0


@pytest.mark.slow
def test_what_a_person_graded_is_not_asked_for_again(school: School, daemon: str):
    gradeq("import", school.papers(2), "--rubric", school.rubric)
    gradeq("grade", "--wait")
    edit = json.dumps({"by": "Anna", "score": 3}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(
        f"{daemon}/api/submissions/1/grade", edit, headers, method="PUT"
    )
    urllib.request.urlopen(request, timeout=10).close()
    gradeq("grade", "--ids", "p0,p1", "--wait")
    assert school.stats()["requests"] == 3
    rows = [{"id": f"p{n}", "text": text(n + 5)} for n in range(2)]
    replaced = gradeq("import", school.table(rows), "--json")
    assert (replaced.code, replaced.told["refused"], replaced.told["replaced"]) == (1, 1, 1)
    assert "a person graded it" in replaced.err


@pytest.mark.slow
def test_refusals_of_the_daemon_are_told(school: School, daemon: str):
    gradeq("import", school.papers(1))
    typed = gradeq("grade")
    assert typed.code == 2
    assert "has no rubric" in typed.err
    paused = gradeq("batch", "pause", 7)
    assert paused.code == 2
    assert "there is no batch 7" in paused.err


def test_a_token_is_asked_for_and_sent(school: School, monkeypatch):
    process, _ = serving(school, GRADEQ_TOKEN=TOKEN)
    try:
        refused = gradeq("import", school.papers(1))
        assert refused.code == 2
        assert "GRADEQ_TOKEN" in refused.err
        monkeypatch.setenv("GRADEQ_TOKEN", TOKEN)
        assert gradeq("import", "essays.csv").code == 0
    finally:
        process.send_signal(signal.SIGTERM)
        typed = ended(process)
    assert TOKEN not in typed.out + typed.err


def test_other_addresses_need_a_token(school: School):
    typed = ended(start("serve", "--host", "0.0.0.0", "--port", 0, cwd=school.folder))
    assert typed.code == 2
    assert "token" in typed.err


@pytest.mark.slow
def test_two_daemons_do_not_share_a_database(school: School, daemon: str):
    typed = ended(start("serve", "--port", 0, cwd=school.folder))
    assert typed.code == 2
    assert daemon in typed.err


@pytest.mark.slow
def test_a_database_that_some_program_holds(school: School):
    school.run(school.papers(1))
    conn = sqlite3.connect("gradeq.db", isolation_level=None)
    conn.execute("BEGIN IMMEDIATE")
    try:
        typed = gradeq("release", "--by", "Anna", "--ids", "p0")
    finally:
        conn.close()
    assert typed.code == 2
    assert "another program holds the database" in typed.err


def test_a_daemon_without_a_provider_takes_papers(school: School):
    process = start("serve", "--port", 0, "--json", cwd=school.folder)
    assert process.stdout is not None
    assert process.stdout.readline()
    assert gradeq("import", school.papers(2), "--rubric", school.rubric).code == 0
    refused = gradeq("grade")
    assert refused.code == 2
    assert "no grader" in refused.err
    process.send_signal(signal.SIGTERM)
    assert "no model grades here" in ended(process).err


TWO_PROVIDERS = """
[provider.first]
kind = "simulated"
base_url = "{url}"
model = "first-model"

[provider.second]
kind = "simulated"
base_url = "{url}"
model = "second-model"
"""


@pytest.mark.slow
@pytest.mark.parametrize("is_running", [True, False], ids=["beside-a-daemon", "before-it"])
def test_the_provider_that_was_named_grades(school: School, is_running: bool):
    """The daemon's own default is another one."""
    Path("gradeq.toml").write_text(TWO_PROVIDERS.format(url=school.url), "utf-8")
    words = ("serve", "--port", 0, "--json")
    process = start(*words, cwd=school.folder) if is_running else None
    if process is not None and process.stdout is not None:
        assert process.stdout.readline()
    assert gradeq("import", school.papers(2), "--rubric", school.rubric).code == 0
    queued = gradeq("grade", "--provider", "second")
    assert queued.code == 0, queued.err
    if process is not None:
        foreign = gradeq("grade", "--provider", "second", "--model", "third-model")
        assert foreign.code == 2
        assert "--provider NAME (first, second)" in foreign.err
    else:
        process = start(*words, cwd=school.folder)
        assert process.stdout is not None
        assert process.stdout.readline()

    def is_graded() -> bool:
        return gradeq("status", "--json").told["assignments"][0]["graded"] == 2

    until(is_graded, "both are graded")
    process.send_signal(signal.SIGTERM)
    assert ended(process).code == 0
    assert gradeq("export", "--out", "results.jsonl").code == 0
    assert {row["model"] for row in jsonl(Path("results.jsonl"))} == {"second-model"}
