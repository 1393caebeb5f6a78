"""The process that is killed: it hands papers in, grades them, and says what was acknowledged.

    grader_process.py DATABASE PROVIDER_URL LEDGER CHUNKS CHUNK_SIZE CONCURRENCY

A line is appended to LEDGER only after gradeq has said that something is done:

    chunk NUMBER BATCH_ID ID...      submit() has returned
    result ID SCORE                  results() has yielded a grade
    edit ID                          edit_grade() has returned
    release ID                       release() has returned
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from gradeq import Engine, Grade, NewSubmission, ProviderSettings, Result

RUBRIC = """
[[criteria]]
id = "claim"
description = "Is there a clear position?"
points = 2
"""
TEXT = (
    "Schools should start later, because a study of 400 pupils found that sleep helps. "
    "This is the paper with the number {chunk} and the place {place}."
)
PERSON = "Ms Hopper"


class Ledger:
    """What was acknowledged, by this process and by those that were killed before it."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        lines = [line.split() for line in path.read_text("utf-8").splitlines()]
        self.batches = {int(line[1]): int(line[2]) for line in lines if line[0] == "chunk"}
        self.seen = {line[1] for line in lines if line[0] == "result"}

    def write(self, *words: object) -> None:
        os.write(self._fd, (" ".join(map(str, words)) + "\n").encode())


class Life:
    """One process from its start to its end, whichever comes."""

    def __init__(self, engine: Engine, ledger: Ledger, chunks: int, size: int) -> None:
        self._engine = engine
        self._ledger = ledger
        self._chunks = chunks
        self._size = size

    async def run(self) -> None:
        rubric_id = await self._engine.rubrics.put(RUBRIC, "crash.toml")
        async with asyncio.TaskGroup() as tasks:
            for batch_id in self._ledger.batches.values():
                tasks.create_task(self._watch(batch_id))
            for chunk in range(self._chunks):
                if chunk not in self._ledger.batches:
                    tasks.create_task(self._watch(await self._submit(chunk, rubric_id)))
                    await asyncio.sleep(0.02)

    async def _submit(self, chunk: int, rubric_id: int) -> int:
        """The key makes a chunk whose acknowledgement was lost the same chunk again."""
        papers = [
            NewSubmission(f"c{chunk}-{place}", TEXT.format(chunk=chunk, place=place))
            for place in range(self._size)
        ]
        batch = await self._engine.submit(
            papers, rubric_id=rubric_id, idempotency_key=f"chunk-{chunk}"
        )
        self._ledger.write("chunk", chunk, batch.id, *(paper.external_id for paper in papers))
        return batch.id

    async def _watch(self, batch_id: int) -> None:
        async for result in self._engine.results(batch_id):
            if result.grade is not None and result.id not in self._ledger.seen:
                self._ledger.seen.add(result.id)
                self._ledger.write("result", result.id, result.grade.score)
                await self._look_through(result)

    async def _look_through(self, result: Result) -> None:
        """A teacher is at work beside the engine: some grades are changed, some released."""
        assert result.submission_id is not None
        number = result.submission_id
        if number % 10 == 0:
            grade = Grade(0.5, 2, feedback="by hand")
            await self._engine.edit_grade(number, grade, by=PERSON)
            self._ledger.write("edit", result.id)
        if number % 15 == 0:
            await self._engine.release([number], by=PERSON)
            self._ledger.write("release", result.id)


async def main(database: str, url: str, ledger: str, *numbers: str) -> None:
    chunks, size, concurrency = map(int, numbers)
    provider = ProviderSettings(
        "school", "simulated", "marker-1", base_url=url, concurrency=concurrency
    )
    engine = Engine(database, providers=[provider], grace_seconds=0.05)
    me = asyncio.current_task()
    assert me is not None
    if sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    async with engine:
        await Life(engine, Ledger(Path(ledger)), chunks, size).run()


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except asyncio.CancelledError:
        sys.exit(130)
