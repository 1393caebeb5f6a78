"""SQL by name, from .sql files, and the schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


@cache
def load_queries() -> Mapping[str, str]:
    """Every statement of queries/*.sql under the name in the `-- name:` line above it.

    Read once in a process: they come with the program, as its modules do.
    """
    queries: dict[str, str] = {}
    for file in files(__package__).joinpath("queries").iterdir():
        for name, statement in _named(file.read_text("utf-8")):
            if name in queries:
                raise ValueError(f"two statements are named {name}")
            queries[name] = statement
    return MappingProxyType(queries)


def _named(text: str) -> Iterator[tuple[str, str]]:
    parts = _NAME.split(text)[1:]
    for name, statement in zip(parts[::2], parts[1::2], strict=True):
        yield name, statement.strip().rstrip(";")


def load_schema() -> str:
    """schema.sql: packaged beside this module, or at the top of an editable checkout."""
    packaged = files(__package__).joinpath("schema.sql")
    if packaged.is_file():
        return packaged.read_text("utf-8")
    return (Path(__file__).parents[2] / "schema.sql").read_text("utf-8")


def load_migrations() -> list[tuple[int, str]]:
    """(version, script) of every step after version 1, in order."""
    folder = files(__package__).joinpath("migrations")
    steps = [
        (int(file.name.split("_")[0]), file.read_text("utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    ]
    return sorted(steps)
