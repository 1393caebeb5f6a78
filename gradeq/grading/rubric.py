"""A rubric: what is asked, and how many points each level of each criterion is worth."""

from __future__ import annotations

import hashlib
import json
import math
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gradeq.errors import Mistake, RubricError
from gradeq.grading.toml_fields import Fields, nearest, shown
from gradeq.grading.toml_lines import Path, lines_of

CANNOT_ASSESS = "cannot_assess"
"""The level that every criterion has besides its own: the model could not judge it."""

MET, UNMET = "met", "unmet"

_TEXTS = ("title", "instructions", "question", "reference")
_RUBRIC_KEYS = (*_TEXTS, "key_points", "floor", "cap", "criteria", "examples")
_CRITERION_KEYS = ("id", "description", "points", "levels")
_LEVEL_KEYS = ("name", "points", "description")
_EXAMPLE_KEYS = ("text", "levels", "comment")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LEVEL_NAME = re.compile(r"[^\s\"](?:[^\n\"]{0,58}[^\s\"])?")


@dataclass(frozen=True, slots=True)
class Level:
    """One step of a criterion. `points` may be negative or zero."""

    name: str
    points: float
    description: str = ""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that is judged; `levels` stand from most to fewest points."""

    id: str
    description: str
    levels: tuple[Level, ...]

    @property
    def best(self) -> float:
        """The most points this can add, at least 0."""
        return max(0.0, self.levels[0].points)


@dataclass(frozen=True, slots=True)
class Example:
    """A student's answer that a person graded. `levels` are criterion ids and names of levels, in
    the order of the rubric; criteria may be left out. `comment` says why."""

    text: str
    levels: tuple[tuple[str, str], ...]
    comment: str = ""

    def level_of(self, criterion: str) -> str | None:
        return dict(self.levels).get(criterion)


@dataclass(frozen=True, slots=True)
class Rubric:
    """What papers are graded against. Made by `parse_rubric`, which keeps the `source`.

    `key_points` are what a good answer contains, one by one. Two rubrics are equal
    when they ask and reward the same, whatever their files look like.
    """

    criteria: tuple[Criterion, ...]
    title: str = ""
    instructions: str = ""
    question: str = ""
    reference: str = ""
    key_points: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    floor: float = 0.0
    cap: float | None = None
    name: str = field(default="", compare=False)
    source: str = field(default="", compare=False, repr=False)

    @property
    def max_score(self) -> float:
        """The sum of each criterion's best positive level, but never above `cap`."""
        best = round(math.fsum(criterion.best for criterion in self.criteria), 6)
        return best if self.cap is None else min(best, self.cap)

    @property
    def sha256(self) -> str:
        """Fingerprint of the content; layout, comments and key order of the file do not matter."""
        content = [
            [getattr(self, key) for key in _TEXTS],
            [self.floor, self.cap],
            [
                [c.id, c.description, [[v.name, v.points, v.description] for v in c.levels]]
                for c in self.criteria
            ],
            self.key_points,
            [[one.text, one.levels, one.comment] for one in self.examples],
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def score(self, points: Iterable[float]) -> float:
        """Add up `points`, within `floor` and `max_score`; rounded to 6 decimals."""
        return min(self.max_score, max(self.floor, round(math.fsum(points), 6)))


def parse_rubric(source: str, name: str) -> Rubric:
    """Read a rubric from TOML text; `name` is the file's name, for messages.

    Raises RubricError with every mistake in it, each with its line and field.
    """
    text = source.removeprefix("\ufeff")
    try:
        document = tomllib.loads(text)
        lines = lines_of(text)
    except (ValueError, RecursionError) as error:
        what = str(error) if isinstance(error, ValueError) else "is nested too deeply"
        mistake = Mistake((), _line_in(what), f"is not valid TOML: {what}")
        raise RubricError(f"{name} {mistake.text}. Nothing was graded.", (mistake,)) from error
    reading = _Reading(lines)
    rubric = reading.rubric(document, name, source)
    if reading.mistakes:
        mistakes = tuple(sorted(reading.mistakes, key=_by_line))
        raise RubricError(_report(name, mistakes), mistakes)
    return rubric


def _by_line(mistake: Mistake) -> tuple[int, str]:
    return mistake.line, _told(mistake)


def _told(mistake: Mistake) -> str:
    return f"{_field(mistake.path)}{mistake.text}"


def _report(name: str, mistakes: tuple[Mistake, ...]) -> str:
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    lines = [f"  {name}, line {one.line}: {_told(one)}" for one in mistakes]
    return "\n".join([f"{name} has {count}; nothing was graded:", *lines])


def _line_in(complaint: str) -> int:
    """The line that the TOML reader names; 1 where it names none, as for an unexpected end."""
    found = re.search(r"at line (\d+)", complaint)
    return int(found[1]) if found else 1


class _Reading(Fields):
    """One pass over the document of a rubric."""

    def rubric(self, document: dict[str, Any], name: str, source: str) -> Rubric:
        self.known(document, (), _RUBRIC_KEYS)
        texts = {key: self.text(document, (), key) for key in _TEXTS}
        floor = self.number(document, (), "floor", default=0.0)
        cap = self.number(document, (), "cap") if "cap" in document else None
        criteria = self._criteria(document)
        rubric = Rubric(
            criteria,
            **texts,
            key_points=self.texts(document, (), "key_points"),
            examples=self._examples(document, criteria),
            floor=floor,
            cap=cap,
            name=name,
            source=source,
        )
        self._check_range(rubric)
        return rubric

    def _check_range(self, rubric: Rubric) -> None:
        if self.mistakes:
            return
        if rubric.cap is not None and rubric.cap <= 0:
            self.wrong(("cap",), f"must be above 0, but is {rubric.cap:g}")
        elif rubric.max_score <= 0:
            self.wrong(("criteria",), "no level gives points, so no paper could earn any")
        elif rubric.floor >= rubric.max_score:
            most = f"the most points a paper can get ({rubric.max_score:g})"
            self.wrong(("floor",), f"must be below {most}, but is {rubric.floor:g}")

    def _criteria(self, document: dict[str, Any]) -> tuple[Criterion, ...]:
        tables = self.tables(document, (), "criteria")
        if tables is None:
            return ()
        if not tables:
            self.wrong(("criteria",), "is missing or empty: add a [[criteria]] table")
        criteria = [self._criterion(table, ("criteria", i)) for i, table in enumerate(tables)]
        self.unique(criteria, "id", [("criteria", i, "id") for i in range(len(criteria))])
        return tuple(criteria)

    def _criterion(self, table: dict[str, Any], path: Path) -> Criterion:
        self.known(table, path, _CRITERION_KEYS)
        name = self.text(table, path, "id", required=True)
        if name and not _ID.fullmatch(name):
            rule = "letters, digits, _ and - only, at most 64 of them"
            self.wrong((*path, "id"), f"must be made of {rule}, but is {shown(name)}")
        description = self.text(table, path, "description", required=True)
        return Criterion(name, description, self._levels(table, path))

    def _levels(self, table: dict[str, Any], path: Path) -> tuple[Level, ...]:
        if ("points" in table) == ("levels" in table):
            both = "has both points and levels" if "points" in table else "has no points"
            self.wrong(path, f"{both}: give either points = NUMBER or levels = [...]")
            return (Level(UNMET, 0.0),)
        if "points" in table:
            return self._met_or_unmet(table, path)
        tables = self.tables(table, path, "levels")
        if tables is None:
            return (Level(UNMET, 0.0),)
        where = (*path, "levels")
        if len(tables) < 2:
            self.wrong(where, f"needs at least two levels, but has {len(tables)}")
        levels = [self._level(level, (*where, i)) for i, level in enumerate(tables)]
        self.unique(levels, "name", [(*where, i, "name") for i in range(len(levels))])
        return tuple(sorted(levels, key=_most_first)) or (Level(UNMET, 0.0),)

    def _met_or_unmet(self, table: dict[str, Any], path: Path) -> tuple[Level, ...]:
        points = self.number(table, path, "points")
        if points == 0:
            self.wrong((*path, "points"), "must not be 0, which neither gives nor takes any")
        met = "The paper does this." if points > 0 else "The paper has this fault."
        unmet = "It does not." if points > 0 else "It has not."
        return tuple(sorted((Level(MET, points, met), Level(UNMET, 0.0, unmet)), key=_most_first))

    def _level(self, table: dict[str, Any], path: Path) -> Level:
        self.known(table, path, _LEVEL_KEYS)
        name = self.text(table, path, "name", required=True)
        if re.sub(r"[\s-]", "_", name.casefold()) == CANNOT_ASSESS:
            self.wrong((*path, "name"), f"{CANNOT_ASSESS} is reserved: every criterion has it")
        elif name and not _LEVEL_NAME.fullmatch(name):
            self.wrong((*path, "name"), 'must be one line of at most 60 characters without "')
        points = self.number(table, path, "points")
        return Level(name, points, self.text(table, path, "description"))

    def _examples(
        self, document: dict[str, Any], criteria: tuple[Criterion, ...]
    ) -> tuple[Example, ...]:
        tables = (self.tables(document, (), "examples") or []) if criteria else []
        named = {one.id: [level.name for level in one.levels] for one in criteria}
        return tuple(self._example(table, ("examples", i), named) for i, table in enumerate(tables))

    def _example(self, table: dict[str, Any], path: Path, named: dict[str, list[str]]) -> Example:
        self.known(table, path, _EXAMPLE_KEYS)
        text = self.text(table, path, "text", required=True)
        levels = self._levels_given(table.get("levels", {}), (*path, "levels"), named)
        return Example(text, levels, self.text(table, path, "comment"))

    def _levels_given(
        self, given: object, path: Path, named: dict[str, list[str]]
    ) -> tuple[tuple[str, str], ...]:
        if not isinstance(given, dict) or not given:
            told = f", but is {shown(given)}" if given else ""
            self.wrong(path, f'must name a level for a criterion, as in {{ id = "level" }}{told}')
            return ()
        for criterion, level in given.items():
            if criterion not in named:
                hint = nearest(criterion, named)
                self.wrong((*path, criterion), f"is not a criterion of this rubric; {hint}")
            elif level not in named[criterion]:
                hint = nearest(str(level), named[criterion])
                self.wrong((*path, criterion), f"has no level {shown(level)}; {hint}")
        return tuple((one, str(given[one])) for one in named if one in given)


def _most_first(level: Level) -> float:
    return -level.points


def _field(path: Path) -> str:
    """`("criteria", 1, "levels", 0, "points")` as "criterion 2, level 1, points: "."""
    text = ", ".join(f"#{part + 1}" if isinstance(part, int) else part for part in path)
    for many, one in (("criteria", "criterion"), ("levels", "level"), ("examples", "example")):
        text = text.replace(f"{many}, #", f"{one} ")
    text = text.replace("key_points, #", "key point ")
    return f"{text}: " if text else ""
