"""The tutorials, followed to the letter: their programs and commands do what the pages show."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from docs_kit import DOCS, ROOT, blocks, text_of
from starlette.applications import Starlette

TUTORIAL = DOCS / "tutorial"
FOLDER = TUTORIAL / "grade-a-folder.md"
SCHOOL = TUTORIAL / "a-school-without-a-key.md"
EMBED = TUTORIAL / "embed-it.md"
_VARIES = re.compile(r"\d+\.\d s|[\d,]+ tokens in, [\d,]+ out|limited by .+$", re.MULTILINE)


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environ,
        capture_output=True,
        encoding="utf-8",
        timeout=50,
        check=False,
    )


def shown_after(command: str) -> list[str]:
    """The lines that the tutorial shows below a command."""
    found = re.search(
        rf"^{re.escape(command)}\n```\n\n```text\n(.*?)^```$",
        text_of(FOLDER),
        re.MULTILINE | re.DOTALL,
    )
    assert found, command
    return _VARIES.sub("…", found[1]).splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the reader has made by then: the essays and the rubric."""
    essays = re.findall(r"`(essays/\w+\.txt)`\n\n```text\n(.*?)```", text_of(FOLDER), re.DOTALL)
    assert len(essays) == 3
    (tmp_path / "essays").mkdir()
    (tmp_path / "essays" / "dana.txt").touch()
    for name, text in essays:
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "rubric.toml").write_text(blocks(FOLDER, "toml")[0], "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("gradeq check --rubric rubric.toml --input essays", 0),
        (
            "gradeq run essays --rubric rubric.toml --provider simulated --db trial.db"
            " --out trial.csv",
            1,
        ),
    ],
)
def test_a_command_shows_what_the_tutorial_shows(folder: Path, command: str, code: int) -> None:
    done = run(folder, "-m", *command.split())
    assert done.returncode == code, done.stderr
    assert _VARIES.sub("…", done.stdout).splitlines() == shown_after(command)
    assert "advice" not in done.stderr


def test_the_summary_for_scripts_has_the_fields_of_the_reference(folder: Path) -> None:
    command = "run essays --rubric rubric.toml --provider simulated --json"
    told = json.loads(run(folder, "-m", "gradeq", *command.split()).stdout.splitlines()[-1])
    assert set(told) == set(json.loads(blocks(DOCS / "reference" / "cli.md", "json")[0]))


def test_the_rubric_of_the_tutorial_is_that_of_the_reference() -> None:
    assert blocks(FOLDER, "toml")[0] == blocks(DOCS / "reference" / "rubric.md", "toml")[0]


def test_the_grader_of_the_tutorial_prints_what_it_shows(tmp_path: Path) -> None:
    (tmp_path / "words.py").write_text(blocks(EMBED, "python")[0], "utf-8")
    shown = sorted(blocks(EMBED, "text")[0].splitlines())
    for _ in range(2):
        done = run(tmp_path, "words.py")
        assert sorted(done.stdout.splitlines()) == shown, done.stderr


def test_the_model_of_the_tutorial_grades(folder: Path) -> None:
    (folder / "essays.py").write_text(blocks(EMBED, "python")[1], "utf-8")
    done = run(folder, "essays.py")
    assert done.stdout.count("'status': 'graded'") == 2, done.stderr


async def test_the_web_application_of_the_tutorial_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(blocks(EMBED, "python")[2], "web.py", "exec"), names)
    app = names["app"]
    assert isinstance(app, Starlette)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        answer = await client.get("/grading/api/courses")
    assert answer.json() == {"courses": [], "next": None}


@pytest.mark.slow
def test_a_school_without_a_key_measures_what_the_tutorial_shows(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "science" / "answers.csv", tmp_path)
    page = text_of(SCHOOL)
    command = re.search(r"^gradeq (evaluate .* --grader lexical .*)$", page, re.MULTILINE)
    assert command
    done = run(tmp_path, "-m", "gradeq", *command[1].split())
    assert done.returncode == 0, done.stderr
    assert set(blocks(SCHOOL, "text")[0].splitlines()) <= set(done.stdout.splitlines())
    assert (tmp_path / "words.html").read_text("utf-8").startswith("<!doctype html>")
