"""INPUT as the commands take it: read whole, and refused or thinned where it has mistakes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from gradeq.cli import say
from gradeq.config import Config
from gradeq.errors import InputError
from gradeq.grading.documents import read_papers
from gradeq.model import DEFAULT_ASSIGNMENT, NewSubmission
from gradeq.store.orders import Added


@dataclass(frozen=True, slots=True)
class Input:
    """Papers on their way in, and what was wrong with the others."""

    papers: tuple[NewSubmission, ...]
    problems: tuple[str, ...] = ()

    def first(self, limit: int | None) -> Input:
        return self if limit is None else replace(self, papers=self.papers[:limit])


def read_input(
    path: Path,
    *,
    course: str,
    assignment: str | None,
    skip_invalid: bool,
    config: Config,
    own: Iterable[Path | None] = (),
) -> Input:
    """Raises InputError with every problem, unless `skip_invalid` and some papers are left.

    The command's `own` files and the database may lie in an input folder; they are no papers.
    """
    assignment = assignment or assignment_of(path)
    papers = read_papers(path, course=course, assignment=assignment)
    ignored = _names_in(path, [*own, *_database_files(config)])
    valid = papers.valid
    problems = tuple(str(one) for one in papers.problems if one.file not in ignored)
    if not valid and not problems:
        problems = (f"{path}: holds no papers",)
    if problems and not (skip_invalid and valid):
        raise _refused(path, problems, len(valid))
    return Input(tuple(valid), problems)


def assignment_of(path: Path) -> str:
    """What an assignment is called that nobody named: like its file or folder."""
    return path.resolve().stem or DEFAULT_ASSIGNMENT


def warn_kept(added: Iterable[Added]) -> int:
    """Say which papers kept their stored text, and why; how many."""
    refused = [one for one in added if one.change == "refused"]
    say.warn(f"{one.external_id}: has a new text, but {one.reason}" for one in refused)
    return len(refused)


def _refused(path: Path, problems: tuple[str, ...], valid: int) -> InputError:
    count = say.counted(len(problems), "problem")
    advice = (
        f" Mend the input, or take the {say.counted(valid, 'other paper')} with --skip-invalid."
        if valid
        else ""
    )
    return InputError(f"{path}: {count}, so nothing was taken.{advice}", problems)


def _names_in(folder: Path, files: Iterable[Path | None]) -> set[str]:
    here = folder.resolve()
    return {one.name for one in files if one is not None and one.resolve().parent == here}


def _database_files(config: Config) -> list[Path]:
    path = config.store.path
    return [path.with_name(path.name + end) for end in ("", "-wal", "-shm", ".lock")]
