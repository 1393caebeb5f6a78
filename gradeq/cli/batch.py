"""`gradeq batch`: what people do to work that is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click

from gradeq import money
from gradeq.cli import say
from gradeq.cli.costs import costs
from gradeq.cli.options import database_options, json_option
from gradeq.cli.remote import Daemon, here_or_there, whoever_types
from gradeq.cli.stores import reading
from gradeq.config import Config
from gradeq.engine import Engine
from gradeq.errors import NotFoundError
from gradeq.money import checked_cap
from gradeq.store.rows import BatchRow

_NEWEST = 20


@click.group("batch")
def command() -> None:
    """Pause, resume, cap, cancel or retry a batch: papers that were queued together."""


@command.command("list")
@database_options
@json_option
def list_batches(*, config: Config, as_json: bool) -> None:
    """Show the newest batches."""
    batches = asyncio.run(_newest(config))
    if as_json:
        told = [asdict(batch) for batch in batches]
        say.as_json({"currency": config.grading.currency, "batches": told})
        return
    header = (
        *("batch", "status", "graded", "failed", "cancelled", "waiting"),
        *("tokens in", "out", f"cost {config.grading.currency}", "cap"),
    )
    table = say.table([header, *map(_row, batches)], indent="", numbers=True)
    say.fact(table if batches else "no batches yet")


async def _newest(config: Config) -> list[BatchRow]:
    async with reading(config.store.path) as store:
        return await store.batches(limit=_NEWEST)


def _row(batch: BatchRow) -> tuple[str, ...]:
    waiting = batch.pending + batch.processing
    counts = (batch.completed, batch.failed, batch.cancelled, waiting)
    tokens = (batch.input_tokens, batch.output_tokens)
    cap = "" if batch.cost_cap is None else money.figures(batch.cost_cap)
    numbers = (f"{one:,}" for one in (*counts, *tokens))
    return (str(batch.id), batch.status.value, *numbers, money.figures(batch.cost), cap)


def _verb(name: str, text: str) -> Callable[[Callable[..., Any]], click.Command]:
    def decorate(act: Callable[[Engine, int], Any]) -> click.Command:
        def callback(*, batch: int, config: Config, as_json: bool) -> None:
            _tell(asyncio.run(_acted(config, batch, name, act)), config, as_json=as_json)

        argument = click.argument("batch", type=click.IntRange(min=1), metavar="BATCH")
        return command.command(name, help=text)(argument(database_options(json_option(callback))))

    return decorate


@_verb("pause", "Start nothing more of BATCH until it is resumed.")
async def _pause(engine: Engine, batch_id: int) -> None:
    await engine.pause(batch_id, by=whoever_types())


@_verb("resume", "Go on with a paused BATCH, also with a provider that had stopped it.")
async def _resume(engine: Engine, batch_id: int) -> None:
    await engine.resume(batch_id)


@_verb("cancel", "Cancel what is left of BATCH; answers on their way are kept.")
async def _cancel(engine: Engine, batch_id: int) -> None:
    await engine.cancel(batch_id)


@_verb("retry", "Queue the failed papers of BATCH anew.")
async def _retry(engine: Engine, batch_id: int) -> None:
    await engine.retry(batch_id)


@command.command("cap")
@click.argument("batch", type=click.IntRange(min=1), metavar="BATCH")
@click.argument("amount", metavar="AMOUNT")
@database_options
@json_option
def cap(*, batch: int, amount: str, config: Config, as_json: bool) -> None:
    """Let the calls of BATCH cost AMOUNT together, in the currency of the prices; none: no cap.

    What it has cost so far counts. A batch that its cap has paused goes on with 'gradeq batch
    resume BATCH'.
    """
    _tell(asyncio.run(_capped(config, batch, _amount(amount))), config, as_json=as_json)


def _amount(typed: str) -> float | None:
    if typed.lower() == "none":
        return None
    try:
        return checked_cap(float(typed))
    except ValueError:
        raise click.BadParameter(f"{typed!r} is neither a number nor 'none'") from None


async def _capped(config: Config, batch_id: int, amount: float | None) -> BatchRow:
    async def here(engine: Engine) -> None:
        await engine.set_cost_cap(batch_id, amount)

    def there(daemon: Daemon) -> None:
        daemon.cap_batch(batch_id, amount)

    await here_or_there(config, here, there)
    return await _now(config, batch_id)


async def _acted(
    config: Config, batch_id: int, verb: str, act: Callable[[Engine, int], Any]
) -> BatchRow:
    async def here(engine: Engine) -> None:
        await act(engine, batch_id)

    def there(daemon: Daemon) -> None:
        daemon.act_on_batch(batch_id, verb, whoever_types())

    await here_or_there(config, here, there)
    return await _now(config, batch_id)


async def _now(config: Config, batch_id: int) -> BatchRow:
    async with reading(config.store.path) as store:
        batch = await store.batch(batch_id)
    if batch is None:
        raise NotFoundError(f"there is no batch {batch_id}")
    return batch


def _tell(batch: BatchRow, config: Config, *, as_json: bool) -> None:
    currency = config.grading.currency
    if as_json:
        say.as_json({"currency": currency, "batch": asdict(batch)})
    else:
        left = batch.pending + batch.processing
        cost = f"; {spent}" if (spent := costs(batch, currency)) else ""
        say.fact(f"batch {batch.id}: {batch.status}, {left:,} of {batch.total:,} left{cost}")
