"""The pages against their bounds: 100 kB at a first visit, 100 ms for 95 of 100 answers.

    python -m bench.pages [--requests 200] [--clients 8] [--pause 0.4] [--rpm 4000 ...]
                          [--only PART ...]

A daemon in a process of its own, with 100,000 papers in 132 assignments, one of them with 30,000.
Clients open every page of the table in a mixed order, first while nothing is graded, then while
papers of all assignments are, at each of the given requests per minute (a large account has
4,000; 100000 is as fast as this machine can). Each client also holds a stream of events open, as a
page does. /healthz and a page that reads nothing are the floor of the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.bench_service import Daemon, send
from bench.pages import report
from bench.pages.clients import watched
from bench.pages.school import School, build
from bench.pages.visits import Address, addresses
from bench.pages.weight import Scales, Weight, fetch


def main() -> None:
    options = _options()
    print(report.LEGEND, flush=True)
    cpu: dict[str, float] = {}
    for rpm in (0, *options.rpm):
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "school.db"
            build(path, School())
            _measure(path, rpm, options, cpu)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--requests", type=int, default=200, metavar="N", help="of each page")
    parser.add_argument("--clients", type=int, default=8, metavar="N")
    parser.add_argument("--pause", type=float, default=0.4, metavar="SECONDS", help="on average")
    parser.add_argument("--rpm", type=int, nargs="*", default=[4000], metavar="N")
    parser.add_argument("--only", action="append", metavar="PART", help="of a page's name (repeat)")
    return parser.parse_args()


def _measure(path: Path, rpm: int, options: argparse.Namespace, cpu: dict[str, float]) -> None:
    """One table, printed. `cpu` is filled the first time."""
    pages = _chosen(addresses(School()), options.only)
    daemon = Daemon(path, rpm=rpm or 100_000)
    try:
        _warm(daemon, pages)
        if not cpu:
            cpu.update(_cpu(daemon, pages))
        ordered = _start_grading(daemon) if rpm else 0
        seconds = watched(
            daemon.connection,
            pages,
            clients=options.clients,
            requests=options.requests,
            pause_seconds=options.pause,
        )
        left = _open_jobs(daemon)
        weights = _weights(daemon, pages)
    finally:
        daemon.stop()
    told = f"{rpm} requests a minute: {ordered - left} papers graded, {left} left" if rpm else ""
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"\n### {told or 'Nothing is graded'}\n\nLoad of the machine at the end: {load}.\n")
    print(report.table({name: seconds[name] for name in pages}, cpu, weights), flush=True)
    if over := report.slow(seconds):
        print(f"\nOver {report.MOST_MS:.0f} ms: {'; '.join(over)}", flush=True)


def _chosen(pages: Mapping[str, Address], parts: list[str] | None) -> dict[str, Address]:
    return {
        name: address
        for name, address in pages.items()
        if parts is None or any(part in name for part in parts)
    }


def _warm(daemon: Daemon, pages: dict[str, Address]) -> None:
    """Each page once: a template is compiled once, and files are read into memory once."""
    connection = daemon.connection()
    for name, address in pages.items():
        answer = fetch(connection, address(0))
        assert answer.status == 200, f"{name}: {answer.status} {answer.body[:500]!r}"
    connection.close()


def _cpu(daemon: Daemon, pages: dict[str, Address], times: int = 5) -> dict[str, float]:
    """Seconds for one answer, by the page's name; the mean of several asked for in turn."""
    connection = daemon.connection()
    cpu = {}
    for name, address in pages.items():
        before = _cpu_seconds(daemon)
        for n in range(times):
            fetch(connection, address(n))
        cpu[name] = (_cpu_seconds(daemon) - before) / times
    connection.close()
    return cpu


def _cpu_seconds(daemon: Daemon) -> float:
    """Of all its threads, to the nanosecond (Linux)."""
    threads = Path(f"/proc/{daemon.process.pid}/task").iterdir()
    return sum(int((one / "schedstat").read_text().split()[0]) for one in threads) / 1e9


def _start_grading(daemon: Daemon) -> int:
    """What can be graded of the large assignment and of all others; how many papers that is."""
    connection = daemon.connection()
    told = json.loads(fetch(connection, "/api/courses").body)
    connection.close()
    ordered = 0
    for course in told["courses"]:
        for assignment in course["assignments"]:
            wanted = {"course": course["course"], "assignment": assignment["assignment"]}
            answer = send(daemon, "POST", "/api/grade", json.dumps(wanted), "application/json")
            ordered += len(json.loads(answer)["task_ids"])
    return ordered


def _open_jobs(daemon: Daemon) -> int:
    connection = daemon.connection()
    told = json.loads(fetch(connection, "/api/stats").body)
    connection.close()
    return int(told["submissions"]["grading"])


def _weights(daemon: Daemon, pages: dict[str, Address]) -> dict[str, Weight]:
    connection = daemon.connection()
    scales = Scales(connection)
    weights = {
        name: scales.weigh(address(0))
        for name, address in pages.items()
        if not address(0).startswith(("/api/", "/healthz"))
    }
    connection.close()
    return weights


if __name__ == "__main__":
    main()
