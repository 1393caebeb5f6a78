"""Errors for people: what happened, what gradeq did about it, what to do."""

from __future__ import annotations

from dataclasses import dataclass


class GradeqError(Exception):
    """Base of every error that gradeq raises on purpose. `code` is stable; the text may change."""

    code = "gradeq_error"


class ConfigError(GradeqError):
    """The configuration cannot be used; nothing was started."""

    code = "bad_configuration"


class NoPricesError(ConfigError):
    """A cap on what has no prices: it could never hold anything. Nothing was changed."""

    code = "no_prices"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong in a file: keys and list positions (from 0) down to the field, the
    line (from 1), and what is wrong with it. An empty path means the file as a whole."""

    path: tuple[str | int, ...]
    line: int
    text: str


class RubricError(GradeqError):
    """The rubric cannot be used; the text names the file, the line and the field of each mistake.

    `mistakes` has them one by one, and is empty where the file could not be read at all.
    """

    code = "bad_rubric"

    def __init__(self, message: str, mistakes: tuple[Mistake, ...] = ()) -> None:
        super().__init__(message)
        self.mistakes = mistakes


class InputError(GradeqError):
    """Student papers cannot be read; `problems` names file, row and field, one line each."""

    code = "bad_input"

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class NotFoundError(GradeqError):
    """No such row."""

    code = "not_found"


class ConflictError(GradeqError):
    """The row is not in a state that allows this."""

    code = "conflict"


class ChangedError(ConflictError):
    """Somebody changed it after it was looked at; nothing was overwritten.

    `by` is who changed the grade, empty where the student handed in a new text, and None where
    that is not known.
    """

    code = "changed"

    def __init__(self, message: str, by: str | None = None) -> None:
        super().__init__(message)
        self.by = by


class NoRubricError(ConflictError):
    """The grader needs a rubric and the assignment has none; nothing was queued."""

    code = "no_rubric"


class NoReferenceError(ConflictError):
    """The grader compares with a reference, and the rubric has none; nothing was queued."""

    code = "no_reference"


class StoreError(GradeqError):
    """The database cannot do what was asked; nothing was changed."""

    code = "store_error"


class StoreLockedError(StoreError):
    """Another process writes this database. `url` is where it listens, if it does."""

    code = "store_locked"

    def __init__(self, message: str, *, pid: int | None = None, url: str | None = None) -> None:
        super().__init__(message)
        self.pid = pid
        self.url = url


class SchemaTooNewError(StoreError):
    """The database was written by a newer gradeq."""

    code = "schema_too_new"
