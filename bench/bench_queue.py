"""The queue alone, every commit on disk (synchronous=FULL), beside Huey's SQLite queue.

    python bench/bench_queue.py [--rows 1000 100000 1000000] [--jobs 20000]

Jobs a second for submit (one batch) and for claim+settle (claims of 500, outcomes settled
together, as the engine does it), on a database that already holds the given number of finished
jobs. `items` are bare jobs with a payload; `papers` are submissions that end in a stored grade.
Huey enqueues, dequeues and stores a result, in the same run, with and without fsync.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gradeq.model import CriterionGrade, Evidence, Grade, JobState, NewSubmission
from gradeq.store.claims import Attempt, Settlement
from gradeq.store.orders import SubmitOrder
from gradeq.store.sqlite import SqliteStore

GRADE = Grade(
    3.0,
    4.0,
    (CriterionGrade("claim", "good", 3.0, "it is clear", (Evidence("a", 0, 1, True),)),),
    "Well argued.",
)


@contextmanager
def rate(label: str, count: int) -> Iterator[None]:
    began = time.perf_counter()
    yield
    print(f"  {label:<34}{count / (time.perf_counter() - began):>12,.0f} /s", flush=True)


async def fill(path: Path, rows: int) -> None:
    """Finished jobs that later work must not be slowed by; triggers keep every counter."""
    store = SqliteStore(path)
    await store.open()
    await store.submit(SubmitOrder(payloads=[{}], kind="item", grader="item", pool="item"))
    await store.close()
    conn = sqlite3.connect(path)
    conn.executescript(
        f"""
        PRAGMA synchronous = OFF;
        INSERT INTO jobs (batch_id, grader, payload, run_at, created_at, updated_at)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
        SELECT 1, 'item', '{{"i":1}}', 1, 1, 1 FROM n;
        UPDATE jobs SET state = 'completed', finished_at = 2, updated_at = 2;
        """
    )
    conn.close()


async def measure_gradeq(path: Path, jobs: int) -> None:
    store = SqliteStore(path)
    await store.open()
    try:
        payloads = [{"i": i} for i in range(jobs)]
        with rate("submit items", jobs):
            await store.submit(
                SubmitOrder(payloads=payloads, kind="item", grader="item", pool="item")
            )
        with rate("claim+settle items", jobs):
            await work(store, "item", None)
        papers = [NewSubmission(str(i), "An essay. " * 150) for i in range(jobs)]
        with rate("import papers of 1,500 characters", jobs):
            added = await store.add_submissions(papers)
        with rate("submit papers", jobs):
            await store.submit(SubmitOrder([one.id for one in added], pool="llm"))
        with rate("claim+settle papers with grades", jobs):
            await work(store, "llm", GRADE)
    finally:
        await store.close()


async def work(store: SqliteStore, pool: str, grade: Grade | None) -> None:
    """Claim the next jobs while the last ones are being settled, as the engine does."""
    settling: asyncio.Task[list[bool]] | None = None
    while claims := await store.claim(pool, 500, 60.0):
        outcomes = [
            Settlement(
                one.job.id,
                one.lease,
                JobState.COMPLETED,
                grade=grade,
                attempt=Attempt(1, 2) if grade else None,
            )
            for one in claims
        ]
        if settling is not None:
            await settling
        settling = asyncio.create_task(store.settle(outcomes))
    if settling is not None:
        await settling


def measure_huey(folder: Path, jobs: int, *, fsync: bool) -> None:
    from huey import SqliteHuey

    huey = SqliteHuey(filename=str(folder / f"huey-{fsync}.db"), fsync=fsync)

    def same(i: int) -> int:
        return i

    grade = huey.task()(same)
    with rate("huey enqueue" + (" (fsync)" if fsync else ""), jobs):
        for i in range(jobs):
            grade(i)
    with rate("huey dequeue+execute" + (" (fsync)" if fsync else ""), jobs):
        while (task := huey.dequeue()) is not None:
            huey.execute(task)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--no-huey", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rows in options.rows:
            path = folder / f"gradeq-{rows}.db"
            asyncio.run(fill(path, rows))
            print(f"gradeq, {rows:,} finished jobs before, synchronous=FULL", flush=True)
            asyncio.run(measure_gradeq(path, options.jobs))
            path.unlink()
        if not options.no_huey:
            print("huey on SQLite", flush=True)
            measure_huey(folder, options.jobs // 4, fsync=True)
            measure_huey(folder, options.jobs // 4, fsync=False)


if __name__ == "__main__":
    main()
