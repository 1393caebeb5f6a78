"""Where each key of a TOML document stands, so that a mistake in it can be named by its line.

`tomllib` gives values without positions. This walks the same source once more; it may assume that
`tomllib` has accepted the source, and so needs no error handling of its own.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping

Path = tuple[str | int, ...]
"""Keys and list positions (from 0) from the top of the document to a value."""

_TOKEN = re.compile(
    r"""
    (?P<string> \"{3}(?:[^\\]|\\.)*?\"{3,5} | '{3}.*?'{3,5} | \"(?:[^\"\\\n]|\\.)*\" | '[^'\n]*' )
    | (?P<skip> \#[^\n]* | [^\S\n]+ )
    | (?P<mark> [\n\[\]{}=,] )
    | (?P<bare> [^\s\[\]{}=,\#"']+ )
    """,
    re.VERBOSE | re.DOTALL,
)


def lines_of(source: str) -> dict[Path, int]:
    """Line numbers (from 1) of every key, table and list element in valid TOML."""
    return _Walk(source).lines


def nearest_line(lines: Mapping[Path, int], path: Path) -> int:
    """The line of `path`, or of the innermost thing around it that has one; at worst line 1."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


class _Walk:
    def __init__(self, source: str) -> None:
        self.lines: dict[Path, int] = {}
        self._tokens = _tokens(source)
        self._at = 0
        self._tables: dict[Path, int] = {}
        self._document()

    def _document(self) -> None:
        table: Path = ()
        while self._more():
            if self._peek() == "\n":
                self._next()
            elif self._peek() == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        """`[a.b]` or `[[a.b]]`; names that are lists of tables mean their last element."""
        line = self._line()
        self._next()
        is_list = self._peek() == "["
        keys = self._keys("]")
        if is_list:
            self._next()
        path: Path = ()
        for position, key in enumerate(keys):
            path = (*path, key)
            self.lines.setdefault(path, line)
            if is_list and position == len(keys) - 1:
                self._tables[path] = self._tables.get(path, 0) + 1
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
        self.lines.setdefault(path, line)
        return path

    def _pair(self, table: Path) -> None:
        line = self._line()
        path = table
        for key in self._keys("="):
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._value(path)

    def _value(self, path: Path) -> None:
        opening = self._peek()
        if opening == "[":
            self._list(path)
        elif opening == "{":
            self._inline_table(path)
        else:
            while self._more() and self._peek() not in {",", "]", "}", "\n"}:
                self._next()

    def _list(self, path: Path) -> None:
        self._next()
        position = 0
        while self._peek() != "]":
            if self._peek() in {",", "\n"}:
                self._next()
                continue
            self.lines[(*path, position)] = self._line()
            self._value((*path, position))
            position += 1
        self._next()

    def _inline_table(self, path: Path) -> None:
        self._next()
        while self._peek() != "}":
            if self._peek() in {",", "\n"}:
                self._next()
            else:
                self._pair(path)
        self._next()

    def _keys(self, end: str) -> list[str]:
        """The parts of a dotted key, up to and including the token that ends it."""
        keys: list[str] = []
        while (text := self._next()) != end:
            if text[0] in "\"'":
                keys.append(str(tomllib.loads(f"key = {text}")["key"]))
            elif text != "[":
                keys += [part for part in text.split(".") if part]
        return keys

    def _more(self) -> bool:
        return self._at < len(self._tokens)

    def _peek(self) -> str:
        return self._tokens[self._at][0]

    def _line(self) -> int:
        return self._tokens[self._at][1]

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1][0]


def _tokens(source: str) -> list[tuple[str, int]]:
    """Every token that matters, with the line on which it begins."""
    tokens: list[tuple[str, int]] = []
    line = 1
    for match in _TOKEN.finditer(source):
        if match.lastgroup != "skip":
            tokens.append((match[0], line))
        line += match[0].count("\n")
    return tokens
