"""`gradeq demo`: a class of 30 and a provider that has no model."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from gradeq.cli import say
from gradeq.cli.foreground import Done, Foreground
from gradeq.cli.intake import Intake
from gradeq.cli.options import FILE, json_option, with_database
from gradeq.cli.papers import read_input
from gradeq.cli.providers import SIMULATED
from gradeq.cli.stores import reading, result_pages
from gradeq.config import Config, ProviderSettings
from gradeq.errors import ConfigError
from gradeq.model import Flag
from gradeq.providers.simulated import Simulator, SimulatorSettings
from gradeq.providers.simulated.settings import DEFAULT_MODEL
from gradeq.results import Result, of_submission

_COURSE, _ASSIGNMENT = "demo", "school-start"
_LATENCY = "1.4~0.35"
_BURST_SECONDS = 4.0
_GRACE_SECONDS = 3.0
_SHOWN = 3
_WORTH_A_LOOK = frozenset(Flag) - {Flag.SIMULATED}


@click.command("demo")
@click.option("--headless", is_flag=True, help="In this terminal, without a page.")
@click.option("--db", type=FILE, metavar="FILE", help="A new database (default: a temporary one).")
@click.option(
    "--rpm",
    type=click.FloatRange(min=1),
    default=90.0,
    show_default=True,
    help="The simulated provider's limit: requests per minute.",
)
@json_option
def command(*, headless: bool, db: Path | None, rpm: float, as_json: bool) -> None:
    """Grade 30 sample essays, to see what gradeq does.

    Needs no key and no network: a simulated provider on this machine makes the grades up, with
    real latency and a real rate limit. Takes about 20 seconds. Opens a page in the browser where
    the badges move; with --headless a progress bar does.
    """
    database = _new_database(db)
    config = with_database(Config(), database)
    code = asyncio.run(_demo(config, rpm, headless=headless, as_json=as_json))
    sys.exit(code)


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
        requests_per_minute=rpm, burst_seconds=_BURST_SECONDS, latency=_LATENCY
    )
    async with Simulator(settings) as simulator:
        provider = ProviderSettings(
            name=SIMULATED,
            kind=SIMULATED,
            model=DEFAULT_MODEL,
            base_url=simulator.url,
            requests_per_minute=rpm,
        )
        config = replace(config, providers=(provider,))
        return await _headless(config, as_json=as_json)


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
    done = await Foreground(config, _GRACE_SECONDS, as_json).run(_intake(config).plan)
    await _show(config, done, as_json=as_json)
    if as_json:
        say.as_json(done.told)
    # The blank essay cannot be graded, and that is how it should be.
    return done.code if done.told["interrupted"] or not done.tally.graded else 0


async def _show(config: Config, done: Done, *, as_json: bool) -> None:
    path = config.store.path
    async with reading(path) as store:
        badges = await store.badges(_COURSE, _ASSIGNMENT)
        results = [
            of_submission(row) async for page in result_pages(store, done.plan.ids) for row in page
        ]
    if badges is not None:
        say.fact(
            f"\nBadges: In progress {badges.in_progress}   Submitted {badges.submitted}   "
            f"Graded {badges.graded}   Released {badges.released}\n",
            as_json=as_json,
        )
    say.fact(say.table(_interesting(results)), as_json=as_json)
    say.fact(_what_next(path), as_json=as_json)


def _interesting(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """The best, the weakest, those to look at first, and those without a grade: with why."""
    graded = sorted((one for one in results if one.grade), key=_score, reverse=True)
    flagged = [one for one in graded if one.grade and _WORTH_A_LOOK & set(one.grade.flags)]
    rows = [
        *(("best", *_told(one)) for one in graded[:2]),
        *(("weakest", *_told(one)) for one in graded[-2:]),
        *(("look at", *_told(one, flags=True)) for one in flagged[:_SHOWN]),
        *(("ungraded", one.id, "-", one.reason or "") for one in results if not one.grade),
    ]
    return [(*row[:-1], _short(row[-1])) for row in rows]


def _score(result: Result) -> float:
    return result.grade.score if result.grade else 0.0


def _told(result: Result, *, flags: bool = False) -> tuple[str, str, str]:
    grade = result.grade
    assert grade is not None
    why = next((one.reason for one in grade.criteria if one.reason), grade.feedback)
    if flags:
        why = ", ".join(flag.replace("_", " ") for flag in grade.flags if flag in _WORTH_A_LOOK)
    return result.id, f"{grade.score:g} of {grade.max_score:g}", why


def _short(text: str) -> str:
    return text if len(text) <= 48 else f"{text[:47].rstrip()}…"


def _what_next(path: Path) -> str:
    return f"""
These grades are simulated. Database: {path}
  gradeq export --db {path} --out demo.csv     all of it, for a spreadsheet
  gradeq serve --db {path} --provider simulated   the page with the badges
  gradeq run INPUT --rubric FILE               your own papers"""
