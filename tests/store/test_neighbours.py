"""Other programs and processes on the same file, and copies made while work goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from gradeq.errors import ConflictError, StoreLockedError
from gradeq.model import JobState
from gradeq.store.sqlite import SqliteStore, connect
from gradeq.store.sqlite.lock import lock_path, read_holder

from .conformance.helpers import (
    graded,
    items,
    queued,
    state,
)
from .opening import Opener, refused, sound


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait 50 ms for a lock, not 5 s."""
    for name in ("_WRITER_PRAGMAS", "_READER_PRAGMAS"):
        patient = getattr(connect, name)
        monkeypatch.setattr(connect, name, patient.replace("5000", "50"))


class TestNeighbours:
    @pytest.mark.usefixtures("impatient")
    async def test_another_program_holds_the_database(
        self, tmp_path: Path, open_store: Opener
    ) -> None:
        path = tmp_path / "grades.db"
        store = await open_store(path)
        first = await queued(store, "ann")
        browser = sqlite3.connect(path, isolation_level=None)
        browser.execute("BEGIN EXCLUSIVE")
        async with refused("another program holds the database; nothing was changed"):
            await queued(store, "bob")
        assert await state(store, first.job_ids[0]) == JobState.PENDING
        assert len(await store.batches()) == 1
        await store.close()
        async with refused("another program holds the database"):
            await open_store(path)
        browser.close()

        reopened = await open_store(path)
        assert (await queued(reopened, "bob")).created == 1
        await sound(reopened)

    async def test_a_short_lock_is_waited_for(self, tmp_path: Path, open_store: Opener) -> None:
        store = await open_store(tmp_path / "grades.db")
        browser = sqlite3.connect(store.path, isolation_level=None)
        browser.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(queued(store, "ann"))
        await store.batches()
        browser.close()
        assert (await writing).created == 1

    async def test_a_second_store_in_this_process(self, tmp_path: Path, open_store: Opener) -> None:
        store = await open_store(tmp_path / "grades.db")
        with pytest.raises(StoreLockedError) as caught:
            await open_store(tmp_path / "grades.db")
        assert caught.value.pid == os.getpid()
        with pytest.raises(StoreLockedError):
            await store.open()
        assert (await queued(store, "ann")).created == 1
        await store.close()
        assert len(await (await open_store(tmp_path / "grades.db")).batches()) == 1

    @pytest.mark.parametrize("told", [b"", b"no JSON", b"[]", b'{"url": 1', b"\xff"])
    async def test_a_holder_that_says_nothing_useful(
        self, tmp_path: Path, open_store: Opener, told: bytes
    ) -> None:
        """The lock is the system's; the file's text is only a hint."""
        store = await open_store(tmp_path / "grades.db")
        lock_path(store.path).write_bytes(told)
        with pytest.raises(StoreLockedError, match="another process is writing") as caught:
            await open_store(tmp_path / "grades.db")
        assert (caught.value.pid, caught.value.url) == (None, None)

    async def test_under_another_name(self, tmp_path: Path, open_store: Opener) -> None:
        await open_store(tmp_path / "grades.db")
        (tmp_path / "other.db").symlink_to("grades.db")
        with pytest.raises(StoreLockedError):
            await open_store(tmp_path / "other.db")

    async def test_two_databases_in_one_process(self, tmp_path: Path, open_store: Opener) -> None:
        first = await open_store(tmp_path / "first.db")
        second = await open_store(tmp_path / "second.db")
        await asyncio.gather(queued(first, "ann"), items(second, 3))
        assert [batch.total for batch in await first.batches()] == [1]
        assert [batch.total for batch in await second.batches()] == [3]

    async def test_reading_beside_a_writer(self, tmp_path: Path, open_store: Opener) -> None:
        store = await open_store(tmp_path / "grades.db")
        reader = await open_store(tmp_path / "grades.db", read_only=True)
        submitted = await queued(store, "ann")
        assert await reader.batch(submitted.id) == await store.batch(submitted.id)
        async with refused("not open for writing"):
            await reader.pause(submitted.id, "Ms Lee")


