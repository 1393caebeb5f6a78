"""Writing a rubric as TOML, so that people can read it and `parse_rubric` reads the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_TEXTS = ("title", "instructions", "question", "reference")
_BOUNDS = ("floor", "cap")
_CRITERION = ("id", "description", "points")
_LEVEL = ("name", "points", "description")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_SPECIAL = re.compile(r'[\x00-\x1f\x7f"\\]')


def rubric_toml(document: Mapping[str, Any]) -> str:
    """The TOML text of a rubric's keys and values, those that `parse_rubric` knows.

    Values may be wrong, say a text where a number should be: then the text says so, too, and
    `parse_rubric` finds the mistake at its place.
    """
    top = (*_pairs(document, _TEXTS), *_key_points(document), *_pairs(document, _BOUNDS))
    return "\n".join([*top, *_criteria(document), *_examples(document)]) + "\n"


def _key_points(document: Mapping[str, Any]) -> Iterator[str]:
    if points := document.get("key_points"):
        yield from ("key_points = [", *(f"  {_on_one_line(point)}," for point in points), "]")


def _criteria(document: Mapping[str, Any]) -> Iterator[str]:
    for criterion in document.get("criteria", ()):
        yield from ("", "[[criteria]]")
        yield from _pairs(criterion, _CRITERION)
        if levels := criterion.get("levels"):
            yield from ("levels = [", *map(_level, levels), "]")


def _examples(document: Mapping[str, Any]) -> Iterator[str]:
    for example in document.get("examples", ()):
        yield from ("", "[[examples]]")
        yield from _pairs(example, ("text",))
        if levels := example.get("levels"):
            yield f"levels = {{ {', '.join(_given(*pair) for pair in levels.items())} }}"
        yield from _pairs(example, ("comment",))


def _given(criterion: str, level: str) -> str:
    key = criterion if _BARE_KEY.fullmatch(criterion) else _on_one_line(criterion)
    return f"{key} = {_on_one_line(level)}"


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
