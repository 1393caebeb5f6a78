"""Advice on a rubric: what was found, and the texts that tell it to its author."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RUBRIC, TITLE, INSTRUCTIONS, CRITERION, LEVEL, EXAMPLE = (
    "rubric",
    "title",
    "instructions",
    "criterion",
    "level",
    "example",
)
"""Where something stands: the values of `Advice.where`."""

_TEXTS = Path(__file__).parent / "advice"


@dataclass(frozen=True, slots=True)
class Advice:
    """One finding. `found` is the wording, or the names, that it is about; `level` names a level
    of `criterion` where the finding stands in its text. On an example, `number` is its number."""

    rule: str
    where: str = RUBRIC
    criterion: str = ""
    found: str = ""
    number: float = 0.0
    level: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """An advice for a person: where, what, why it harms, and what to write instead."""

    where: str
    what: str
    why: str
    instead: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} {self.why} {self.instead}"


@dataclass(frozen=True, slots=True)
class Adviser:
    """Tells advice in one language."""

    texts: Mapping[str, Any]

    @classmethod
    def of(cls, language: str = "en") -> Adviser:
        """English ("en") and German ("de") are there."""
        return cls(tomllib.loads((_TEXTS / f"{language}.toml").read_text("utf-8")))

    def told(self, advice: Advice) -> Told:
        values = {
            "criterion": advice.criterion,
            "level": advice.level,
            "found": advice.found,
            "number": f"{advice.number:g}",
        }
        rule = self.texts[advice.rule]
        return Told(
            self.texts["where"][advice.where].format_map(values),
            *(rule[part].format_map(values) for part in ("what", "why", "instead")),
        )
