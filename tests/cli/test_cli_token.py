"""`gradeq token`, with and without a daemon."""

from __future__ import annotations

import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cli_kit import ended, gradeq, start


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRADEQ_TOKEN", raising=False)
    return tmp_path


@contextmanager
def daemon(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """A daemon's address, and what it said on stderr until it listened."""
    process = start("serve", "--port", 0, "--json", cwd=folder)
    assert process.stdout is not None
    try:
        url = json.loads(process.stdout.readline())["url"]
        said: list[str] = []
        yield url, said
    finally:
        process.terminate()
        said.append(ended(process).err)


def asked(url: str, token: str | None = None) -> int:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as a:
            return int(a.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def told(*words: object) -> Any:
    typed = gradeq("token", *words, "--json")
    assert typed.code == 0, typed.err
    return typed.told


TEACHER = ("create", "Ada", "--role", "teacher", "--course", "art", "--course", "physics")


def test_a_token_is_shown_once_and_only_its_hash_is_kept(folder: Path) -> None:
    given = told(*TEACHER, "--label", "a script", "--days", 30)
    assert given["person"] == {"name": "Ada", "role": "teacher", "courses": ["art", "physics"]}
    secret = given["token"].partition(".")[2]
    for file in folder.glob("gradeq.db*"):
        assert secret.encode() not in file.read_bytes()
    [listed] = told("list")["tokens"]
    assert (listed["handle"], listed["label"]) == (given["handle"], "a script")
    assert listed["expires_at"] - listed["created_at"] == 30 * 24 * 3600 * 1000


def test_the_list_is_for_people_too(folder: Path) -> None:
    (folder / "p.txt").write_text("An essay.")
    assert gradeq("import", "p.txt").code == 0
    assert "nobody is on the list" in gradeq("token", "list").out
    handle = told(*TEACHER)["handle"]
    lines = gradeq("token", "list").out.splitlines()
    assert lines[1].split(maxsplit=2) == ["Ada", "teacher", "art, physics"]
    assert lines[-1].split() == [handle, "Ada", "never", "never"]
    typed = gradeq("token", "create", "Ada")
    assert len(typed.out.split()) == 1
    assert "only now" in typed.err


def test_a_token_is_revoked_by_its_handle_or_itself() -> None:
    for named in ("handle", "token"):
        given = told(*TEACHER)
        assert told("revoke", given[named]) == {"handle": given["handle"]}
        again = gradeq("token", "revoke", given[named])
        assert (again.code, "there is no token" in again.err) == (2, True)
    assert told("list")["tokens"] == []


def test_what_cannot_be_is_refused() -> None:
    told("create", "Bo", "--role", "administrator")
    last = gradeq("token", "create", "Bo", "--role", "teacher")
    assert (last.code, "last administrator" in last.err) == (2, True)
    assert gradeq("token", "link", "Eve").code == 2
    assert gradeq("token", "create", "  ").code == 2
    assert gradeq("token", "create", "Bo", "--role", "king").code == 2


def test_a_daemon_takes_the_tokens_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with daemon(folder) as (url, _):
        assert asked(f"{url}/api/courses") == 200
        ada = told(*TEACHER)
        bo = told("create", "Bo", "--role", "administrator")
        assert asked(f"{url}/api/courses") == 401
        assert asked(f"{url}/api/courses", ada["token"]) == 200
        assert asked(f"{url}/api/queue", ada["token"]) == 403
        assert asked(f"{url}/api/queue", bo["token"]) == 200
        # Commands of whoever started it need no token of their own.
        assert gradeq("batch", "pause", 7).err.count("there is no batch 7") == 1
        assert told("revoke", ada["handle"]) == {"handle": ada["handle"]}
        assert asked(f"{url}/api/courses", ada["token"]) == 401
        link = told("link", "Bo")["url"]
        assert link.startswith(f"{url}/sign-in?code=")
        assert asked(link) == 200
        monkeypatch.setenv("GRADEQ_TOKEN", ada["token"])
        refused = gradeq("batch", "pause", 7)
        assert (refused.code, "wants a token" in refused.err) == (2, True)


@pytest.mark.slow
def test_only_its_own_user_can_read_the_daemons_key(folder: Path) -> None:
    with daemon(folder) as (url, _):
        lock = folder / "gradeq.db.lock"
        key = json.loads(lock.read_text("utf-8"))["key"]
        assert lock.stat().st_mode & 0o077 == 0
        told(*TEACHER)
        assert asked(f"{url}/api/queue", key) == 200
    with daemon(folder) as (url, _):
        assert asked(f"{url}/api/queue", key) == 401


@pytest.mark.slow
def test_a_daemon_tells_a_link_until_somebody_administers(folder: Path) -> None:
    with daemon(folder) as (url, said):
        pass
    [link] = [word for word in said[0].split() if "/sign-in?code=" in word]
    assert link.startswith(url)
    code = urlsplit(link).query.removeprefix("code=")
    with closing(sqlite3.connect("gradeq.db")) as conn:
        [row] = conn.execute("SELECT * FROM passes").fetchall()
    assert code not in map(str, row)
    told("create", "Bo", "--role", "administrator")
    with daemon(folder) as (url, said):
        pass
    assert "/sign-in" not in said[0]
