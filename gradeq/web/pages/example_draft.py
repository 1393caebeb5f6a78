"""Graded examples as they stand in the form of a rubric.

A level is chosen by the places of its criterion and of itself, so that it follows when either gets
another name. One that is gone is kept by its name, to be told as a mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

NAMED = "="
"""What the value of a choice begins with that no level has; the name follows."""


@dataclass(frozen=True, slots=True)
class ExampleDraft:
    """`levels` are names, one for each criterion of the form in its order; "" for none given."""

    text: str = ""
    levels: tuple[str, ...] = ()
    comment: str = ""

    @classmethod
    def of(cls, table: Mapping[str, Any], criteria: Sequence[str]) -> ExampleDraft:
        """From the keys and values of a rubric that can be used; `criteria` are its ids."""
        given = table.get("levels", {})
        return cls(
            text=str(table["text"]).strip(),
            levels=tuple(given.get(one, "") for one in criteria),
            comment=str(table.get("comment", "")).strip(),
        )

    def document(self, criteria: Sequence[str]) -> dict[str, Any]:
        given = {
            one: level for one, level in zip(criteria, self.levels, strict=True) if one and level
        }
        comment = {"comment": self.comment} if self.comment else {}
        return {"text": self.text, "levels": given, **comment}

    def with_levels(self, levels: tuple[str, ...]) -> ExampleDraft:
        return replace(self, levels=levels)


def chosen(value: str, levels: Sequence[str]) -> str:
    """The name of the level that a choice of the form means; "" for none."""
    if value.startswith(NAMED):
        return value.removeprefix(NAMED)
    at = int(value) if value.isascii() and value.isdecimal() and len(value) < 5 else len(levels)
    return levels[at] if at < len(levels) else ""
