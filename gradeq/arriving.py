"""Papers and grades as a program hands them in: what is wrong with them is told before the store
sees them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from gradeq.errors import InputError
from gradeq.model import Grade, NewSubmission

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


def refuse_unfit_grade(grade: object) -> None:
    """Raises InputError for what is no grade, or holds what no grade can hold."""
    known = isinstance(grade, Grade)
    fault = why_not_stored(grade) if known else f"{type(grade).__name__} is no Grade"
    if fault is not None:
        raise InputError(f"this grade cannot be taken, so nothing was changed: {fault}")


def why_not_stored(answer: Any) -> str | None:
    """What stands against keeping an answer as JSON, before it meets a transaction of many."""
    try:
        plain = _plain(answer) if isinstance(answer, Grade) else answer
        json.dumps(plain, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def _plain(grade: Grade) -> Any:
    """Raises ValueError or TypeError, with the path, where a field holds what it must not."""
    plain = msgspec.to_builtins(grade)
    msgspec.convert(plain, Grade)
    if grade.max_score < 0:
        raise ValueError(f"a maximum of {grade.max_score:g} points")
    if grade.confidence is not None and not 0 <= grade.confidence <= 1:
        raise ValueError(f"a confidence of {grade.confidence:g}, which is not from 0 to 1")
    return plain
