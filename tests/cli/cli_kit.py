"""Typing commands: in this process where that is enough, as a process of their own where not."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from gradeq.cli.commands import cli
from gradeq.providers.simulated import Simulator, SimulatorSettings

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "examples" / "class"
KEYS = (
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "GRADEQ_TOKEN",
    "GRADEQ_STORE_URL",
)

RUBRIC = """
title = "Start of school"
question = "Should schools start later?"

[[criteria]]
id = "claim"
description = "Does the text take a position?"
levels = [
  { name = "clear", points = 2, description = "A clear position." },
  { name = "none", points = 0, description = "No position." },
]

[[criteria]]
id = "language"
description = "Is the text readable?"
points = 1
"""


@dataclass(frozen=True, slots=True)
class Typed:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> dict[str, Any]:
        """The last line on stdout, as JSON."""
        found: dict[str, Any] = json.loads(self.out.strip().splitlines()[-1])
        return found


def gradeq(*words: object) -> Typed:
    """Type a command in this process."""
    result: Result = CliRunner().invoke(cli, [str(word) for word in words], prog_name="gradeq")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Typed(result.exit_code, result.stdout, result.stderr)


def environment(**more: str) -> dict[str, str]:
    """This process's, without keys, and with the package on the path."""
    kept = {name: value for name, value in os.environ.items() if name not in KEYS}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **more}


def start(*words: object, cwd: Path, **env: str) -> subprocess.Popen[str]:
    """Start a command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "gradeq", *map(str, words)],
        cwd=cwd,
        env=environment(**env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str], seconds: float = 30.0) -> Typed:
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Typed(process.returncode, out, err)


def until(happened: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Look again and again; the test fails if it does not come."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.02)


class School:
    """A simulated provider on a thread of its own, and a folder with papers and a rubric."""

    def __init__(self, simulator: Simulator, folder: Path) -> None:
        self.simulator = simulator
        self.folder = folder
        self.rubric = folder / "rubric.toml"
        self.rubric.write_text(RUBRIC, "utf-8")

    @property
    def url(self) -> str:
        return self.simulator.url

    @property
    def provider(self) -> tuple[str, ...]:
        return ("--provider", "simulated", "--base-url", self.url)

    def stats(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/simulated/stats", timeout=10) as answer:
            told: dict[str, Any] = json.load(answer)
        return told

    def change(self, **settings: Any) -> None:
        data = json.dumps(settings).encode()
        with urllib.request.urlopen(f"{self.url}/simulated/settings", data, timeout=10):
            pass

    def calls(self) -> dict[str, int]:
        """Calls that cost tokens, by the SHA-256 of the paper's text."""
        calls: dict[str, int] = self.stats()["calls_per_paper"]
        return calls

    def papers(self, count: int, name: str = "essays.csv", **columns: str) -> Path:
        return self.table([{"id": f"p{n}", "text": text(n), **columns} for n in range(count)], name)

    def table(self, rows: list[dict[str, str]], name: str = "essays.csv") -> Path:
        path = self.folder / name
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return path

    def run(self, papers: Path, *more: object) -> Typed:
        return gradeq("run", papers, "--rubric", self.rubric, *self.provider, "--json", *more)


def text(number: int) -> str:
    return (
        f"In my opinion schools should start later. Reason number {number} is that pupils need "
        f"sleep, as a study of {number + 10} schools has shown. Some say it is too late then, "
        "but buses can change their hours."
    )


def fingerprint(paper: str) -> str:
    return hashlib.sha256(paper.encode()).hexdigest()


@contextmanager
def simulated(**settings: Any) -> Iterator[Simulator]:
    """A simulated provider that answers while this thread is busy with a command."""
    loop = asyncio.new_event_loop()
    simulator = Simulator(SimulatorSettings(**settings))
    loop.run_until_complete(simulator.start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield simulator
    finally:
        asyncio.run_coroutine_threadsafe(simulator.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))
