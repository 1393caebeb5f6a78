"""What people see of limits, and do about a parked pool; also when a process is killed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cli_kit import School, ended, gradeq, start, until


@pytest.fixture
def configured(school: School) -> School:
    """A provider with a key in a file, which it does not take."""
    school.change(api_keys=["sk-right"])
    Path("key.txt").write_text("sk-wrong\n")
    Path("gradeq.toml").write_text(
        f"""
        [provider.school]
        kind = "anthropic"
        model = "marker-1"
        base_url = "{school.url}"
        api_key_file = "key.txt"
        """
    )
    return school


def serve(school: School) -> tuple[subprocess.Popen[str], str]:
    process = start("serve", "--port", 0, "--json", cwd=school.folder)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()
    return process, json.loads(line)["url"]


@contextmanager
def daemon(school: School) -> Iterator[str]:
    process, url = serve(school)
    try:
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        typed = ended(process)
    assert "Traceback" not in typed.err


def killed(process: subprocess.Popen[str]) -> None:
    """At once, without a last word; a real crash."""
    os.kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    ended(process)


def queue(url: str) -> dict[str, Any]:
    """The only pool, as the daemon tells it."""
    with urllib.request.urlopen(f"{url}/api/queue", timeout=10) as answer:
        (pool,) = json.load(answer)["pools"]
    return dict(pool)


def stored(what: str) -> Any:
    """One value of the only pool's stored state."""
    database = sqlite3.connect("gradeq.db")
    row = database.execute("SELECT state ->> ? FROM limiter_state", (f"$.{what}",)).fetchone()
    database.close()
    return row and row[0]


def queued(school: School, count: int) -> None:
    assert gradeq("import", school.papers(count), "--rubric", school.rubric).code == 0
    assert gradeq("grade").code == 0


def graded() -> int:
    return int(gradeq("status", "--json").told["assignments"][0]["graded"])


def pools() -> list[dict[str, Any]]:
    return list(gradeq("status", "--json").told["pools"])


@pytest.mark.slow
def test_a_new_key_and_one_command_get_a_daemon_moving(configured: School):
    with daemon(configured):
        queued(configured, 8)
        until(lambda: stored("parked_reason"), "the pool is parked")
        until(lambda: "as its pool is parked" in gradeq("status").out, "the batch is paused")
        shown = gradeq("status").out
        assert "Check the key in key.txt" in shown
        assert "when that is mended: gradeq resume school" in shown
        assert "gradeq batch resume" not in shown
        listed = gradeq("resume")
        assert "8 papers wait for it" in listed.out
        (parked,) = gradeq("resume", "--json").told["parked"]
        assert (parked["providers"], parked["until"]) == (["school"], None)

        Path("key.txt").write_text("sk-right\n")
        typed = gradeq("resume", "school")
        assert typed.code == 0
        assert "the key file holds another key" in typed.out
        assert "batches that gradeq had paused and that go on: 1" in typed.out
        until(lambda: graded() == 8, "all are graded")
        assert gradeq("resume").out == "No pool is parked.\n"
        unknown = gradeq("resume", "cellar")
        assert (unknown.code, "there is no pool 'cellar'" in unknown.err) == (2, True)


def test_without_a_daemon_the_stored_state_goes_on(configured: School):
    papers = configured.papers(8)
    words = ("run", papers, "--rubric", configured.rubric, "--json")
    stopped = gradeq(*words)
    assert stopped.code == 1
    assert "401" in stopped.told["stuck_on"]
    assert stopped.err.count("is parked") == 0, "the last lines tell it"
    typed = gradeq("resume", "marker", "--json")
    assert typed.code == 0
    assert (typed.told["batch_ids"], typed.told["moved_to"]) == ([1], None)
    assert "401" in typed.told["reason"]
    again = gradeq("resume", typed.told["pool"])
    assert "was not parked" in again.out
    assert "no gradeq is working on it" in again.out
    configured.change(api_keys=None)
    assert gradeq("grade", "--wait", "--json").told["graded"] == 8


@pytest.mark.slow
def test_a_start_with_the_right_key_needs_no_command(configured: School):
    with daemon(configured):
        queued(configured, 8)
        until(lambda: stored("parked_reason"), "the pool is parked")
    Path("key.txt").write_text("sk-right\n")
    with daemon(configured):
        until(lambda: graded() == 8, "all are graded")


