"""Rubrics as the engine uses them: stored by version, parsed once."""

from __future__ import annotations

from pathlib import Path

from gradeq.errors import NotFoundError, RubricError
from gradeq.grading.rubric import Rubric, parse_rubric
from gradeq.store.base import Store


class RubricShelf:
    """Stored rubrics, each parsed once per process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._parsed: dict[int, Rubric] = {}

    async def get(self, rubric_id: int) -> Rubric:
        """Raises NotFoundError."""
        if rubric_id not in self._parsed:
            row = await self._store.rubric(rubric_id)
            if row is None:
                raise NotFoundError(f"there is no rubric {rubric_id}")
            self._parsed[rubric_id] = parse_rubric(row.source, row.name)
        return self._parsed[rubric_id]

    async def put(self, source: str, name: str) -> int:
        """Check and store; the id of this version. Raises RubricError with every mistake."""
        rubric = parse_rubric(source, name)
        rubric_id = await self._store.save_rubric(name, rubric.sha256, source)
        self._parsed[rubric_id] = rubric
        return rubric_id

    async def give(self, course: str, assignment: str, source: str) -> int:
        """Make this the rubric of an assignment, whatever it had; the id of this version.

        Raises RubricError with every mistake; then nothing was stored.
        """
        rubric_id = await self.put(source, _name_for(course, assignment))
        await self._store.assign_rubric(course, assignment, rubric_id)
        return rubric_id

    async def give_instead(
        self, course: str, assignment: str, source: str, seen: int | None
    ) -> int | None:
        """The same where its rubric is still `seen`; None where somebody gave it another."""
        rubric_id = await self.put(source, _name_for(course, assignment))
        is_given = await self._store.replace_rubric(course, assignment, rubric_id, seen)
        return rubric_id if is_given else None

    async def put_file(self, path: Path) -> int:
        """The same from a TOML file; its name is the rubric's."""
        return await self.put(read_rubric_file(path), path.name)


def _name_for(course: str, assignment: str) -> str:
    return f"{course}/{assignment}"


def read_rubric_file(path: Path) -> str:
    """The text of a rubric file. Raises RubricError where it cannot be read."""
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise RubricError(f"{path}: no such file; nothing was graded") from None
    except IsADirectoryError:
        raise RubricError(f"{path}: is a folder, not a rubric file; nothing was graded") from None
    except UnicodeDecodeError as error:
        raise RubricError(
            f"{path}: not UTF-8 text (byte {error.start}); nothing was graded. "
            "Save the rubric as UTF-8"
        ) from None
    except OSError as error:
        raise RubricError(f"{path}: {error.strerror}; nothing was graded") from None
