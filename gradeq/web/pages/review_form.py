"""The form in which a person grades: its fields, and what they change."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gradeq.grading.rubric import Level
from gradeq.model import CriterionGrade
from gradeq.web.bodies import GradeEdit
from gradeq.web.grade_edits import Start
from gradeq.web.intake import converted
from gradeq.web.problems import Problem

BY_HAND, KEEP = "hand", "keep"
"""Choices besides a rubric's levels: points of one's own, and not assessed as before."""

_NUMBER = re.compile(r"[+-]?[0-9]{1,10}(\.[0-9]{0,9})?")

Typed = dict[str, str]
Texts = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Line:
    """A criterion in the form. `chosen` is a level's number from 0, BY_HAND, KEEP or empty."""

    number: int
    before: CriterionGrade
    levels: Sequence[Level]
    chosen: str
    points: str
    reason: str

    @property
    def may_keep(self) -> bool:
        return self.before.points is None and bool(self.levels)


def lines_of(start: Start, typed: Typed, *, is_new: bool) -> list[Line]:
    """One for each criterion: as it is, or as somebody has typed it."""
    return [
        _line(number, one, start.levels(one.id), typed, is_new=is_new)
        for number, one in enumerate(start.grade.criteria, start=1)
    ]


def _line(
    number: int, one: CriterionGrade, levels: Sequence[Level], typed: Typed, *, is_new: bool
) -> Line:
    told = _fields(one, levels, is_new=is_new) | typed
    chosen, points, reason = (told[name] for name in _names(one))
    return Line(number, one, levels, chosen, points, reason)


def _names(one: CriterionGrade) -> tuple[str, str, str]:
    """Of the fields that tell a criterion's level, points and reason."""
    return f"level-{one.id}", f"points-{one.id}", f"reason-{one.id}"


def _fields(one: CriterionGrade, levels: Sequence[Level], *, is_new: bool) -> dict[str, str]:
    """What the form sends for a criterion that is left as it is."""
    points = "" if one.points is None else told_points(one.points)
    chosen = ("" if levels else BY_HAND) if is_new else _choice(one, levels)
    return dict(zip(_names(one), (chosen, points, one.reason), strict=True))


def _choice(one: CriterionGrade, levels: Sequence[Level]) -> str:
    """How the form tells a criterion's present level."""
    if not levels:
        return BY_HAND
    if one.points is None:
        return KEEP
    for number, level in enumerate(levels):
        if (level.name, level.points) == (one.level, one.points):
            return str(number)
    return BY_HAND


def change_in(typed: Typed, start: Start, by: str, t: Texts, *, is_new: bool) -> GradeEdit | None:
    """What a form changes; None where nothing. Raises a Problem that says what is missing."""
    if not by:
        raise Problem(422, "name_needed", t("review.name_needed"))
    criteria = [
        edit
        for one in start.grade.criteria
        if (edit := _criterion(typed, one, start.levels(one.id), t, is_new=is_new))
    ]
    told: dict[str, Any] = {"criteria": criteria} if criteria else {}
    feedback = plain(typed.get("feedback", start.grade.feedback))
    if feedback != plain(start.grade.feedback):
        told["feedback"] = feedback
    score = _number(typed.get("score", ""), t("review.score"), t)
    if score and (is_new or score != told_points(start.grade.score)):
        told["score"] = score
    if is_new and not told.keys() & {"score", "criteria"}:
        raise Problem(422, "score_needed", t("review.score_needed"))
    if not told:
        return None
    change: GradeEdit = converted("body", {"by": by, **told}, GradeEdit)
    return change


def _criterion(
    typed: Typed, one: CriterionGrade, levels: Sequence[Level], t: Texts, *, is_new: bool
) -> dict[str, Any] | None:
    as_is = _fields(one, levels, is_new=is_new)
    chosen, told, reason = ((as_is | typed)[name] for name in _names(one))
    level, points = _choice_of(chosen, told, levels)
    points = _number(points, one.id, t)
    is_same = not is_new and level in (None, one.level) and points == as_is[f"points-{one.id}"]
    if is_same and plain(reason) == plain(one.reason):
        return None
    if not points:
        raise Problem(422, "level_needed", t("review.level_needed", criterion=one.id))
    if is_same:
        level, points = one.level or None, str(one.points)
    return {"id": one.id, "points": points, "level": level, "reason": plain(reason)}


def _choice_of(chosen: str, points: str, levels: Sequence[Level]) -> tuple[str | None, str]:
    """The level, None where the points tell it, and the points; empty where none were given."""
    if chosen == BY_HAND:
        return None, points
    if chosen.isdecimal() and int(chosen) < len(levels):
        level = levels[int(chosen)]
        return level.name, told_points(level.points)
    return None, ""


def _number(typed: str, what: str, t: Texts) -> str:
    """Raises a Problem for what is none; may be empty."""
    told = number_in(typed)
    if told is None:
        typed = typed.strip()
        raise Problem(422, "number_needed", t("review.number_needed", what=what, typed=typed))
    return told


def number_in(typed: str) -> str | None:
    """With a point, where a comma is as good. Empty for nothing, None for what is no number."""
    told = typed.strip().replace(",", ".")
    return told if not told or _NUMBER.fullmatch(told) else None


def told_points(points: float) -> str:
    """As a number field takes it."""
    return f"{points:.10g}"


def plain(text: str) -> str:
    """Browsers send line breaks as CRLF."""
    return text.replace("\r\n", "\n").strip()
