"""`gradeq simulate`: a model provider that has no model."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from gradeq.cli import say
from gradeq.cli.options import json_option
from gradeq.cli.signals import stopping
from gradeq.errors import ConfigError
from gradeq.providers.simulated import Simulator, SimulatorSettings

_AMOUNT = click.FloatRange(min=0)


@click.command("simulate")
@click.option("--port", type=click.IntRange(0, 65535), default=8787, show_default=True)
@click.option("--rpm", type=_AMOUNT, metavar="N", help="Requests per minute.")
@click.option("--itpm", type=_AMOUNT, metavar="N", help="Input tokens per minute.")
@click.option("--otpm", type=_AMOUNT, metavar="N", help="Output tokens per minute.")
@click.option("--rpd", type=_AMOUNT, metavar="N", help="Requests per day (Gemini's way only).")
@click.option("--concurrency", type=click.IntRange(min=0), metavar="N", help="Calls in flight.")
@click.option(
    "--latency",
    default="0",
    metavar="SECONDS",
    help="0.2, a range 0.5-2, or a long tail 1.2~0.4 (median~sigma).",
)
@click.option(
    "--fail",
    multiple=True,
    metavar="KIND[:RATE][@FROM-TO]",
    help="What goes wrong: 429:0.05, 529@10-40, 401, hang:0.01, …; may be repeated.",
)
@click.option(
    "--batch-seconds",
    type=_AMOUNT,
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="In which a batch is worked off.",
)
@click.option(
    "--batch-fail",
    multiple=True,
    metavar="KIND[:RATE][@FROM-TO]",
    help="What goes wrong with entries of batches; hang lets them expire.",
)
@click.option("--no-headers", is_flag=True, help="Send no rate-limit headers.")
@click.option("--seed", type=int, default=0, show_default=True)
@json_option
def command(*, port: int, as_json: bool, **told: Any) -> None:
    """Serve a simulated provider on this machine until Ctrl-C.

    It speaks Anthropic's Messages, OpenAI's chat completions, the batch APIs of both, and Gemini's
    generateContent, keeps limits and tells them as the real ones do, and makes grades up.
    GET /simulated/stats tells what it has seen, POST /simulated/settings changes it while it runs.
    """
    asyncio.run(_serve(_settings(**told), port, as_json=as_json))


def _settings(
    *,
    rpm: float | None,
    itpm: float | None,
    otpm: float | None,
    rpd: float | None,
    no_headers: bool,
    **others: Any,
) -> SimulatorSettings:
    try:
        return SimulatorSettings(
            requests_per_minute=rpm,
            input_tokens_per_minute=itpm,
            output_tokens_per_minute=otpm,
            requests_per_day=rpd,
            headers=not no_headers,
            **others,
        )
    except ValueError as error:
        raise ConfigError(f"{error}; nothing was started") from error


async def _serve(settings: SimulatorSettings, port: int, *, as_json: bool) -> None:
    simulator = Simulator(settings, port=port)
    with stopping() as stop:
        try:
            await simulator.start()
        except OSError as error:
            raise ConfigError(
                f"port {port} cannot be used ({error.strerror}); nothing was started. "
                "Choose another with --port, or 0 for any free one"
            ) from error
        try:
            _tell(simulator.url, as_json=as_json)
            await stop.asked.wait()
        finally:
            await simulator.close()


def _tell(url: str, *, as_json: bool) -> None:
    if as_json:
        say.as_json({"url": url})
        return
    say.fact(f"Simulated provider at {url} (Ctrl-C stops it)")
    say.fact(f"  gradeq run INPUT --rubric FILE --provider simulated --base-url {url}")