def test_status_reads_what_another_process_does_now(configured: School):
    configured.change(api_keys=None, requests_per_minute=60, latency=0.05)
    papers = configured.papers(60)
    words = ("run", papers, "--rubric", configured.rubric, "--grace", 0)
    process = start(*words, cwd=configured.folder)
    until(lambda: gradeq("status").code == 0 and live(), "the run's reading is shown")
    until(lambda: live()[0]["limited_by"] == "requests", "the limit is reached")
    (pool,) = live()
    assert pool["backlog"]["ready"] > 0
    assert pool["last_minute"]["requests"] > 0
    assert (pool["concurrency"], pool["is_auto"]) == (5, False)
    shown = gradeq("status").out
    assert "as of " in shown
    assert "limited by requests: " in shown
    assert " of 60/min used" in shown
    assert "refused calls: 0 in the last hour" in shown
    assert " left" in shown
    killed(process)
    assert live() == [], "what a dead process read is not shown as live"
    assert "limited by" not in gradeq("status").out


def live() -> list[dict[str, Any]]:
    return [one for one in pools() if one["limited_by"] is not None]


@pytest.mark.slow
def test_the_summary_says_in_words_what_limited_it(configured: School):
    configured.change(api_keys=None, requests_per_minute=600, burst_seconds=1.0)
    words = ("--rubric", configured.rubric, "--concurrency", 20, "--json")
    typed = gradeq("run", configured.papers(40), *words)
    assert typed.told["limited_by"] == "requests"
    assert typed.told["limited_by_text"].startswith("requests: ")
    assert f"limited by {typed.told['limited_by_text']}" in typed.err


def test_a_concurrency_is_a_number_or_auto(school: School):
    for wrong in ("0", "fast", "-1", "1.5"):
        typed = school.run(school.papers(1), "--concurrency", wrong)
        assert typed.code == 2
        assert f"'{wrong}' is neither a whole number from 1 on nor 'auto'" in typed.err
    assert school.run(school.papers(3), "--concurrency", "auto").told["graded"] == 3


# Killed -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_gate_outlives_a_kill(configured: School):
    configured.change(api_keys=None, fail="429", retry_after_seconds=60)
    process, _ = serve(configured)
    queued(configured, 10)
    until(lambda: stored("gate_until_ms"), "the gate is stored")
    killed(process)
    asked = configured.stats()["requests"]
    with daemon(configured) as url:
        pool = queue(url)
        assert pool["limited_by"] == "retry_after"
        assert 0 < pool["wait_seconds"] <= 60.2
        until(live, "its reading is stored")
        assert live()[0]["limited_by"] == "retry_after"
        assert "the provider asked to wait" in gradeq("status").out
    assert configured.stats()["requests"] == asked
    assert configured.stats()["arrived_inside_retry_after"] == 0


@pytest.mark.slow
def test_a_parking_outlives_a_kill(configured: School):
    process, _ = serve(configured)
    queued(configured, 8)
    until(lambda: stored("parked_reason"), "the parking is stored")
    killed(process)
    configured.change(api_keys=None)
    asked = configured.stats()["requests"]
    with daemon(configured) as url:
        assert queue(url)["limited_by"] == "parked"
        assert "401" in queue(url)["parked_reason"]
        until(lambda: [one["limited_by"] for one in pools()] == ["parked"], "its reading is stored")
        assert configured.stats()["requests"] == asked
        assert gradeq("resume", "school", "--json").told["batch_ids"] == [1]
        until(lambda: graded() == 8, "all are graded")


@pytest.mark.slow
def test_an_outage_outlives_a_kill(configured: School):
    """The next process asks once, not with all it has."""
    configured.change(api_keys=None, fail="529")
    process, _ = serve(configured)
    queued(configured, 10)
    until(lambda: stored("breaker_until_ms"), "the outage is stored")
    killed(process)
    asked, trips = configured.stats()["requests"], stored("breaker_trips")
    with daemon(configured):
        until(lambda: stored("breaker_trips") == trips + 2, "it has asked again, twice")
        assert configured.stats()["requests"] <= asked + 3
        configured.change(fail="")
        until(lambda: graded() == 10, "all are graded", 40.0)


@pytest.mark.slow
def test_levels_outlive_kills(configured: School):
    """Whoever is killed again and again never asks for more than the limit allows."""
    configured.change(api_keys=None, requests_per_minute=120, burst_seconds=10.0, latency=0.1)
    lives = 4
    for number in range(lives):
        process, _ = serve(configured)
        if number == 0:
            queued(configured, 60)
        before = graded()
        until(lambda: graded() >= before + 4, "some are graded")  # noqa: B023 - it is over when `before` changes
        killed(process)
    stats = configured.stats()
    assert stats["requests"] >= 4 * lives
    assert stats["refused_429"] <= 1
