"""`gradeq rubric`: is it one, and will it grade well."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from gradeq.cli import say
from gradeq.cli.options import FILE, json_option
from gradeq.errors import Mistake, RubricError
from gradeq.grading.rubric import Rubric, parse_rubric
from gradeq.grading.rubric_advice import Advice, Adviser
from gradeq.grading.rubric_lint import lint
from gradeq.rubrics import read_rubric_file

_UNUSABLE = 2


@click.group("rubric")
def command() -> None:
    """Look at a rubric file."""


@command.command("check")
@click.argument("file", type=FILE, metavar="FILE")
@json_option
def check(*, file: Path, as_json: bool) -> None:
    """Tell every mistake in FILE, and every warning of what is known to harm grading.

    Exit codes: 0 it can be used, whatever the warnings; 2 it cannot.
    """
    try:
        rubric = parse_rubric(read_rubric_file(file), file.name)
    except RubricError as error:
        if as_json:
            say.as_json(_told(file, errors=_errors(error)))
            sys.exit(_UNUSABLE)
        raise
    warnings = lint(rubric)
    if as_json:
        say.as_json(_told(file, rubric, warnings))
    else:
        _say(file, rubric, warnings)


def size_of(rubric: Rubric) -> str:
    """`3 criteria, 4 points`."""
    criteria = say.counted(len(rubric.criteria), "criterion", "criteria")
    return f"{criteria}, {rubric.max_score:g} {'point' if rubric.max_score == 1 else 'points'}"


def _say(file: Path, rubric: Rubric, warnings: Sequence[Advice]) -> None:
    warned = say.counted(len(warnings), "warning") if warnings else "no warnings"
    say.fact(f"{file}: a rubric with {size_of(rubric)}; {warned}")
    adviser = Adviser.of("en")
    for told in map(adviser.told, warnings):
        say.fact(f"\n{told.where}: {told.what}\n  {told.why}\n  {told.instead}")


def _told(
    file: Path,
    rubric: Rubric | None = None,
    warnings: Sequence[Advice] = (),
    errors: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    return {
        "file": str(file),
        "ok": rubric is not None,
        "criteria": len(rubric.criteria) if rubric else None,
        "max_score": rubric.max_score if rubric else None,
        "errors": list(errors),
        "warnings": [_warning(one) for one in warnings],
    }


def _warning(advice: Advice) -> dict[str, Any]:
    return {
        "rule": advice.rule,
        "criterion": advice.criterion or None,
        "level": advice.level or None,
        "found": advice.found,
        **asdict(Adviser.of("en").told(advice)),
    }


def _errors(error: RubricError) -> list[dict[str, Any]]:
    mistakes = error.mistakes or (Mistake((), 1, str(error)),)
    return [{"path": list(one.path), "line": one.line, "error": one.text} for one in mistakes]
