"""Disks, files and neighbours that misbehave: a clear error each time, and nothing lost."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

from gradeq.errors import ConflictError, StoreError, StoreLockedError
from gradeq.model import JobState
from gradeq.store.sqlite import SqliteStore, connect
from gradeq.store.sqlite.lock import lock_path, read_holder

from .conformance.helpers import (
    claim_one,
    current,
    done,
    graded,
    items,
    paper,
    queued,
    settle,
    state,
)
from .mounts import Mount

Opener = Callable[..., Awaitable[SqliteStore]]


@pytest.fixture
async def open_store() -> AsyncIterator[Opener]:
    """Opens stores that are closed when the test is over."""
    opened: list[SqliteStore] = []

    async def open_(path: Path, **options: Any) -> SqliteStore:
        store = SqliteStore(path, **options)
        opened.append(store)
        await store.open()
        return store

    yield open_
    for store in opened:
        await store.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait 50 ms for a lock, not 5 s."""
    for name in ("_WRITER_PRAGMAS", "_READER_PRAGMAS"):
        patient = getattr(connect, name)
        monkeypatch.setattr(connect, name, patient.replace("5000", "50"))


@asynccontextmanager
async def refused(text: str, kind: type[StoreError] = StoreError) -> AsyncIterator[None]:
    """Something raises a StoreError that says this; nothing else is left behind."""
    with pytest.raises(kind, match=text):
        yield


async def sound(store: SqliteStore) -> None:
    assert await store.check() == []


