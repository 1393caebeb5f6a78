"""Reading the fields of a TOML document one by one, with every mistake told by its line."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any

from gradeq.errors import Mistake
from gradeq.grading.toml_lines import Path, nearest_line


class Fields:
    """Reads on after a mistake, and collects them all in `mistakes`."""

    def __init__(self, lines: Mapping[Path, int]) -> None:
        self.mistakes: list[Mistake] = []
        self._lines = lines

    def tables(self, table: dict[str, Any], path: Path, key: str) -> list[dict[str, Any]] | None:
        """The list of tables under `key`; None, with a mistake noted, if it is anything else."""
        value = table.get(key, [])
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            return value
        self.wrong((*path, key), f"must be a list of tables, but is {shown(value)}")
        return None

    def text(self, table: dict[str, Any], path: Path, key: str, *, required: bool = False) -> str:
        value = table.get(key, "")
        if not isinstance(value, str):
            self.wrong((*path, key), f"must be text in quotes, but is {shown(value)}")
            return ""
        if required and not value.strip():
            self.wrong((*path, key), "is empty" if key in table else "is missing")
        return value.strip()

    def texts(self, table: dict[str, Any], path: Path, key: str) -> tuple[str, ...]:
        """A list of texts, none of them empty."""
        value = table.get(key, [])
        if not isinstance(value, list):
            self.wrong((*path, key), f"must be a list of texts, but is {shown(value)}")
            return ()
        for position, item in enumerate(value):
            if not isinstance(item, str):
                self.wrong((*path, key, position), f"must be text in quotes, but is {shown(item)}")
            elif not item.strip():
                self.wrong((*path, key, position), "is empty")
        return tuple(item.strip() for item in value if isinstance(item, str))

    def number(
        self, table: dict[str, Any], path: Path, key: str, default: float | None = None
    ) -> float:
        value = table.get(key, default)
        if value is None:
            self.wrong((*path, key), "is missing")
        elif value == "":
            self.wrong((*path, key), "is empty")
        elif isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong((*path, key), f"must be a number, but is {shown(value)}")
        elif not abs(value) <= 1e9:
            self.wrong((*path, key), f"must be a number of ordinary size, but is {shown(value)}")
        else:
            return float(value)
        return math.nan

    def known(self, table: dict[str, Any], path: Path, keys: tuple[str, ...]) -> None:
        for key in table.keys() - set(keys):
            hint = nearest(key, keys)
            self.wrong((*path, key), f"is not a key that gradeq knows; {hint}")

    def unique(self, items: Iterable[object], attribute: str, paths: list[Path]) -> None:
        seen: dict[str, Path] = {}
        for item, path in zip(items, paths, strict=True):
            value: str = getattr(item, attribute)
            first = seen.setdefault(value.casefold(), path)
            if value and first != path:
                line = nearest_line(self._lines, first)
                self.wrong(path, f"{shown(value)} is already used in line {line}")

    def wrong(self, path: Path, text: str) -> None:
        self.mistakes.append(Mistake(path, nearest_line(self._lines, path), text))


def nearest(word: str, known: Iterable[str]) -> str:
    """What was probably meant instead of `word`, or all that there is."""
    words = list(known)
    near = difflib.get_close_matches(word, words, n=1)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(words)}"


def shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
