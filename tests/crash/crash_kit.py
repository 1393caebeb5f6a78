"""Lives and deaths of a grading process, and the audit of what it leaves behind."""

from __future__ import annotations

import asyncio
import hashlib
import random
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader_process import PERSON, TEXT

from gradeq.providers.simulated import Simulator, SimulatorSettings
from gradeq.store.sqlite import SqliteStore

SCRIPT = Path(__file__).with_name("grader_process.py")


@dataclass(frozen=True)
class Work:
    """`chunks` batches of `size` papers, with so many calls at once."""

    folder: Path
    chunks: int
    size: int
    concurrency: int

    @property
    def database(self) -> Path:
        return self.folder / "g.db"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.txt"

    @property
    def papers(self) -> dict[str, str]:
        """The digest of each paper's text, by its id."""
        return {
            f"c{chunk}-{place}": hashlib.sha256(
                TEXT.format(chunk=chunk, place=place).encode()
            ).hexdigest()
            for chunk in range(self.chunks)
            for place in range(self.size)
        }

    async def start(self, url: str) -> asyncio.subprocess.Process:
        numbers = (str(one) for one in (self.chunks, self.size, self.concurrency))
        with (self.folder / "stderr.txt").open("ab") as stderr:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                *(SCRIPT, self.database, url, self.ledger, *numbers),
                stderr=stderr,
            )

    async def live(self, url: str) -> None:
        """One life to its own end."""
        process = await self.start(url)
        try:
            async with asyncio.timeout(120):
                code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert code == 0, (self.folder / "stderr.txt").read_text()

    async def die(
        self, url: str, rng: random.Random, *, longest: float, soft: bool = False
    ) -> None:
        """One life that is ended from outside.

        Three of four are ended up to `longest` seconds after they have got something done, the
        others at any moment, while they start or while they mend what was left behind.
        """
        before = self._length_of_ledger()
        process = await self.start(url)
        if rng.random() < 0.75:
            await self._until(process, lambda: self._length_of_ledger() > before)
            await asyncio.sleep(rng.uniform(0, longest))
        else:
            await asyncio.sleep(rng.uniform(0, 1.0))
        assert process.returncode is None, "there was too little to do"
        process.terminate() if soft else process.kill()
        await process.wait()

    async def _until(
        self, process: asyncio.subprocess.Process, reached: Callable[[], bool]
    ) -> None:
        async with asyncio.timeout(30):
            while process.returncode is None and not reached():
                await asyncio.sleep(0.01)

    def _length_of_ledger(self) -> int:
        return self.ledger.stat().st_size if self.ledger.exists() else 0

    def acknowledged(self, word: str) -> list[list[str]]:
        """What follows `word` in the ledger's lines."""
        lines = [line.split() for line in self.ledger.read_text("utf-8").splitlines()]
        return [rest for first, *rest in lines if first == word]

    @contextmanager
    def rows(self) -> Iterator[Any]:
        """`rows(sql)` reads the database as it lies on disk."""
        uri = f"{self.database.as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as conn:
            yield lambda sql: conn.execute(sql).fetchall()


async def check(database: Path) -> list[str]:
    """What the store itself finds wrong: integrity, counters unlike a recount."""
    store = SqliteStore(database, read_only=True)
    await store.open()
    try:
        return await store.check()
    finally:
        await store.close()


async def audit(work: Work, sim: Simulator, *, deaths: int, soft: bool = False) -> None:
    """Nothing accepted is lost, nothing acknowledged has vanished, nothing is paid for idly."""
    assert await check(work.database) == []
    with work.rows() as rows:
        _nothing_is_lost(work, rows)
        _each_paper_has_one_grade(work, rows)
        _what_was_acknowledged_stands(work, rows)
        interrupted = dict(
            rows(
                "SELECT external_id, sum(interruptions) FROM jobs JOIN submissions s"
                " ON s.id = submission_id GROUP BY 1"
            )
        )
    assert any(interrupted.values()) is not soft, "kills interrupt, soft stops do not"
    _calls_are_repeated_only_for_what_was_in_flight(
        work, sim, deaths, None if soft else interrupted
    )


def _nothing_is_lost(work: Work, rows: Any) -> None:
    found = dict(rows("SELECT external_id, status FROM submissions"))
    accepted = {name for _, _, *names in work.acknowledged("chunk") for name in names}
    assert accepted == set(work.papers)
    assert accepted == set(found)
    assert set(found.values()) <= {"graded", "released"}
    assert rows("SELECT DISTINCT state FROM jobs") == [("completed",)]
    assert rows("SELECT count(*) FROM jobs") == [(len(work.papers),)]
    assert rows("SELECT DISTINCT attempts, snoozes, unusable FROM jobs") == [(0, 0, 0)]


def _each_paper_has_one_grade(work: Work, rows: Any) -> None:
    current = rows("SELECT count(*), count(DISTINCT submission_id) FROM grades WHERE current")
    assert current == [(len(work.papers), len(work.papers))]
    by_machine = rows("SELECT count(*) FROM grades WHERE source = 'model'")
    assert by_machine == [(len(work.papers),)], "no paper was graded twice"


def _what_was_acknowledged_stands(work: Work, rows: Any) -> None:
    stored = dict(
        rows(
            "SELECT external_id, score FROM grades JOIN submissions s ON s.id = submission_id"
            " WHERE source = 'model'"
        )
    )
    for name, score in work.acknowledged("result"):
        assert stored[name] == float(score) or float(score) == 0.5, name
    by_hand = rows(
        "SELECT external_id FROM grades JOIN submissions s ON s.id = submission_id"
        f" WHERE current AND source = 'person' AND edited_by = '{PERSON}' AND score = 0.5"
    )
    assert {name for (name,) in work.acknowledged("edit")} <= {name for (name,) in by_hand}
    released = rows(f"SELECT external_id FROM submissions WHERE released_by = '{PERSON}'")
    assert {name for (name,) in work.acknowledged("release")} <= {name for (name,) in released}


def _calls_are_repeated_only_for_what_was_in_flight(
    work: Work, sim: Simulator, deaths: int, interrupted: dict[str, int] | None
) -> None:
    calls = sim.stats.calls_per_paper
    papers = work.papers
    assert set(calls) == set(papers.values())
    for name, digest in papers.items() if interrupted is not None else ():
        assert calls[digest] <= 1 + interrupted[name], f"{name} was paid for idly"
    assert sum(calls.values()) - len(papers) <= deaths * work.concurrency


async def ended_and_finished(
    work: Work, *, deaths: int, longest: float, latency: str, seed: int, soft: bool = False
) -> None:
    rng = random.Random(seed)
    settings = SimulatorSettings(latency=latency, seed=seed)
    async with Simulator(settings) as sim:
        for number in range(1, deaths + 1):
            await work.die(sim.url, rng, longest=longest, soft=soft)
            if number % 10 == 0:
                assert await check(work.database) == []
        await work.live(sim.url)
        await audit(work, sim, deaths=deaths, soft=soft)
