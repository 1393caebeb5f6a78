"""Papers as a program hands them in: told what is wrong with them before the store sees them."""

from __future__ import annotations

from collections.abc import Iterable

from gradeq.errors import InputError
from gradeq.model import NewSubmission

_TEXTS = ("external_id", "text", "student", "course", "assignment")
_NEVER_EMPTY = ("external_id", "course", "assignment")
_TOLD = 20
"""A list of the wrong things is wrong from end to end; some lines say so as well as all."""


def refuse_unfit(papers: Iterable[object]) -> None:
    """Raises InputError, with a line for each, for what is neither a paper nor an id of one."""
    problems = tuple(
        f"entry {place}: {fault}"
        for place, one in enumerate(papers, start=1)
        if (fault := _fault(one)) is not None
    )
    if problems:
        shown = "; ".join(problems[:_TOLD])
        more = f"; and {len(problems) - _TOLD:,} more" if len(problems) > _TOLD else ""
        raise InputError(f"these papers cannot be taken, so none was: {shown}{more}", problems)


def _fault(one: object) -> str | None:
    if not isinstance(one, NewSubmission):
        if isinstance(one, int) and not isinstance(one, bool):
            return None
        return f"{type(one).__name__} is neither a NewSubmission nor the id of a stored paper"
    for name in _TEXTS:
        value = getattr(one, name)
        if not isinstance(value, str):
            return f"{name} is no text but {type(value).__name__}"
    return next((f"{name} is empty" for name in _NEVER_EMPTY if not getattr(one, name)), None)
