"""`gradeq backup`: a whole copy, also while a daemon writes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from gradeq.cli import say
from gradeq.cli.options import FILE, database_options, json_option
from gradeq.cli.stores import reading
from gradeq.config import Config
from gradeq.errors import StoreError


@click.command("backup")
@click.argument("file", type=FILE)
@database_options
@json_option
def command(*, file: Path, config: Config, as_json: bool) -> None:
    """Copy the whole database to FILE, which must not exist yet.

    The copy is consistent, also while a daemon is working. To restore it, stop gradeq and put the
    copy in the place of the database.
    """
    asyncio.run(_backup(config.store.path, file))
    size = file.stat().st_size
    if as_json:
        say.as_json({"db": str(config.store.path), "backup": str(file), "bytes": size})
    else:
        say.fact(f"{config.store.path} copied to {file} ({size / 1e6:,.1f} MB)")


async def _backup(database: Path, file: Path) -> None:
    if not file.resolve().parent.is_dir():
        raise StoreError(f"{file}: the folder {file.parent} does not exist; create it first")
    async with reading(database) as store:
        await store.backup(str(file))
