"""Caps on cost, typed and configured."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli_kit import School, ended, gradeq, jsonl, start, until

PRICES = ("--price-input", 100, "--price-output", 500)


def test_run_stops_at_its_cap_and_goes_on_with_a_higher_one(school: School):
    papers = school.papers(30)
    first = school.run(papers, *PRICES, "--max-cost", 3, "--out", "grades.jsonl")
    assert first.code == 1
    assert 0 < first.told["cost"] <= 3
    assert 0 < first.told["graded"] < 30
    assert "cost cap of 3.00 USD reached" in first.told["stuck_on"]
    assert "Mend that." in first.err
    rows = jsonl(Path("grades.jsonl"))
    assert sum(row["cost"] for row in rows) == pytest.approx(first.told["cost"], abs=1e-5)
    left = [row for row in rows if row["status"] == "ungraded"]
    assert len(left) == first.told["ungraded"]
    assert all("its batch is paused: cost cap of 3.00 USD" in row["reason"] for row in left)

    same = school.run(papers, *PRICES, "--max-cost", 3)
    assert (same.code, same.told["requests"]) == (1, 0)
    more = school.run(papers, *PRICES, "--max-cost", 100)
    assert (more.code, more.told["graded"], more.told["stuck_on"]) == (0, 30, None)
    assert more.told["batch_id"] == first.told["batch_id"]
    assert sum(school.calls().values()) == 30


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Far from midnight, which would be waited for."""
    monkeypatch.setenv("TZ", f"XXX{time.gmtime().tm_hour - 12:+d}")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows takes its zone from the system alone")
def test_a_configured_cap_holds_every_batch_and_day(school: School, noon: None):
    Path("gradeq.toml").write_text(
        f"""
        [grading]
        cost_cap_per_day = 3.0
        [provider.practice]
        kind = "simulated"
        model = "marker"
        base_url = "{school.url}"
        price_input = 100.0
        price_output = 500.0
        """,
        "utf-8",
    )
    papers = school.papers(30)
    typed = gradeq("run", papers, "--rubric", school.rubric, "--json")
    assert typed.code == 1
    assert 0 < typed.told["cost"] <= 3
    assert "the day's cost cap of 3.00 USD reached" in typed.told["stuck_on"]
    status = gradeq("status", "--json").told
    assert status["today"]["cost"] == pytest.approx(typed.told["cost"], abs=1e-5)
    assert status["today"]["cost_cap"] == 3
    told = gradeq("status").out
    assert f"today: cost {typed.told['cost']:.2f} of 3.00 USD" in told
    assert "parked" in told
    assert "the day's cost cap of 3.00 USD" in told
    assert "goes on by itself then; at once: raise cost_cap_per_day" in told
    assert "gradeq resume practice" not in told, "it would stop again at once"
    assert "at once: raise cost_cap_per_day" in gradeq("resume").out


def test_status_and_list_tell_what_a_batch_has_cost(school: School):
    typed = school.run(school.papers(30), *PRICES, "--max-cost", 3)
    cost = f"{typed.told['cost']:.2f}"
    assert f"cost {cost} of 3.00 USD" in gradeq("status").out
    header, row = gradeq("batch", "list").out.splitlines()
    assert header.split()[-3:] == ["cost", "USD", "cap"]
    assert row.split()[-2:] == [cost, "3.00"]


def test_amounts_are_told_in_the_configured_currency(school: School):
    Path("gradeq.toml").write_text('[grading]\ncurrency = "EUR"\n', "utf-8")
    first = school.run(school.papers(30), *PRICES, "--max-cost", 3)
    assert first.told["currency"] == "EUR"
    assert f"cost {first.told['cost']:.2f} EUR" in first.err
    assert "cost cap of 3.00 EUR reached" in first.told["stuck_on"]
    cost = f"cost {first.told['cost']:.2f} of 3.00 EUR"
    assert cost in gradeq("status").out
    assert cost in gradeq("batch", "resume", 1).out
    assert "cost EUR" in gradeq("batch", "list").out
    for words in (("status",), ("batch", "list"), ("batch", "pause", 1)):
        assert gradeq(*words, "--json").told["currency"] == "EUR"


