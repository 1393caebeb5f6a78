"""`gradeq serve`: the daemon."""

from __future__ import annotations

import asyncio
import logging
import os

import click

from gradeq.cli import say
from gradeq.cli.options import (
    ProviderOptions,
    database_options,
    grace_option,
    json_option,
    provider_options,
)
from gradeq.cli.providers import SIMULATED, default_provider, with_provider
from gradeq.cli.report import SIMULATED_NOTE
from gradeq.cli.tokens import token_of
from gradeq.config import Config
from gradeq.engine import Engine

_OPEN_TO_OTHERS = (
    "Until then whoever a proxy passes on may do everything. Sign in, or make an administrator "
    "with gradeq token create, before others can reach this service."
)


@click.command("serve")
@database_options
@click.option("--host", metavar="H", help="Address to listen at (default: 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), metavar="P", help="Default: 8000; 0: any.")
@provider_options
@grace_option
@json_option
def command(
    *,
    config: Config,
    host: str | None,
    port: int | None,
    provider: ProviderOptions,
    grace: float,
    as_json: bool,
) -> None:
    """Run the daemon until Ctrl-C: it grades what is queued, and shows it on a page.

    It listens on this machine alone, unless --host says otherwise; then it needs a token, in the
    variable GRADEQ_TOKEN (or [server] token_file). Other gradeq commands on the same database talk
    to it. At Ctrl-C calls on their way may finish; what they leave goes on at the next start.
    """
    config = with_provider(config, provider)
    token = token_of(config.server)
    _say_what_grades(config)
    asyncio.run(
        _serve(
            config,
            host or config.server.host,
            config.server.port if port is None else port,
            token,
            grace=grace,
            as_json=as_json,
        )
    )


def _say_what_grades(config: Config) -> None:
    if not config.providers:
        say.warn(
            [
                "No provider is configured: no model grades here, only --grader lexical, by words "
                "and provisionally."
            ]
        )
        return
    provider = default_provider(config)
    if provider.kind == SIMULATED:
        say.note(SIMULATED_NOTE)
    say.note(f"Grading with {provider.model} ({provider.kind})")


async def _serve(
    config: Config, host: str, port: int, token: str | None, *, grace: float, as_json: bool
) -> None:
    from gradeq.web import serve  # noqa: PLC0415 - a wrong option is told before it is loaded

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)

    def ready(url: str) -> None:
        if as_json:
            say.as_json({"url": url, "db": str(config.store.path), "pid": os.getpid()})
        else:
            say.fact(f"gradeq listens at {url} for {config.store.path} (Ctrl-C stops it)")
            if config.server.public_url:
                say.fact(f"Others reach it at {config.server.public_url}")

    def tell_first_link(link: str) -> None:
        say.note(f"To sign in as the first administrator: {link}")
        say.note("It works once. From then on everybody signs in, programs by tokens.")
        if config.server.public_url and token is None:
            say.warn([_OPEN_TO_OTHERS])

    stop = asyncio.Event()
    telling = asyncio.create_task(_tell_that_it_stops(stop, grace))
    engine = Engine.from_config(config, grace_seconds=grace)
    left = await serve(
        engine, host, port, token, stop=stop, on_ready=ready, on_first_link=tell_first_link
    )
    telling.cancel()
    if left:
        say.note(f"Stopped; {say.counted(left, 'paper')} on the way will be graded after a start.")


async def _tell_that_it_stops(stop: asyncio.Event, grace: float) -> None:
    await stop.wait()
    say.note(f"Stopping: calls on their way get up to {grace:g} s. Ctrl-C again stops at once.")
