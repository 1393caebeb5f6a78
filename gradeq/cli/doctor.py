"""`gradeq doctor`: what may go wrong on this machine, before it does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from gradeq.cli import machine, reach, say
from gradeq.cli.findings import Finding, Level, ok, problem
from gradeq.cli.options import CONFIG_FILE, FILE, configuration, json_option, with_database
from gradeq.config import Config
from gradeq.errors import ConfigError

_SIGNS = {Level.OK: ("ok", "green"), Level.WARNING: ("!!", "yellow"), Level.PROBLEM: ("XX", "red")}


@click.command("doctor")
@click.option("--config", "config_file", type=FILE, metavar="FILE", help="Configuration.")
@click.option("--db", type=FILE, metavar="FILE", help="Database (default: gradeq.db).")
@click.option("--online", is_flag=True, help="Ask the providers too; grades and costs nothing.")
@json_option
def command(*, config_file: Path | None, db: Path | None, online: bool, as_json: bool) -> None:
    """Look at Python, SQLite, the database's place, the configuration and the keys.

    Nothing is changed, and no key is shown. Exit code 1 where something will not work.
    """
    found = list(_look(config_file, db, online=online))
    if as_json:
        say.as_json({"findings": [asdict(one) for one in found]})
    else:
        for one in found:
            sign, colour = _SIGNS[one.level]
            say.fact(f"{click.style(sign, fg=colour)}  {one.about}: {one.text}")
    sys.exit(1 if any(one.level is Level.PROBLEM for one in found) else 0)


def _look(config_file: Path | None, db: Path | None, *, online: bool) -> Iterator[Finding]:
    yield from machine.versions()
    try:
        config = configuration(config_file, db)
    except ConfigError as error:
        yield problem("configuration", str(error))
        config = with_database(Config(), db)
    else:
        yield ok("configuration", _where(config_file))
    yield from machine.place(config.store.path)
    yield from reach.keys(config)
    if online:
        yield from reach.answers(config)


def _where(config_file: Path | None) -> str:
    if config_file is None and not CONFIG_FILE.is_file():
        return f"no {CONFIG_FILE} here; defaults and GRADEQ_… variables"
    return f"{config_file or CONFIG_FILE} is valid"
