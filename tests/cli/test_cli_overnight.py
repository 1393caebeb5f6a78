"""Grading overnight, as it is typed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_kit import School, ended, gradeq, start, until

from gradeq.overnight import posting


@pytest.fixture
def short_night(school: School, monkeypatch: pytest.MonkeyPatch) -> School:
    school.change(batch_seconds=0.1)
    monkeypatch.setattr(posting, "FIRST_LOOK_SECONDS", 0.3)
    return school


def answers_overnight(school: School) -> list[int]:
    return list(school.stats()["batch_answers_per_paper"].values())


def test_run_waits_for_the_night(short_night: School):
    typed = short_night.run(short_night.papers(4), "--overnight")
    assert typed.code == 0, typed.err
    assert typed.told["graded"] == 4
    assert typed.told["cost"] == 0
    assert answers_overnight(short_night) == [1, 1, 1, 1]
    assert short_night.stats()["requests"] == 0
    again = short_night.run(short_night.papers(4), "--overnight")
    assert (again.code, short_night.stats()["batches"]) == (0, 1)


def test_the_steps_one_by_one(short_night: School):
    gradeq("import", short_night.papers(3), "--rubric", short_night.rubric)
    queued = gradeq("grade", "--overnight", *short_night.provider, "--json")
    assert queued.code == 0, queued.err
    assert queued.told["queued"] == 3
    status = gradeq("status").out
    assert "overnight: not posted to the provider yet, falls back to live calls at 2" in status
    [batch] = gradeq("status", "--json").told["batches"]
    assert (batch["mode"], batch["posted"]) == ("overnight", 0)
    waited = gradeq("grade", "--overnight", "--wait", *short_night.provider, "--json")
    assert (waited.code, waited.told["graded"]) == (0, 3)
    assert short_night.stats()["requests"] == 0


def test_a_provider_without_batch_api_is_refused_before_anything_is_queued(school: School):
    gradeq("import", school.papers(2), "--rubric", school.rubric)
    local = ("--provider", "openai", "--model", "m", "--base-url", f"{school.url}/v1")
    typed = gradeq("grade", "--overnight", *local)
    assert typed.code == 2
    assert "has no batch API" in typed.err
    assert "without when='overnight' or --overnight" in typed.err
    assert gradeq("batch", "list").out.strip() == "no batches yet"


def test_what_waits_overnight_is_not_called_live_by_the_way(short_night: School):
    """A call now, beside the answer that is on its way, would be paid for twice."""
    gradeq("import", short_night.papers(2), "--rubric", short_night.rubric)
    gradeq("grade", "--overnight", *short_night.provider)
    waited = gradeq("grade", "--wait", *short_night.provider)
    assert waited.code == 0
    assert "2 papers wait in batch 1, which is graded overnight" in waited.err
    assert "gradeq batch cancel 1" in waited.err
    assert short_night.stats()["requests"] == 0
    assert answers_overnight(short_night) == [1, 1]


@pytest.fixture
def daemon(school: School) -> Iterator[str]:
    process = start("serve", "--port", 0, "--json", *school.provider, cwd=school.folder)
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())["url"]
    process.terminate()
    assert ended(process).code == 0


@pytest.mark.slow
def test_a_daemon_takes_the_night(school: School, daemon: str):
    school.change(batch_seconds=3600)
    gradeq("import", school.papers(3), "--rubric", school.rubric)
    queued = gradeq("grade", "--overnight")
    assert (queued.code, "3 papers queued" in queued.out) == (0, True)
    until(lambda: school.stats()["batches"] == 1, "the batch is posted")
    until(lambda: "3 with the provider" in gradeq("status").out, "its id is known")
    assert gradeq("batch", "cancel", 1).code == 0
    until(lambda: "with the provider" not in gradeq("status").out, "it is called back")
    conn = sqlite3.connect(Path("gradeq.db"))
    assert conn.execute("SELECT DISTINCT state FROM jobs").fetchall() == [("cancelled",)]
    conn.close()