_DAEMON = """
import asyncio, sys
from gradeq.store.orders import SubmitOrder
from gradeq.store.sqlite import SqliteStore

async def main():
    store = SqliteStore(sys.argv[1])
    await store.open()
    store.announce("http://127.0.0.1:8000")
    await store.submit(SubmitOrder(payloads=[{}, {}, {}], kind="item", grader="item", pool="item"))
    await store.claim("item", 2, 3600)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await store.close()

asyncio.run(main())
"""


class TestProcesses:
    @pytest.fixture
    def daemon(self, tmp_path: Path) -> Iterator[Popen[str]]:
        """Another process that has the database open, and two jobs in hand."""
        path = tmp_path / "grades.db"
        command = [sys.executable, "-c", _DAEMON, str(path)]
        with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
            with suppress(ProcessLookupError):
                process.kill()

    async def test_another_gradeq_writes_it(
        self, tmp_path: Path, daemon: Popen[str], open_store: Opener
    ) -> None:
        path = tmp_path / "grades.db"
        with pytest.raises(StoreLockedError, match="nothing was changed") as caught:
            await open_store(path)
        assert (caught.value.pid, caught.value.url) == (daemon.pid, "http://127.0.0.1:8000")
        for part in (str(daemon.pid), "http://127.0.0.1:8000", "--db"):
            assert part in str(caught.value)
        reader = await open_store(path, read_only=True)
        assert [batch.processing for batch in await reader.batches()] == [2]

    async def test_it_was_killed(
        self, tmp_path: Path, daemon: Popen[str], open_store: Opener
    ) -> None:
        """What it held is free at once, long before its leases run out."""
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
        assert lock_path(tmp_path / "grades.db").exists()
        store = SqliteStore(tmp_path / "grades.db")
        recovery = await store.open()
        try:
            assert (recovery.returned, recovery.failed) == (2, 0)
            assert len(await store.claim("item", 9, 60)) == 3
            assert read_holder(store.path).pid == os.getpid()
            assert read_holder(store.path).url is None
            await sound(store)
        finally:
            await store.close()

    async def test_it_ended(self, tmp_path: Path, daemon: Popen[str], open_store: Opener) -> None:
        daemon.communicate(input="")
        assert daemon.returncode == 0
        store = await open_store(tmp_path / "grades.db")
        assert [batch.pending for batch in await store.batches()] == [3]


class TestBackup:
    async def test_while_work_goes_on(self, tmp_path: Path, open_store: Opener) -> None:
        store = await open_store(tmp_path / "grades.db")
        ids = await graded(store, *(f"paper {n}" for n in range(50)))
        secret = await store.secret()
        is_over = False

        async def work_on() -> int:
            count = 0
            while not is_over:
                await items(store)
                count += 1
            return count

        working = asyncio.create_task(work_on())
        await store.backup(tmp_path / "copy.db")
        is_over = True
        assert await working > 0
        copy = await open_store(tmp_path / "copy.db")
        assert await copy.check() == []
        assert [row.submission.id for row in await copy.results(ids)] == ids
        assert all(row.grade is not None for row in await copy.results(ids))
        assert await copy.secret() == secret

    async def test_it_overwrites_nothing(self, tmp_path: Path, open_store: Opener) -> None:
        store = await open_store(tmp_path / "grades.db")
        (tmp_path / "copy.db").write_text("mine")
        for target in (tmp_path / "copy.db", store.path):
            with pytest.raises(ConflictError, match="overwrites no backup"):
                await store.backup(target)
        assert (tmp_path / "copy.db").read_text() == "mine"

    async def test_its_folder_is_missing(self, tmp_path: Path, open_store: Opener) -> None:
        store = await open_store(tmp_path / "grades.db")
        async with refused("nowhere does not exist"):
            await store.backup(tmp_path / "nowhere" / "copy.db")
        await sound(store)

    async def test_what_a_broken_backup_left_is_no_obstacle(
        self, tmp_path: Path, open_store: Opener
    ) -> None:
        store = await open_store(tmp_path / "grades.db")
        (tmp_path / "copy.db.part").write_text("half a copy")
        await store.backup(tmp_path / "copy.db")
        assert sorted(one.name for one in tmp_path.iterdir() if "copy" in one.name) == ["copy.db"]
