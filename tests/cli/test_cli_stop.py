"""Stopped softly, at once, or killed: the same command goes on and pays for nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from cli_kit import School, Typed, ended, fingerprint, gradeq, jsonl, start, text, until

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
PAPERS = 40


def run(school: School, *more: object) -> subprocess.Popen[str]:
    papers = school.papers(PAPERS)
    words = ("run", papers, "--rubric", school.rubric, *school.provider, "--json", *more)
    return start(*words, cwd=school.folder)


def started(school: School, *more: object) -> subprocess.Popen[str]:
    process = run(school, *more)
    until(lambda: school.stats()["answered"] >= 8, "8 answers")
    return process


def hanging(school: School, *more: object) -> subprocess.Popen[str]:
    """Its calls would be waited for until they time out."""
    school.change(fail="hang")
    process = run(school, *more)
    until(lambda: school.stats()["in_flight"] == 5, "5 calls that hang")
    return process


def next_note(process: subprocess.Popen[str], words: str) -> None:
    """Wait until it says so, or fail with all that it has said."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        if words in line:
            return
        said.append(line)
    raise AssertionError(said)


def again(school: School) -> Typed:
    school.change(latency=0.0, fail="")
    typed = school.run(Path("essays.csv"), "--out", "results.jsonl")
    assert (typed.code, typed.told["graded"]) == (0, PAPERS)
    assert gradeq("check").code == 0
    return typed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_lets_calls_finish_and_the_same_command_goes_on(school: School, number):
    school.change(latency=0.15)
    process = started(school, "--out", "results.jsonl")
    process.send_signal(number)
    typed = ended(process)
    assert typed.code == 130
    told = typed.told
    assert told["interrupted"] is True
    assert 8 <= told["graded"] < PAPERS
    assert told["graded"] + told["ungraded"] == PAPERS
    rows = jsonl(Path("results.jsonl"))
    assert [row["id"] for row in rows] == [f"p{n}" for n in range(PAPERS)]
    assert sum(row["status"] == "graded" for row in rows) == told["graded"]
    assert "same command again" in typed.err
    assert "Traceback" not in typed.err
    again(school)
    assert set(school.calls().values()) == {1}


def test_a_second_signal_waits_for_no_call(school: School):
    process = hanging(school, "--grace", 600)
    process.send_signal(signal.SIGINT)
    next_note(process, "Stopping")
    process.send_signal(signal.SIGINT)
    assert ended(process).code == 130
    again(school)


@pytest.mark.slow
def test_grace_bounds_the_wait(school: School):
    process = hanging(school, "--grace", 0.2)
    process.send_signal(signal.SIGTERM)
    assert ended(process, seconds=20).code == 130
    again(school)


def test_a_killed_run_goes_on_and_repeats_only_what_was_in_flight(school: School):
    school.change(latency=0.1)
    process = started(school)
    process.kill()
    ended(process)
    again(school)
    calls = school.calls()
    assert set(calls) == {fingerprint(text(n)) for n in range(PAPERS)}
    # Five in flight, and at most as many whose answers were not on disk yet: a slot is free before.
    assert sum(calls.values()) - PAPERS <= 10
    assert max(calls.values()) <= 2


@pytest.mark.slow
def test_another_run_beside_it_is_told_who_has_the_database(school: School):
    school.change(latency=0.1)
    process = started(school)
    typed = school.run(Path("essays.csv"))
    assert typed.code == 2
    assert f"process {process.pid} is writing this database" in typed.err
    daemon = gradeq("status", "--json").told["daemon"]
    assert (daemon["pid"], daemon["url"]) == (process.pid, None)
    process.send_signal(signal.SIGINT)
    assert ended(process).code == 130


def test_a_stopped_simulator_ends_well(here: Path):
    process = start("simulate", "--port", 0, "--json", cwd=here)
    assert process.stdout is not None
    assert process.stdout.readline().startswith('{"url": "http://127.0.0.1:')
    process.send_signal(signal.SIGTERM)
    assert ended(process).code == 0
