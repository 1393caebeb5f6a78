"""Disks and files that misbehave: a clear error each time, and nothing lost."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from gradeq.model import JobState
from gradeq.store.sqlite import SqliteStore

from .conformance.helpers import (
    claim_one,
    current,
    done,
    graded,
    paper,
    queued,
    settle,
    state,
)
from .mounts import Mount
from .opening import Opener, refused, sound


class TestPaths:
    async def test_a_missing_folder(self, tmp_path: Path, open_store: Opener) -> None:
        async with refused(r"nowhere does not exist; create it first"):
            await open_store(tmp_path / "nowhere" / "grades.db")
        assert not (tmp_path / "nowhere").exists()

    async def test_a_missing_file_for_reading(self, tmp_path: Path, open_store: Opener) -> None:
        async with refused("no such database"):
            await open_store(tmp_path / "grades.db", read_only=True)
        assert list(tmp_path.iterdir()) == []

    async def test_memory_is_no_place_to_keep_work(
        self, tmp_path: Path, open_store: Opener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        async with refused("would keep nothing"):
            await open_store(Path(":memory:"))
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
