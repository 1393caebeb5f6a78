"""Every example runs as a reader would run it, in a folder of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
CLASS = EXAMPLES / "class"


def run(tmp_path: Path, name: str, *arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_grade_folder_grades_every_file(tmp_path: Path) -> None:
    folder = tmp_path / "essays"
    folder.mkdir()
    (folder / "ann.txt").write_text("Schools should start later because sleep matters a lot.")
    (folder / "ben.md").write_text("   ")
    told = run(tmp_path, "grade_folder.py", folder, CLASS / "rubric.toml")
    assert "simulated" in told
    assert re.search(r"ann  [\d.]+/12  .*simulated", told)
    assert re.search(r"ben  ungraded: the paper is blank", told)


def test_grade_folder_explains_its_arguments(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / "grade_folder.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 1
    assert "FOLDER_OR_FILE RUBRIC" in done.stderr


def test_custom_grader_snoozes_and_rejects(tmp_path: Path) -> None:
    told = run(tmp_path, "custom_grader.py")
    assert " right: graded, score 1.0, fine" in told
    assert " wrong: graded, score 0.0, fine" in told
    assert " blank: ungraded, score None, there is nothing to grade" in told
    assert "times 'late' was called: 2" in told


def test_embed_in_starlette_answers_over_http(tmp_path: Path) -> None:
    told = run(tmp_path, "embed_in_starlette.py")
    assert "queued as batch 1" in told
    assert "'graded': 1" in told


def test_rate_limited_keeps_its_pace(tmp_path: Path) -> None:
    told = run(tmp_path, "rate_limited.py")
    found = re.search(r"12 calls, .*: (\d+) a minute", told)
    assert found
    assert int(found[1]) <= 250


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_short(example: Path) -> None:
    code = example.read_text("utf-8").split('"""', 2)[2]
    assert len(code.strip().splitlines()) <= 60
