"""`gradeq resume`: a pool that stands still goes on, with all that gradeq had stopped for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict

import click

from gradeq.cli import say
from gradeq.cli.options import database_options, json_option
from gradeq.cli.remote import Daemon, here_or_there, running_daemon, whoever_types
from gradeq.cli.standing import PoolStanding, pool_standings, until
from gradeq.cli.stores import reading
from gradeq.config import Config
from gradeq.engine import Engine
from gradeq.parked import Resumed


@click.command("resume")
@click.argument("pool", required=False)
@database_options
@json_option
def command(*, pool: str | None, config: Config, as_json: bool) -> None:
    """Go on with a parked POOL once its cause is mended: a key, a model, a budget.

    POOL is its name, its provider's, or a part that means only one. Batches that gradeq paused
    for the same cause go on, too. Without POOL: the pools that are parked, and why.
    """
    if pool is None:
        _list(asyncio.run(_parked(config)), as_json=as_json)
        return
    resumed = asyncio.run(_resumed(config, pool))
    if as_json:
        say.as_json(asdict(resumed))
    else:
        say.fact("\n".join(_lines(resumed, running_daemon(config))))


async def _parked(config: Config) -> list[PoolStanding]:
    async with reading(config.store.path) as store:
        standings = await pool_standings(store, config.store.path)
    return [one for one in standings if one.parked_reason is not None]


def _list(parked: Sequence[PoolStanding], *, as_json: bool) -> None:
    if as_json:
        say.as_json({"parked": [_told(one) for one in parked]})
        return
    for one in parked:
        say.fact(f"{one.name}: parked{until(one.parked_until)}: {one.parked_reason}")
        say.fact(f"  {one.open_work}; {one.way_on}")
    if not parked:
        say.fact("No pool is parked.")


def _told(one: PoolStanding) -> dict[str, object]:
    return {
        "name": one.name,
        "providers": one.providers,
        "reason": one.parked_reason,
        "until": one.parked_until,
        "backlog": asdict(one.backlog),
    }


async def _resumed(config: Config, pool: str) -> Resumed:
    async def here(engine: Engine) -> Resumed:
        return await engine.resume_pool(pool)

    def there(daemon: Daemon) -> Resumed:
        return daemon.resume_pool(pool, whoever_types())

    return await here_or_there(config, here, there)


def _lines(resumed: Resumed, daemon: Daemon | None) -> list[str]:
    was = "was not parked" if resumed.reason is None else f"goes on (was parked: {resumed.reason})"
    lines = [f"{resumed.pool}: {was}"]
    if resumed.moved_to is not None:
        lines.append(f"  the key file holds another key: its work moved to {resumed.moved_to}")
    if resumed.batch_ids:
        batches = ", ".join(map(str, resumed.batch_ids))
        lines.append(f"  batches that gradeq had paused and that go on: {batches}")
    if daemon is None:
        lines.append("  no gradeq is working on it: gradeq serve, or gradeq grade --wait")
    return lines
