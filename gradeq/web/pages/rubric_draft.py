"""A rubric as it stands in a form: every field as it was typed, right or wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from gradeq.grading.rubric import MET, UNMET
from gradeq.grading.rubric_text import rubric_toml
from gradeq.web.pages.example_draft import ExampleDraft, chosen

T = TypeVar("T")
Typed = Mapping[str, str]

_TEXTS = ("title", "instructions", "question", "reference")
_BOUNDS = ("floor", "cap")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?")
_CRITERION = re.compile(r"criteria\.(\d{1,4})\.")
_LEVEL = re.compile(r"levels\.(\d{1,4})\.")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_EXAMPLE = re.compile(r"examples\.(\d{1,4})\.")


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

    @property
    def level_names(self) -> tuple[str, ...]:
        """What a paper can be given."""
        return tuple(one.name for one in self.levels) if self.levels else (MET, UNMET)

    def in_levels(self) -> CriterionDraft:
        """The same with two levels to be named: everything, and nothing."""
        return replace(self, points="", levels=(LevelDraft(points=self.points), LevelDraft()))


@dataclass(frozen=True, slots=True)
class Draft:
    """What `parse_rubric` knows, as texts; `key_points` is one a line."""

    title: str = ""
    instructions: str = ""
    question: str = ""
    reference: str = ""
    floor: str = ""
    cap: str = ""
    key_points: str = ""
    criteria: tuple[CriterionDraft, ...] = ()
    examples: tuple[ExampleDraft, ...] = ()

    @classmethod
    def new(cls, title: str) -> Draft:
        """Where nobody has written anything yet."""
        return cls(title=title, criteria=(CriterionDraft(),))

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Draft:
        """From the keys and values of a rubric that can be used."""
        told = {key: _shown(document[key]) for key in (*_TEXTS, *_BOUNDS) if key in document}
        criteria = tuple(map(_criterion_of, document["criteria"]))
        ids = [one.id for one in criteria]
        return cls(
            **told,
            key_points="\n".join(" ".join(one.split()) for one in document.get("key_points", ())),
            criteria=criteria,
            examples=tuple(ExampleDraft.of(one, ids) for one in document.get("examples", ())),
        )

    @classmethod
    def typed(cls, form: Typed) -> Draft:
        """From a form whose fields are called by their path: criteria.0.levels.1.name."""
        told = {key: _cleaned(form.get(key, "")) for key in (*_TEXTS, *_BOUNDS, "key_points")}
        criteria = {at: _criterion_typed(part) for at, part in _numbered(form, _CRITERION)}
        examples = (_example_typed(part, criteria) for _, part in _numbered(form, _EXAMPLE))
        return cls(**told, criteria=tuple(criteria.values()), examples=tuple(examples))

    def source(self) -> str:
        """As TOML, with every mistake that was typed."""
        told = {key: getattr(self, key) for key in _TEXTS if getattr(self, key)}
        told |= {key: _number(getattr(self, key)) for key in _BOUNDS if getattr(self, key)}
        told["key_points"] = [one.strip() for one in self.key_points.splitlines() if one.strip()]
        ids = [one.id for one in self.criteria]
        told["criteria"] = [one.document() for one in self.criteria]
        told["examples"] = [one.document(ids) for one in self.examples]
        return rubric_toml(told)

    def fields_of_examples(self) -> list[str]:
        """By what the choice of a level is called for each criterion: by its id, as mistakes tell
        it, where that tells it apart from the others."""
        ids = [one.id for one in self.criteria]
        return [
            one if ids.count(one) == 1 and _PLAIN.fullmatch(one) else str(at)
            for at, one in enumerate(ids)
        ]

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
            return self._moved(verb, at), _focus(verb, at, len(self.criteria))
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
        grown = replace(
            self,
            criteria=(*self.criteria, CriterionDraft()),
            examples=tuple(one.with_levels((*one.levels, "")) for one in self.examples),
        )
        return grown, f"criteria.{len(self.criteria)}.id"

    def _moved(self, verb: str, at: int) -> Draft:
        """The levels that examples were given go with their criterion."""
        return replace(
            self,
            criteria=_moved(self.criteria, verb, at),
            examples=tuple(one.with_levels(_moved(one.levels, verb, at)) for one in self.examples),
        )

    def _set(self, at: int, criterion: CriterionDraft) -> Draft:
        criteria = (*self.criteria[:at], criterion, *self.criteria[at + 1 :])
        return replace(self, criteria=criteria)

    def with_example(self) -> tuple[Draft, str]:
        """One more, and the element that is to have the focus then."""
        new = ExampleDraft(levels=("",) * len(self.criteria))
        return replace(self, examples=(*self.examples, new)), f"examples.{len(self.examples)}.text"

    def without_example(self, at: int) -> tuple[Draft, str]:
        return replace(self, examples=_moved(self.examples, "remove", at)), "examples.add"


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
        for _, level in _numbered(part, _LEVEL)
    )
    return CriterionDraft(**told, levels=tuple(levels))


def _example_typed(part: Typed, criteria: Mapping[int, CriterionDraft]) -> ExampleDraft:
    """`criteria` by their numbers in the form."""
    levels = (
        chosen(part.get(f"levels.{at}", ""), criterion.level_names)
        for at, criterion in criteria.items()
    )
    told = {key: _cleaned(part.get(key, "")) for key in ("text", "comment")}
    return ExampleDraft(**told, levels=tuple(levels))


def _numbered(form: Typed, prefix: re.Pattern[str]) -> Iterator[tuple[int, Typed]]:
    """The fields under each number of a list, in the order of the numbers."""
    parts: dict[int, dict[str, str]] = {}
    for name, value in form.items():
        if found := prefix.match(name):
            parts.setdefault(int(found[1]), {})[name[found.end() :]] = value
    yield from sorted(parts.items())


def _cleaned(text: str) -> str:
    """Browsers end lines with CR LF. Spaces around a text never mean anything."""
    return text.replace("\r\n", "\n").strip()


def _number(typed: str) -> str | float:
    """The number, with a point or a comma; the text where it is none, to be told as a mistake."""
    return float(typed.replace(",", ".")) if _NUMBER.fullmatch(typed) else typed


def _shown(value: str | float) -> str:
    return value.strip() if isinstance(value, str) else f"{value:.15g}"
