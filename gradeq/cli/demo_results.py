"""What the demo shows at its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gradeq.model import CriterionGrade, Flag, Grade
from gradeq.results import Result
from gradeq.store.rows import Badges

_WIDTH = 50
_WORTH_A_LOOK = frozenset(Flag) - {Flag.SIMULATED}


def badges_line(badges: Badges) -> str:
    """The four tabs of the page."""
    return (
        f"In progress {badges.in_progress}   Submitted {badges.submitted}   "
        f"Graded {badges.graded}   Released {badges.released}"
    )


def interesting(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """The best, the weakest, those to look at first, and those without a grade: with why."""
    graded = [(one.id, one.grade) for one in results if one.grade is not None]
    graded.sort(key=lambda item: item[1].score, reverse=True)
    flagged = [(name, grade) for name, grade in graded if _WORTH_A_LOOK & set(grade.flags)]
    return [
        *(_row("best", name, grade, _reason(_best(grade))) for name, grade in graded[:2]),
        *(_row("weakest", name, grade, _reason(_worst(grade))) for name, grade in graded[-2:]),
        *(_row("look at", name, grade, _flags(grade)) for name, grade in flagged[:3]),
        *(("ungraded", one.id, "", one.reason or "") for one in results if one.grade is None),
    ]


def _row(what: str, name: str, grade: Grade, why: str) -> tuple[str, ...]:
    short = why if len(why) <= _WIDTH else f"{why[: _WIDTH - 1].rstrip()}…"
    return what, name, f"{grade.score:g} of {grade.max_score:g}", short


def _points(one: CriterionGrade) -> float:
    return one.points or 0.0


def _best(grade: Grade) -> CriterionGrade | None:
    return max(grade.criteria, key=_points, default=None)


def _worst(grade: Grade) -> CriterionGrade | None:
    return min(grade.criteria, key=_points, default=None)


def _reason(one: CriterionGrade | None) -> str:
    return "" if one is None else f"{one.id.replace('_', ' ')}: {one.reason}"


def _flags(grade: Grade) -> str:
    return ", ".join(flag.replace("_", " ") for flag in grade.flags if flag in _WORTH_A_LOOK)


def what_next(database: Path) -> str:
    """Commands to try on what the demo leaves behind."""
    return f"""
The database: {database}
Look at it:   gradeq export --out demo.csv --db {database}
              gradeq serve --provider simulated --db {database}
Your papers:  gradeq run INPUT --rubric FILE --out results.csv"""
