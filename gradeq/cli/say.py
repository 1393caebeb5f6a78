"""How commands speak: facts on stdout, everything else on stderr."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

_WARNED = 20


def fact(text: str = "", *, as_json: bool = False) -> None:
    """A line of the answer; with --json stdout is for JSON alone, so it goes to stderr."""
    click.echo(text, err=as_json)


def note(text: str) -> None:
    """A line beside the answer."""
    click.echo(text, err=True)


def warn(texts: Iterable[str]) -> None:
    """Each with its own line; of very many only the first."""
    told = list(texts)
    for text in told[:_WARNED]:
        click.secho(text, err=True, fg="yellow")
    if len(told) > _WARNED:
        note(f"… and {len(told) - _WARNED:,} more")


def as_json(value: Mapping[str, Any]) -> None:
    """One line of JSON, in ASCII: no console's encoding can break it."""
    click.echo(json.dumps(value))


def table(rows: Sequence[Sequence[str]], *, indent: str = "  ", numbers: bool = False) -> str:
    """Columns under each other, two spaces apart; `numbers` aligns all but the first right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        (indent + "  ".join(_cells(row, widths, numbers=numbers))).rstrip() for row in rows
    )


def _cells(row: Sequence[str], widths: Sequence[int], *, numbers: bool) -> Iterable[str]:
    for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
        yield cell.rjust(width) if numbers and column else cell.ljust(width)


def counted(count: int, one: str, many: str | None = None) -> str:
    """`1 paper`, `2,000 papers`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
