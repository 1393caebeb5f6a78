"""What the doctor sees, and what it keeps to itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_kit import School, gradeq

from gradeq.cli.findings import Level
from gradeq.cli.machine import _sqlite, filesystem_of, place

KEY = "sk-ant-api03-not-to-be-shown"


def findings(*words: object) -> dict[str, dict[str, str]]:
    typed = gradeq("doctor", "--json", *words)
    found = {one["about"]: one for one in typed.told["findings"]}
    bad = any(one["level"] == "problem" for one in found.values())
    assert typed.code == (1 if bad else 0)
    return found


def levels(folder: Path) -> dict[str, Level]:
    return {one.about: one.level for one in place(folder / "gradeq.db")}


def test_a_fresh_machine_is_well_but_for_the_provider():
    found = findings()
    assert found["database"]["level"] == "ok"
    assert found["provider"]["level"] == "warning"
    assert "0.1.0" in found["gradeq"]["text"]
    assert not Path("gradeq.db").exists()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('auth = "sealing-wax"', "auth = 'sealing-wax'. Choose: bearer"),
        ("slots = 2", "sets slots, which only the kind 'local' has"),
        ('kind = "oracle"', "has the kind 'oracle'. Choose one of: anthropic"),
    ],
)
def test_a_provider_that_no_run_would_take_is_a_problem(line: str, told: str):
    kind = "" if line.startswith("kind") else 'kind = "openai"\n'
    Path("gradeq.toml").write_text(
        f'[provider.x]\nmodel = "m"\nbase_url = "http://127.0.0.1:9"\n{kind}{line}\n'
    )
    found = findings()["provider x"]
    assert found["level"] == "problem"
    assert told in found["text"]


def test_it_says_who_works_on_a_database_that_it_can_read(school: School):
    school.run(school.papers(1))
    found = findings()
    assert "MB" in found["database"]["text"]
    assert found["in use"]["text"].startswith("no gradeq")


def test_a_database_that_is_none_is_a_problem():
    Path("gradeq.db").write_bytes(b"not a database at all, but long enough to look like one")
    assert findings()["database"]["level"] == "problem"


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 37, 2), "problem"), ((3, 51, 2), "warning"), ((3, 51, 3), "ok"), ((4, 0, 0), "ok")],
)
def test_sqlite_below_3_51_3_is_warned_of(version, level):
    assert _sqlite(version).level == level


@pytest.mark.parametrize("name", ["Dropbox", "OneDrive - School", "Google Drive", "iCloud~x"])
def test_synced_folders_are_warned_of(here: Path, name: str):
    folder = here / name
    folder.mkdir()
    assert levels(folder)["folder"] is Level.WARNING
    assert "folder" not in levels(here)


def test_a_missing_folder_is_a_problem(here: Path):
    assert levels(here / "nowhere") == {"database": Level.PROBLEM}


def test_the_file_system_is_that_of_the_innermost_mount(here: Path):
    mounts = here / "mounts"
    mounts.write_text(
        "/dev/sda1 / ext4 rw 0 0\nserver:/x /home/me/my\\040share nfs4 rw 0 0\n", "utf-8"
    )
    assert filesystem_of(Path("/home/me/my share/term"), mounts) == "nfs4"
    assert filesystem_of(Path("/home/me"), mounts) == "ext4"
    assert filesystem_of(Path("/home/me"), here / "nowhere") is None


def test_a_write_ahead_log_that_grows_is_warned_of(here: Path):
    with (here / "gradeq.db-wal").open("wb") as wal:
        wal.truncate(70 * 1024 * 1024)
    assert levels(here)["write-ahead log"] is Level.WARNING


def provider(kind: str, url: str, model: str = "m", more: str = "") -> None:
    Path("gradeq.toml").write_text(
        f'[provider.x]\nkind = "{kind}"\nmodel = "{model}"\nbase_url = "{url}"\n{more}', "utf-8"
    )


def test_keys_are_looked_for_and_never_shown(monkeypatch):
    provider("anthropic", "https://api.example.com")
    assert findings()["provider x"]["level"] == "problem"
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    typed = gradeq("doctor")
    assert "its key comes from ANTHROPIC_API_KEY" in typed.out
    assert KEY not in typed.out + typed.err


def test_a_configuration_with_mistakes_is_a_problem():
    Path("gradeq.toml").write_text("[provider.x]\nmodle = 1\n", "utf-8")
    assert findings()["configuration"]["level"] == "problem"


@pytest.mark.parametrize("kind", ["anthropic", "openai", "gemini", "simulated"])
def test_online_asks_whether_key_and_model_are_known(school: School, monkeypatch, kind: str):
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    provider(kind, school.url, "marker-1")
    school.change(models=["marker-1"])
    assert findings("--online")["online x"]["level"] == "ok"
    assert school.stats()["requests"] == 0
    assert "online x" not in findings()


@pytest.mark.parametrize("kind", ["openai", "gemini"])
def test_online_names_an_unknown_model_a_wrong_key_and_silence(school, monkeypatch, kind):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    provider(kind, school.url, "other")
    school.change(models=["marker-1"])
    assert "not in its list of models" in findings("--online")["online x"]["text"]
    school.change(api_keys=["another-key"])
    assert "refuses the key" in findings("--online")["online x"]["text"]
    provider(kind, "http://127.0.0.1:9")
    assert findings("--online")["online x"]["level"] == "problem"
