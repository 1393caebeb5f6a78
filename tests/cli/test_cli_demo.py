"""The demo: 30 essays, a browser page or a bar, and nothing that passes for real."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from pathlib import Path

import pytest
from cli_kit import ended, gradeq, start, until

FAST = ("--rpm", 6000)


def test_headless_grades_the_class_and_shows_what_came_of_it(here: Path):
    typed = gradeq("demo", "--headless", "--db", here / "demo.db", *FAST)
    assert typed.code == 0
    assert "SIMULATED" in typed.err
    assert "Submitted 1   Graded 29   Released 0" in typed.out
    assert "the paper is blank" in typed.out
    assert "hostile text" in typed.out
    assert str(here / "demo.db") in typed.out
    told = gradeq("status", "--db", here / "demo.db", "--json").told
    assert told["assignments"][0]["graded"] == 29


def test_json_is_the_last_line(here: Path):
    typed = gradeq("demo", "--headless", "--db", here / "demo.db", "--json", *FAST)
    assert (typed.told["submitted"], typed.told["graded"]) == (30, 29)
    assert typed.told["simulated"] is True
    assert len(typed.out.splitlines()) == 1


def test_it_wants_a_new_database(here: Path):
    (here / "mine.db").write_bytes(b"mine")
    typed = gradeq("demo", "--headless", "--db", here / "mine.db")
    assert typed.code == 2
    assert (here / "mine.db").read_bytes() == b"mine"


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
@pytest.mark.slow
def test_the_page_shows_the_badges_until_ctrl_c(here: Path):
    process = start("demo", "--db", "demo.db", *FAST, cwd=here, DISPLAY="", WAYLAND_DISPLAY="")
    assert process.stdout is not None
    url = process.stdout.readline().split()[2]

    def badges() -> dict[str, int]:
        path = "/api/courses/demo/assignments/school-start/badges"
        with urllib.request.urlopen(url + path, timeout=10) as answer:
            told: dict[str, int] = json.load(answer)
        return told

    assert badges()["submitted"] == 30
    with urllib.request.urlopen(url, timeout=10) as page:
        assert "school-start" in page.read().decode()
    until(lambda: badges()["graded"] == 29, "29 graded")
    until(lambda: badges()["grading"] == 0, "none left")
    assert "handed in" in process.stdout.readline()
    assert "Done" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    typed = ended(process)
    assert typed.code == 0
    assert "SIMULATED" in typed.err
