"""`gradeq demo`: a class of 30, and a provider that has no model."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from gradeq.cli import say
from gradeq.cli.demo_page import DemoPage
from gradeq.cli.demo_results import badges_line, interesting, what_next
from gradeq.cli.foreground import Done, Foreground
from gradeq.cli.intake import Intake
from gradeq.cli.options import FILE, json_option, with_database
from gradeq.cli.papers import read_input
from gradeq.cli.providers import SIMULATED
from gradeq.cli.stores import reading, result_pages
from gradeq.config import Config, ProviderSettings
from gradeq.errors import ConfigError
from gradeq.providers.simulated import Simulator, SimulatorSettings
from gradeq.providers.simulated.settings import DEFAULT_MODEL
from gradeq.results import of_submission

_COURSE, _ASSIGNMENT = "demo", "school-start"
_REQUESTS_PER_MINUTE = 90.0
_MEDIAN_SECONDS = 1.4
_BURST_SECONDS = 4.0
_GRACE_SECONDS = 3.0


@click.command("demo")
@click.option("--headless", is_flag=True, help="In this terminal, without a page.")
@click.option("--db", type=FILE, metavar="FILE", help="A new database (default: a temporary one).")
@click.option(
    "--rpm",
    type=click.FloatRange(min=1),
    default=_REQUESTS_PER_MINUTE,
    show_default=True,
    metavar="N",
    help="The simulated provider's limit: requests per minute.",
)
@json_option
def command(*, headless: bool, db: Path | None, rpm: float, as_json: bool) -> None:
    """Grade 30 sample essays, to see what gradeq does.

    Needs no key and no network: a simulated provider on this machine makes the grades up, with
    real latency and a real rate limit. Takes about 20 seconds. Opens a page in the browser where
    the badges move; with --headless a progress bar does.
    """
    config = with_database(Config(), _new_database(db))
    sys.exit(asyncio.run(_demo(config, rpm, headless=headless, as_json=as_json)))


def _new_database(db: Path | None) -> Path:
    if db is None:
        return Path(tempfile.mkdtemp(prefix="gradeq-demo-")) / "gradeq.db"
    if db.exists():
        raise ConfigError(f"{db}: exists already; the demo wants a new file. Nothing was started")
    return db


def sample_class() -> Path:
    """The folder with the demo's essays and rubric: in the package, or in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "demo_class", package.parent / "examples" / "class"):
        if folder.is_dir():
            return folder
    raise ConfigError("the demo's sample class was not installed; install gradeq again")


async def _demo(config: Config, rpm: float, *, headless: bool, as_json: bool) -> int:
    settings = SimulatorSettings(
        requests_per_minute=rpm, burst_seconds=_BURST_SECONDS, latency=_latency(rpm)
    )
    async with Simulator(settings) as simulator:
        config = replace(config, providers=(_provider(simulator.url, rpm),))
        if headless:
            return await _headless(config, as_json=as_json)
        return await DemoPage(config, _intake(config), _GRACE_SECONDS).show()


def _latency(rpm: float) -> str:
    """A faster provider answers faster too, so that its limit is always what holds calls back."""
    return f"{_MEDIAN_SECONDS * min(1.0, _REQUESTS_PER_MINUTE / rpm):.4f}~0.35"


def _provider(url: str, rpm: float) -> ProviderSettings:
    return ProviderSettings(
        name=SIMULATED, kind=SIMULATED, model=DEFAULT_MODEL, base_url=url, requests_per_minute=rpm
    )


def _intake(config: Config) -> Intake:
    folder = sample_class()
    papers = read_input(
        folder / "essays.csv",
        course=_COURSE,
        assignment=_ASSIGNMENT,
        skip_invalid=False,
        config=config,
    )
    return Intake(config, papers, folder / "rubric.toml", _COURSE, _ASSIGNMENT)


async def _headless(config: Config, *, as_json: bool) -> int:
    foreground = Foreground(config, _GRACE_SECONDS, as_json)
    done = await foreground.run(_intake(config).plan)
    await _show(config, done, as_json=as_json)
    if as_json:
        say.as_json(done.told)
    # The blank essay has no grade, and that is how it should be.
    return done.code if done.told["interrupted"] or not done.tally.graded else 0


async def _show(config: Config, done: Done, *, as_json: bool) -> None:
    async with reading(config.store.path) as store:
        badges = await store.badges(_COURSE, _ASSIGNMENT)
        pages = result_pages(store, done.plan.ids)
        results = [of_submission(row) async for page in pages for row in page]
    assert badges is not None
    say.fact(f"\n{badges_line(badges)}\n", as_json=as_json)
    say.fact(say.table(interesting(results)), as_json=as_json)
    say.fact(what_next(config.store.path), as_json=as_json)
