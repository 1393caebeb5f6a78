"""A model on this machine, as commands tell of it: what is missing, and what would run."""

from __future__ import annotations

import importlib.util
import struct
import sys
from pathlib import Path

import pytest
from cli_kit import RUBRIC, gradeq

from gradeq.providers.local.machine import Machine

LIBRARY = Path(__file__).parents[1] / "local" / "library"

HEADER = b"GGUF" + struct.pack("<IQQ", 3, 0, 0)
"""A model without anything in it."""


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(LIBRARY))


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)


def run(*words: object) -> str:
    """What `gradeq run` says where it grades nothing."""
    Path("rubric.toml").write_text(RUBRIC)
    Path("p.csv").write_text("id,text\n1,Sleep matters.\n")
    typed = gradeq("run", "p.csv", "--rubric", "rubric.toml", *words)
    assert typed.code == 2
    return typed.err


def doctor() -> tuple[str, str]:
    typed = gradeq("doctor", "--json")
    found = {one["about"]: one for one in typed.told["findings"]}
    return found["provider school"]["level"], found["provider school"]["text"]


def configure(**keys: object) -> None:
    told = {"kind": "local", "model": "m.gguf", **keys}
    lines = "".join(f"{key} = {str(value)!r}\n" for key, value in told.items())
    Path("gradeq.toml").write_text(f"[provider.school]\n{lines}")


@pytest.mark.usefixtures("no_library")
def test_without_the_library_it_is_told_how_to_install_it():
    said = run("--provider", "local", "--model", "m.gguf")
    assert "needs the package xllamacpp, which is not installed" in said
    assert "pip install 'gradeq[local]'" in said


@pytest.mark.usefixtures("library")
def test_without_the_file_nothing_starts():
    assert "m.gguf is not there" in run("--provider", "local", "--model", "m.gguf")
    assert "--provider local needs --model" in run("--provider", "local")


@pytest.mark.usefixtures("library")
def test_an_address_or_a_key_is_for_other_kinds():
    Path("m.gguf").write_bytes(HEADER)
    address = ("--base-url", "http://127.0.0.1:8080")
    said = run("--provider", "local", "--model", "m.gguf", *address)
    assert "is local and takes no base_url" in said
    assert 'set kind = "openai"' in said


def test_its_settings_are_for_it_alone():
    Path("gradeq.toml").write_text(
        '[provider.x]\nkind = "openai"\nmodel = "m"\nbase_url = "http://127.0.0.1:9"\nthreads = 2\n'
    )
    assert "sets threads, which only the kind 'local' has" in run()


def test_who_names_no_provider_hears_of_it():
    assert "--provider local --model FILE.gguf" in run()


@pytest.mark.usefixtures("library")
def test_the_doctor_says_what_would_run(monkeypatch: pytest.MonkeyPatch):
    Path("m.gguf").write_bytes(HEADER)
    configure(slots=3, threads=1, context_tokens=1000)
    level, text = doctor()
    assert level == "ok"
    assert text.startswith("local, m.gguf: 1 MB, needs about 67 MB of memory; 3 papers at")
    assert text.endswith("once with 1,000 tokens each, 1 thread")
    little = Machine(cores=1, free_cores=1, free_bytes=10_000_000)
    monkeypatch.setattr("gradeq.cli.reach.this_machine", lambda: little)
    level, text = doctor()
    assert level == "problem"
    assert "Too little memory for m: it needs about 67 MB" in text


@pytest.mark.usefixtures("library")
def test_the_doctor_names_a_file_that_is_none_and_variables_count(monkeypatch):
    Path("m.gguf").write_bytes(HEADER)
    Path("other.gguf").write_bytes(b"<html>")
    configure()
    assert doctor()[0] == "ok"
    monkeypatch.setenv("GRADEQ_PROVIDER_SCHOOL_MODEL", "other.gguf")
    level, text = doctor()
    assert level == "problem"
    assert "other.gguf is not a model in GGUF form" in text


@pytest.mark.usefixtures("library")
def test_looking_loads_nothing():
    Path("m.gguf").write_bytes(HEADER)
    configure()
    doctor()
    assert "xllamacpp" not in sys.modules
