"""Writing a rubric as TOML, so that people can read it and `parse_rubric` reads the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_TOP = ("title", "instructions", "question", "reference", "floor", "cap")
_CRITERION = ("id", "description", "points")
_LEVEL = ("name", "points", "description")
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_SPECIAL = re.compile(r'[\x00-\x1f\x7f"\\]')


def rubric_toml(document: Mapping[str, Any]) -> str:
    """The TOML text of a rubric's keys and values, those that `parse_rubric` knows.

    Values may be wrong, say a text where a number should be: then the text says so, too, and
    `parse_rubric` finds the mistake at its place.
    """
    return "\n".join([*_pairs(document, _TOP), *_criteria(document)]) + "\n"


def _criteria(document: Mapping[str, Any]) -> Iterator[str]:
    for criterion in document.get("criteria", ()):
        yield from ("", "[[criteria]]")
        yield from _pairs(criterion, _CRITERION)
        if levels := criterion.get("levels"):
            yield from ("levels = [", *map(_level, levels), "]")


def _pairs(table: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[str]:
    for key in keys:
        if key in table:
            yield f"{key} = {_value(table[key])}"


def _level(level: Mapping[str, Any]) -> str:
    pairs = (f"{key} = {_on_one_line(level[key])}" for key in _LEVEL if key in level)
    return f"  {{ {', '.join(pairs)} }},"


def _value(value: str | float) -> str:
    if isinstance(value, str) and "\n" in value:
        return f'"""\n{_escaped(value, keep_lines=True)}"""'
    return _on_one_line(value)


def _on_one_line(value: str | float) -> str:
    if isinstance(value, str):
        return f'"{_escaped(value)}"'
    return f"{value:.15g}"


def _escaped(text: str, *, keep_lines: bool = False) -> str:
    def escape(match: re.Match[str]) -> str:
        found = match[0]
        if keep_lines and found == "\n":
            return found
        return _SHORT.get(found, f"\\u{ord(found):04x}")

    return _SPECIAL.sub(escape, text)