class TestPaths:
    async def test_a_missing_folder(self, tmp_path: Path, open_store: Opener) -> None:
        async with refused(r"nowhere does not exist; create it first"):
            await open_store(tmp_path / "nowhere" / "grades.db")
        assert not (tmp_path / "nowhere").exists()

    async def test_a_missing_file_for_reading(self, tmp_path: Path, open_store: Opener) -> None:
        async with refused("no such database"):
            await open_store(tmp_path / "grades.db", read_only=True)
        assert list(tmp_path.iterdir()) == []

    async def test_a_folder_instead_of_a_file(self, tmp_path: Path, open_store: Opener) -> None:
        (tmp_path / "grades.db").mkdir()
        async with refused("cannot be opened"):
            await open_store(tmp_path / "grades.db")

    @pytest.mark.parametrize(
        "name",
        [
            "a class's grades.db",
            "Zeugnisse für 7b – “fertig” 🧬.db",
            "what?.db",
            "no#1.db",
            "100%25.db",
            "mode=ro&x.db",
            "file:x?mode=memory",
        ],
    )
    async def test_any_name(self, tmp_path: Path, open_store: Opener, name: str) -> None:
        path = tmp_path / f"in {name}" / name
        path.parent.mkdir()
        store = await open_store(path)
        ids = await graded(store, "ann")
        await store.backup(path.with_name(f"copy of {name}"))
        await store.close()
        assert path.is_file()
        for one in (path, path.with_name(f"copy of {name}")):
            reader = await open_store(one, read_only=True)
            assert await current(reader, ids[0]) is not None

    async def test_a_relative_path(
        self, tmp_path: Path, open_store: Opener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        store = await open_store(Path("grades.db"))
        await queued(store, "ann")
        assert (tmp_path / "grades.db").is_file()
        assert len(await store.batches()) == 1


class TestReadOnly:
    async def test_a_read_only_folder(self, mount: Mount, open_store: Opener) -> None:
        store = await open_store(mount.folder / "grades.db")
        [ann] = await graded(store, "ann")
        await store.close()
        mount.remount("ro")

        async with refused("cannot write beside the database.*nothing was changed"):
            await open_store(mount.folder / "grades.db")
        async with refused("cannot write beside the database.*nothing was changed"):
            await open_store(mount.folder / "new.db")
        mount.remount("rw")
        assert await current(await open_store(mount.folder / "grades.db"), ann) is not None

    async def test_reading_from_a_read_only_folder(self, mount: Mount, open_store: Opener) -> None:
        """A database in WAL mode wants to write beside itself even for reading."""
        store = await open_store(mount.folder / "grades.db")
        await graded(store, "ann")
        await store.close()
        mount.remount("ro")
        async with refused("folder exists and may be written"):
            await open_store(mount.folder / "grades.db", read_only=True)

    async def test_a_read_only_file(self, mount: Mount, open_store: Opener) -> None:
        path = mount.folder / "grades.db"
        store = await open_store(path)
        [ann] = await graded(store, "ann")
        await store.close()
        before = path.read_bytes()
        with mount.read_only_file(path):
            async with refused("read-only; nothing was changed"):
                await open_store(path)
        assert path.read_bytes() == before
        assert await current(await open_store(path), ann) is not None


class TestFullDisk:
    async def fill(self, store: SqliteStore) -> list[str]:
        """Import until the disk is full; the papers that were acknowledged."""
        taken: list[str] = []

        async def import_on() -> None:
            for n in range(1000):
                await store.add_submissions([paper(f"paper {n}", "essay " * 3000)])
                taken.append(f"paper {n}")

        async with refused(r"disk is full; nothing was changed.*Free some"):
            await import_on()
        assert 3 < len(taken) < 1000
        return taken

    async def test_nothing_acknowledged_is_lost(self, mount: Mount, open_store: Opener) -> None:
        store = await open_store(mount.folder / "grades.db")
        taken = await self.fill(store)
        found = await store.find_submissions(taken, None, None)
        assert list(found) == taken
        unsaved = f"paper {len(taken)}"
        assert await store.find_submissions([unsaved], None, None) == {}
        await sound(store)

        mount.remount("size=8m")
        await store.add_submissions([paper(unsaved)])
        await queued(store, "after")
        await sound(store)
        await store.close()
        reopened = await open_store(mount.folder / "grades.db")
        assert list(await reopened.find_submissions(taken, None, None)) == taken
        await sound(reopened)

    async def test_a_result_waits_for_room(self, mount: Mount, open_store: Opener) -> None:
        store = await open_store(mount.folder / "grades.db")
        submitted = await queued(store, "ann")
        claimed = await claim_one(store)
        result = done(claimed, None, result={"text": "x" * 200_000})
        await self.fill(store)
        async with refused("disk is full"):
            await settle(store, result)
        assert await state(store, submitted.job_ids[0]) == JobState.PROCESSING

        mount.remount("size=8m")
        assert await settle(store, result) == [True]
        assert await state(store, submitted.job_ids[0]) == JobState.COMPLETED
        await sound(store)

    async def test_killed_while_full(self, mount: Mount, open_store: Opener) -> None:
        store = await open_store(mount.folder / "grades.db")
        await queued(store, "ann")
        await claim_one(store)
        taken = await self.fill(store)
        store._lock.release()
        mount.remount("size=8m")
        reopened = SqliteStore(mount.folder / "grades.db")
        assert (await reopened.open()).returned == 1
        try:
            assert list(await reopened.find_submissions(taken, None, None)) == taken
            await sound(reopened)
        finally:
            await reopened.close()

    async def test_opening_on_a_full_disk(self, mount: Mount, open_store: Opener) -> None:
        store = await open_store(mount.folder / "grades.db")
        [ann] = await graded(store, "ann")
        await store.close()
        with mount.filled():
            for name in ("grades.db", "new.db"):
                async with refused("disk|room|read-only"):
                    await open_store(mount.folder / name)
        store = await open_store(mount.folder / "grades.db")
        assert await current(store, ann) is not None
        await sound(store)

    async def test_a_backup_that_does_not_fit(
        self, mount: Mount, tmp_path: Path, open_store: Opener
    ) -> None:
        store = await open_store(tmp_path / "grades.db")
        await store.add_submissions([paper(f"{n}", "essay " * 3000) for n in range(100)])
        target = mount.folder / "copy.db"
        async with refused(r"copy\.db.*disk is full"):
            await store.backup(target)
        assert list(mount.folder.iterdir()) == []
        await queued(store, "ann")
        await sound(store)


class TestDamage:
    async def damaged(self, store: SqliteStore, *places: tuple[int, bytes]) -> bytes:
        """Close it and overwrite its file; what the file says then."""
        await graded(store, *(f"paper {n}" for n in range(50)))
        await store.close()
        with store.path.open("r+b") as file:
            for start, content in places:
                file.seek(start)
                file.write(content)
        return store.path.read_bytes()

    async def test_pages_overwritten(self, store: SqliteStore) -> None:
        before = await self.damaged(store, (4096, b"\xaa" * 4096 * 60))
        async with refused("file is damaged.*restore the last backup"):
            await store.open()
        assert store.path.read_bytes() == before
        assert not store.path.with_name("grades.db-wal").exists()

    async def test_one_table_overwritten(self, store: SqliteStore) -> None:
        [root] = (
            sqlite3.connect(store.path)
            .execute("SELECT rootpage FROM sqlite_schema WHERE name = 'grades'")
            .fetchone()
        )
        await self.damaged(store, ((root - 1) * 4096, b"\xaa" * 4096))
        await store.open()
        assert (await store.assignments())[0][2].graded == 50
        async with refused("file is damaged"):
            await store.grades(1)
        assert await store.check()

    async def test_its_head_overwritten(self, store: SqliteStore) -> None:
        before = await self.damaged(store, (0, b"\xaa" * 100))
        async with refused("not a gradeq database; gradeq left it as it is"):
            await store.open()
        assert store.path.read_bytes() == before

    async def test_cut_short(self, store: SqliteStore) -> None:
        await self.damaged(store)
        os.truncate(store.path, 4096 * 3)
        async with refused("damaged|not a gradeq database"):
            await store.open()
        assert store.path.stat().st_size == 4096 * 3

    @pytest.mark.parametrize("read_only", [False, True])
    async def test_not_a_database(
        self, tmp_path: Path, open_store: Opener, read_only: bool
    ) -> None:
        path = tmp_path / "grades.db"
        path.write_text("id,student,text\n" * 1000)
        before = path.read_bytes()
        async with refused("not a gradeq database; gradeq left it as it is"):
            await open_store(path, read_only=read_only)
        assert path.read_bytes() == before


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
from gradeq.store.base import SubmitOrder
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