def test_a_batch_s_cap_is_changed_and_taken_away(school: School):
    school.run(school.papers(30), *PRICES, "--max-cost", 3)
    typed = gradeq("batch", "cap", 1, 4.5, "--json")
    assert typed.told["batch"]["cost_cap"] == 4.5
    assert "of 4.50 USD" in gradeq("batch", "cap", 1, 4.5).out
    assert gradeq("batch", "cap", 1, "none", "--json").told["batch"]["cost_cap"] is None
    assert gradeq("batch", "cap", 1, "much").code == 2
    assert gradeq("batch", "cap", 1, "0").code == 2
    assert gradeq("batch", "cap", 7, "1").code == 2
    assert "neither a number nor 'none'" in gradeq("batch", "cap", 1, "much").err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--max-cost", "0"), "--max-cost"),
        (("--max-cost", "1"), "--max-cost needs prices"),
        (("--price-input", "-1"), "--price-input"),
    ],
)
def test_what_cannot_be_held_is_refused(school: School, words: tuple[str, ...], told: str):
    typed = school.run(school.papers(2), *words)
    assert typed.code == 2
    assert told in typed.err
    assert not school.stats()["requests"]


def test_a_configured_cap_needs_prices(school: School):
    Path("gradeq.toml").write_text(
        """
        [grading]
        cost_cap_per_batch = 0
        [provider.claude]
        kind = "anthropic"
        model = "claude-sonnet-4-5"
        """,
        "utf-8",
    )
    wrong = gradeq("status")
    assert wrong.code == 2
    assert "cost_cap_per_batch must be above 0" in wrong.err
    Path("gradeq.toml").write_text(
        Path("gradeq.toml").read_text("utf-8").replace("batch = 0", "batch = 1"), "utf-8"
    )
    words = ("run", school.papers(2), "--rubric", school.rubric)
    typed = gradeq(*words)
    assert typed.code == 2
    assert "'claude' has no prices" in typed.err


def test_a_queued_batch_keeps_its_cap(school: School):
    gradeq("import", school.papers(30), "--rubric", school.rubric)
    assert gradeq("grade", "--max-cost", 3, "--json").told["queued"] == 30
    assert gradeq("status", "--json").told["batches"][0]["cost_cap"] == 3
    typed = gradeq("grade", "--wait", *school.provider, *PRICES, "--json")
    assert "cost cap of 3.00 USD reached" in typed.told["stuck_on"]
    assert 0 < typed.told["cost"] <= 3


@contextmanager
def serving(school: School, *words: object) -> Iterator[None]:
    process = start("serve", *words, "--port", 0, "--json", cwd=school.folder)
    assert process.stdout is not None
    assert process.stdout.readline(), process.communicate()
    yield
    process.terminate()
    ended(process)


@pytest.fixture
def daemon(school: School) -> Iterator[None]:
    with serving(school, *school.provider, *PRICES):
        yield


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows takes its zone from the system alone")
def test_nobody_waits_until_midnight_beside_a_daemon(school: School, noon: None):
    """As without one: who looks on is told what stands in the way."""
    Path("gradeq.toml").write_text("[grading]\ncost_cap_per_day = 3.0\n", "utf-8")
    gradeq("import", school.papers(30), "--rubric", school.rubric)
    with serving(school, *school.provider, *PRICES):
        typed = gradeq("grade", "--wait", "--json")
    assert typed.code == 1, typed.err
    assert "the day's cost cap of 3.00 USD reached" in typed.told["stuck_on"]
    assert 0 < typed.told["cost"] <= 3


@pytest.mark.slow
def test_beside_a_daemon(school: School, daemon: None):
    gradeq("import", school.papers(30), "--rubric", school.rubric)
    typed = gradeq("grade", "--wait", "--max-cost", 3, "--json")
    assert typed.code == 1, typed.err
    assert "cost cap of 3.00 USD reached" in typed.told["stuck_on"]
    assert 0 < typed.told["cost"] <= 3
    assert gradeq("batch", "cap", 1, 100, "--json").told["batch"]["cost_cap"] == 100
    assert gradeq("batch", "resume", 1).code == 0
    until(lambda: gradeq("status", "--json").told["batches"] == [], "all is graded")
    assert sum(school.calls().values()) == 30
