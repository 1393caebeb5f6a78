"""Options that several commands share, each defined once."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import click

from gradeq.config import AUTO, Concurrency, Config, StoreSettings, load_config
from gradeq.model import BLEND_GRADER, DEFAULT_GRADER, LEXICAL_GRADER

Command = Callable[..., Any]
FILE = click.Path(path_type=Path)
CONFIG_FILE = Path("gradeq.toml")
_PRICE = click.FloatRange(min=0)
_RATE = click.FloatRange(min=0, min_open=True)


class RubricFile(click.Path):
    """A rubric's file; who names none may not know yet what one is."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def get_missing_message(self, *_where: object, **_named: object) -> str:
        return (
            "A rubric says, in a small TOML file, what was asked and what earns how many points. "
            "An example to begin with is in docs/tutorial/grade-a-folder.md"
        )


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print facts as JSON on stdout, for scripts."
)
max_cost_option = click.option(
    "--max-cost",
    type=click.FloatRange(min=0, min_open=True),
    metavar="X",
    help="Pause before the calls of a batch could cost more, in the currency of the prices.",
)
course_option = click.option("--course", default="default", show_default=True)
skip_invalid_option = click.option(
    "--skip-invalid", is_flag=True, help="Take the papers that can be read, leave out the others."
)
overnight_option = click.option(
    "--overnight",
    is_flag=True,
    help="Through the provider's batch API: half the price, done within a day.",
)
grader_option = click.option(
    "--grader",
    type=click.Choice([DEFAULT_GRADER, LEXICAL_GRADER, BLEND_GRADER]),
    default=DEFAULT_GRADER,
    show_default=True,
    help="A model; or, provisionally, for short answers: lexical, by their words without any "
    "model, or blend, by their words and a model's probabilities.",
)
grace_option = click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How long calls on their way may take after a stop.",
)


def database_options(command: Command, default: Path | None = None) -> Command:
    """--db and --config; the command gets `config`, with the database in it.

    A command with a `default` of its own takes that, whatever is configured.
    """

    @functools.wraps(command)
    def with_config(*, db: Path | None, config_file: Path | None, **values: Any) -> Any:
        return command(config=configuration(config_file, db or default), **values)

    for option in (
        click.option(
            "--config",
            "config_file",
            type=FILE,
            metavar="FILE",
            help="Configuration (default: gradeq.toml, if there is one here).",
        ),
        click.option(
            "--db",
            type=FILE,
            metavar="FILE",
            help=f"Database (default: {default or 'gradeq.db'}).",
        ),
    ):
        with_config = option(with_config)
    return with_config


def configuration(config_file: Path | None, db: Path | None) -> Config:
    """What the file and the environment say, with the database of --db. Raises ConfigError."""
    if config_file is None and CONFIG_FILE.is_file():
        config_file = CONFIG_FILE
    return with_database(load_config(config_file, os.environ), db)


def with_database(config: Config, db: Path | None) -> Config:
    """`config` with the database of --db, if one was named."""
    if db is None:
        return config
    return replace(config, store=StoreSettings(url=f"sqlite:///{db}"))


def _calls(_ctx: click.Context, _option: click.Parameter, typed: str | None) -> Concurrency | None:
    """How many calls at the same time: a whole number from 1 on, or `auto`."""
    if typed is None or typed == AUTO:
        return None if typed is None else AUTO
    if not typed.isdecimal() or int(typed) < 1:
        raise click.BadParameter(f"{typed!r} is neither a whole number from 1 on nor 'auto'.")
    return int(typed)


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """What was typed about the provider; None where nothing was."""

    provider: str | None = None
    model: str | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    concurrency: Concurrency | None = None
    rpm: float | None = None
    itpm: float | None = None
    otpm: float | None = None
    price_input: float | None = None
    price_output: float | None = None


_PROVIDER_OPTIONS = (
    click.option(
        "--provider",
        metavar="KIND",
        help="anthropic, openai (and compatible), gemini, local, simulated, or a name from the "
        "configuration.",
    ),
    click.option("--model", metavar="M", help="The model to ask; for local its .gguf file."),
    click.option("--base-url", metavar="URL", help="Where it listens, if not at its maker's."),
    click.option("--api-key-env", metavar="NAME", help="The variable that holds the key."),
    click.option(
        "--concurrency",
        callback=_calls,
        metavar="N|auto",
        help="Calls at the same time, or auto: found while it runs (default: 5).",
    ),
    click.option("--rpm", type=_RATE, metavar="N", help="Requests per minute."),
    click.option("--itpm", type=_RATE, metavar="N", help="Input tokens per minute."),
    click.option("--otpm", type=_RATE, metavar="N", help="Output tokens per minute."),
    click.option(
        "--price-input", type=_PRICE, metavar="P", help="Price of a million input tokens."
    ),
    click.option(
        "--price-output", type=_PRICE, metavar="P", help="Price of a million output tokens."
    ),
)


def provider_options(command: Command) -> Command:
    """--provider, --model and the limits; the command gets them as `provider`."""

    @functools.wraps(command)
    def with_provider(**values: Any) -> Any:
        told = {one.name: values.pop(one.name) for one in fields(ProviderOptions)}
        return command(provider=ProviderOptions(**told), **values)

    for option in reversed(_PROVIDER_OPTIONS):
        with_provider = option(with_provider)
    return with_provider
