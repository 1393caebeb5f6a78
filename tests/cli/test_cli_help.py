"""What is shown before anything is done."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from cli_kit import ROOT, environment, gradeq

from gradeq import __version__
from gradeq.cli.commands import COMMANDS, cli


def test_help_fits_a_screen():
    lines = gradeq("--help").out.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_loads_and_explains_itself(name):
    typed = gradeq(name, "--help")
    assert typed.code == 0
    assert max(map(len, typed.out.splitlines())) <= 80
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"batch", "rubric", "token"}))
def test_every_command_prints_facts_as_json(name):
    assert "--json" in gradeq(name, "--help").out


def test_listing_the_commands_loads_none_of_what_they_need():
    script = "import sys; import gradeq.cli; print(*sys.modules)"
    words = (sys.executable, "-c", script)
    loaded = subprocess.check_output(words, env=environment(), text=True).split()
    for heavy in ("httpx", "aiohttp", "starlette", "uvicorn", "rich", "aiosqlite"):
        assert heavy not in loaded


def test_the_module_is_the_command():
    shown = subprocess.run(
        [sys.executable, "-m", "gradeq", "--version"],
        env=environment(),
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    assert __version__ in shown.stdout
    assert shown.stdout.startswith("gradeq")


def test_a_misspelt_command_names_the_nearest():
    typed = gradeq("rnu", "x")
    assert typed.code == 2
    assert "Did you mean 'run'?" in typed.err
