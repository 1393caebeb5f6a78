"""A rubric as it stands in a form: every field as it was typed, right or wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from gradeq.grading.rubric_text import rubric_toml

T = TypeVar("T")
Typed = Mapping[str, str]

_TEXTS = ("title", "instructions", "question", "reference")
_BOUNDS = ("floor", "cap")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?")
_CRITERION = re.compile(r"criteria\.(\d{1,4})\.")
_LEVEL = re.compile(r"levels\.(\d{1,4})\.")


@dataclass(frozen=True, slots=True)
class LevelDraft:
    name: str = ""
    points: str = ""
    description: str = ""

    def document(self) -> dict[str, Any]:
        points = {"points": _number(self.points)} if self.points else {}
        text = {"description": self.description} if self.description else {}
        return {"name": self.name, **points, **text}


@dataclass(frozen=True, slots=True)
class CriterionDraft:
    """With no levels it is met or not, for `points`."""

    id: str = ""
    description: str = ""
    points: str = ""
    levels: tuple[LevelDraft, ...] = ()

    def document(self) -> dict[str, Any]:
        named = {"id": self.id, "description": self.description}
        if self.levels:
            return {**named, "levels": [level.document() for level in self.levels]}
        return {**named, "points": _number(self.points)}

    def in_levels(self) -> CriterionDraft:
        """The same with two levels to be named: everything, and nothing."""
        return replace(self, points="", levels=(LevelDraft(points=self.points), LevelDraft()))


@dataclass(frozen=True, slots=True)
class Draft:
    """What `parse_rubric` knows, as texts."""

    title: str = ""
    instructions: str = ""
    question: str = ""
    reference: str = ""
    floor: str = ""
    cap: str = ""
    criteria: tuple[CriterionDraft, ...] = ()

    @classmethod
    def new(cls, title: str) -> Draft:
        """Where nobody has written anything yet."""
        return cls(title=title, criteria=(CriterionDraft(),))

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Draft:
        """From the keys and values of a rubric that can be used."""
        told = {key: _shown(document[key]) for key in (*_TEXTS, *_BOUNDS) if key in document}
        return cls(**told, criteria=tuple(map(_criterion_of, document["criteria"])))

    @classmethod
    def typed(cls, form: Typed) -> Draft:
        """From a form whose fields are called by their path: criteria.0.levels.1.name."""
        told = {key: _cleaned(form.get(key, "")) for key in (*_TEXTS, *_BOUNDS)}
        criteria = (_criterion_typed(part) for part in _numbered(form, _CRITERION))
        return cls(**told, criteria=tuple(criteria))

    def source(self) -> str:
        """As TOML, with every mistake that was typed."""
        told = {key: getattr(self, key) for key in _TEXTS if getattr(self, key)}
        told |= {key: _number(getattr(self, key)) for key in _BOUNDS if getattr(self, key)}
        return rubric_toml({**told, "criteria": [one.document() for one in self.criteria]})

    def changed(self, verb: str, *place: int) -> tuple[Draft, str]:
        """After one press of a button, and the element that is to have the focus then.

        `place` is a criterion's position, or also a level's in it. What makes no sense, say a
        position that is not there, changes nothing.
        """
        if not place:
            return (*self._added(verb),)
        at, *inner = place
        if at >= len(self.criteria):
            return self, ""
        criterion = self.criteria[at]
        if not inner and verb not in ("add", "levels"):
            return self._with(_moved(self.criteria, verb, at)), _focus(verb, at, len(self.criteria))
        if verb == "levels":
            levelled = replace(self._set(at, criterion.in_levels()))
            return levelled, f"criteria.{at}.levels.0.name"
        if verb == "add":
            grown = replace(criterion, levels=(*criterion.levels, LevelDraft()))
            return self._set(at, grown), f"criteria.{at}.levels.{len(criterion.levels)}.name"
        moved = replace(criterion, levels=_moved(criterion.levels, verb, inner[0]))
        return self._set(at, moved), _focus(verb, inner[0], len(criterion.levels), f".{at}")

    def _added(self, verb: str) -> tuple[Draft, str]:
        if verb != "add":
            return self, ""
        return self._with((*self.criteria, CriterionDraft())), f"criteria.{len(self.criteria)}.id"

    def _with(self, criteria: tuple[CriterionDraft, ...]) -> Draft:
        return replace(self, criteria=criteria)

    def _set(self, at: int, criterion: CriterionDraft) -> Draft:
        return self._with((*self.criteria[:at], criterion, *self.criteria[at + 1 :]))


def _moved(items: tuple[T, ...], verb: str, at: int) -> tuple[T, ...]:
    """Without the one at `at`, or with it changing places with a neighbour."""
    if verb == "remove":
        return items[:at] + items[at + 1 :]
    first = {"up": at - 1, "down": at}.get(verb, -1)
    if first < 0 or first + 1 >= len(items):
        return items
    return (*items[:first], items[first + 1], items[first], *items[first + 2 :])


def _focus(verb: str, at: int, count: int, inside: str = "") -> str:
    """The button to press next: the same one at the new place, as long as it can be pressed."""
    if verb == "remove":
        return f"add{inside}"
    now = at - 1 if verb == "up" else at + 1
    if now in (0, count - 1):
        verb = "down" if now == 0 else "up"
    return f"{verb}{inside}.{now}"


def _criterion_of(table: Mapping[str, Any]) -> CriterionDraft:
    told = {key: _shown(table[key]) for key in ("id", "description", "points") if key in table}
    levels = (
        LevelDraft(**{key: _shown(value) for key, value in level.items()})
        for level in table.get("levels", ())
    )
    return CriterionDraft(**told, levels=tuple(levels))


def _criterion_typed(part: Typed) -> CriterionDraft:
    told = {key: _cleaned(part.get(key, "")) for key in ("id", "description", "points")}
    names = [field.name for field in fields(LevelDraft)]
    levels = (
        LevelDraft(**{name: _cleaned(level.get(name, "")) for name in names})
        for level in _numbered(part, _LEVEL)
    )
    return CriterionDraft(**told, levels=tuple(levels))


def _numbered(form: Typed, prefix: re.Pattern[str]) -> Iterator[Typed]:
    """The fields under each number of a list, in the order of the numbers."""
    parts: dict[int, dict[str, str]] = {}
    for name, value in form.items():
        if found := prefix.match(name):
            parts.setdefault(int(found[1]), {})[name[found.end() :]] = value
    for _, part in sorted(parts.items()):
        yield part


def _cleaned(text: str) -> str:
    """Browsers end lines with CR LF. Spaces around a text never mean anything."""
    return text.replace("\r\n", "\n").strip()


def _number(typed: str) -> str | float:
    """The number, with a point or a comma; the text where it is none, to be told as a mistake."""
    return float(typed.replace(",", ".")) if _NUMBER.fullmatch(typed) else typed


def _shown(value: str | float) -> str:
    return value.strip() if isinstance(value, str) else f"{value:.15g}"
