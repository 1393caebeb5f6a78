"""What teachers feel: badges while grading runs, pick-up after a submit, an idle daemon.

    python bench/bench_service.py [--submissions 1000000] [--requests 2000] [--idle 20]

Badges: GET …/badges over HTTP on loopback, one client, from a daemon in a process of its own, with
the given number of submissions in the database and, for the second row, a class being graded by
the simulated provider. Beside it, the bound: the same client asks /healthz, which reads nothing.
Pick-up: from the moment submit returns to the first line of a custom grader, in one process.
Idle: CPU seconds that the daemon uses in a while without work (needs /proc).
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gradeq import Engine, Grade, Job, NewSubmission
from gradeq.store.sqlite import SqliteStore

BADGES = "/api/courses/big/assignments/big/badges"
RUBRIC = '[[criteria]]\nid = "claim"\ndescription = "A clear claim"\npoints = 1\n'


def quantiles(name: str, seconds: list[float]) -> None:
    cuts = statistics.quantiles(seconds, n=100)
    p50, p99 = cuts[49] * 1000, cuts[98] * 1000
    print(f"  {name:<44}p50 {p50:6.2f} ms   p99 {p99:6.2f} ms", flush=True)


async def fill(path: Path, count: int) -> None:
    store = SqliteStore(path)
    await store.open()
    await store.add_submissions([NewSubmission("0", "x", course="big", assignment="big")])
    await store.close()
    conn = sqlite3.connect(path)
    conn.executescript(
        f"""
        PRAGMA synchronous = OFF;
        BEGIN;
        INSERT INTO submissions
            (assignment_id, external_id, student, status, created_at, updated_at)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count - 1})
        SELECT 1, i, '', 'submitted', 1, 1 FROM n;
        INSERT INTO papers (submission_id, version, text, sha256, created_at)
        SELECT id, 1, 'A short answer.', printf('%064d', id), 1 FROM submissions WHERE id > 1;
        COMMIT;
        """
    )
    conn.close()


class Daemon:
    """`gradeq serve` on a free port, ended by its own process id."""

    def __init__(self, path: Path, rpm: int = 100_000) -> None:
        command = [sys.executable, "-m", "gradeq", "serve", "--db", str(path), "--port", "0"]
        command += ["--provider", "simulated", "--rpm", str(rpm)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found[1])
                return
        raise RuntimeError("the daemon did not start")

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def cpu_seconds(self) -> float | None:
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def ask(daemon: Daemon, path: str, count: int) -> list[float]:
    connection = daemon.connection()
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        seconds.append(time.perf_counter() - began)
        assert answer.status == 200, answer.status
    connection.close()
    return seconds


def send(daemon: Daemon, method: str, path: str, body: str, kind: str) -> bytes:
    connection = daemon.connection()
    connection.request(method, path, body.encode(), {"Content-Type": kind})
    answer = connection.getresponse()
    told = answer.read()
    assert answer.status < 300, told
    return told


def start_grading(daemon: Daemon) -> None:
    send(daemon, "PUT", "/api/courses/big/assignments/big/rubric", RUBRIC, "application/toml")
    wanted = json.dumps({"submission_ids": list(range(1, 5001))})
    began = time.perf_counter()
    send(daemon, "POST", "/api/grade", wanted, "application/json")
    print(
        f"  {'POST /api/grade of 5,000 ids':<44}{time.perf_counter() - began:10.3f} s", flush=True
    )


def measure_badges(folder: Path, submissions: int, requests: int, idle: float) -> None:
    path = folder / "big.db"
    asyncio.run(fill(path, submissions))
    daemon = Daemon(path)
    try:
        print(f"daemon with {submissions:,} submissions", flush=True)
        before = daemon.cpu_seconds()
        time.sleep(idle)
        after = daemon.cpu_seconds()
        if before is not None and after is not None:
            share = (after - before) / idle
            print(f"  {'CPU while idle':<44}{share:10.2%} of a core", flush=True)
        quantiles("GET /healthz (bound)", ask(daemon, "/healthz", requests))
        quantiles("GET badges, idle", ask(daemon, BADGES, requests))
        start_grading(daemon)
        quantiles("GET /healthz while grading", ask(daemon, "/healthz", requests))
        quantiles("GET badges while grading", ask(daemon, BADGES, requests))
    finally:
        daemon.stop()


async def measure_pick_up(folder: Path, count: int = 300) -> None:
    seconds: list[float] = []
    submitted = 0.0
    engine = Engine(folder / "pick-up.db")

    @engine.grader("now")
    async def now(_job: Job) -> Grade:
        seconds.append(time.perf_counter() - submitted)
        return Grade(1, 1)

    async with engine:
        for i in range(count):
            batch = await engine.submit([NewSubmission(str(i), "x")], grader="now")
            submitted = time.perf_counter()
            async for _ in engine.results(batch.id):
                pass
    print("library", flush=True)
    quantiles("pick-up after submit", seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--idle", type=float, default=20.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(measure_pick_up(Path(name)))
        measure_badges(Path(name), options.submissions, options.requests, options.idle)


if __name__ == "__main__":
    main()
