"""What every page weighs, and what it asks of the database, in a school with many papers."""

from __future__ import annotations

import asyncio
import http.client
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from web_kit import Service, serving, simulated

from bench.pages.school import School, build
from bench.pages.visits import addresses
from bench.pages.weight import MOST_BYTES, Scales, fetch, files_of
from gradeq import Engine
from gradeq.grading.llm import MOST_CHARACTERS
from gradeq.store.sqlite import readers
from gradeq.store.sqlite.connect import Hopper, open_reader

# Even the small one fills a page of a list with graded papers.
SMALL, LARGE = School(200, 40, 6, 20), School(2_000, 40, 6, 20)
NO_PAGES = ("floor: /healthz", "badges, as JSON", "review, has it changed?")


@asynccontextmanager
async def serving_school(folder: Path, school: School) -> AsyncIterator[Service]:
    path = folder / f"{school.papers}.db"
    build(path, school)
    async with serving(Engine(path, providers=[simulated()], work=False)) as service:
        yield service


@pytest.fixture
async def large(tmp_path: Path) -> AsyncIterator[Service]:
    async with serving_school(tmp_path, LARGE) as service:
        yield service


def connection(service: Service) -> closing[http.client.HTTPConnection]:
    told = urlsplit(service.url)
    return closing(http.client.HTTPConnection(told.hostname or "", told.port, timeout=30))


def pages(school: School) -> dict[str, str]:
    found = {name: address(0) for name, address in addresses(school).items()}
    return {name: path for name, path in found.items() if name not in NO_PAGES}


def lengthen_a_paper(path: Path, submission_id: int) -> None:
    """As long as one may be that a model grades, of words that hardly repeat."""
    rng, words = random.Random(1), list[str]()
    while sum(map(len, words)) + len(words) < MOST_CHARACTERS - 10:
        words.append("".join(rng.choices("etaoinsrhldcumfpgwybvk", k=rng.randint(2, 9))))
    conn = sqlite3.connect(path)
    with conn:
        conn.execute(
            "UPDATE papers SET text = ? WHERE submission_id = ?", (" ".join(words), submission_id)
        )
    conn.close()


@pytest.mark.slow
async def test_the_first_visit_of_every_page_weighs_little(large: Service) -> None:
    found = pages(LARGE)
    assert len(found) > 30
    lengthen_a_paper(Path(large.engine.store.path), 8)
    found["a very long paper"] = "/submissions/8"
    with connection(large) as asking:
        scales = Scales(asking)
        weights = {
            name: await asyncio.to_thread(scales.weigh, path) for name, path in found.items()
        }
    assert min(one.files for one in weights.values()) > 10_000, "the files were not found"
    heavy = {name: one for name, one in weights.items() if one.first_visit > MOST_BYTES}
    assert heavy == {}


async def test_a_thousand_assignments_weigh_little(tmp_path: Path) -> None:
    async with serving_school(tmp_path, School(20, 20, 1_100, 1)) as service:
        with connection(service) as asking:
            weight = await asyncio.to_thread(Scales(asking).weigh, "/")
    assert weight.page > 10_000
    assert weight.first_visit <= MOST_BYTES


async def test_all_files_of_a_page_are_weighed(large: Service) -> None:
    """As a browser asks for them: see the test of the home page in a browser."""
    path = pages(LARGE)["30,000 papers: graded"]
    with connection(large) as asking:
        page = await asyncio.to_thread(fetch, asking, path)
    assert page.wire_bytes < len(page.body)
    names = {urlsplit(one).path.rpartition("/")[2] for one in files_of(page.body)}
    assert names >= {"gradeq.css", "assignment.css", "assignment.js", "htmx.min.js", "live.js"}
    assert "icon.svg" in names


async def statements_of(
    folder: Path, school: School, monkeypatch: pytest.MonkeyPatch
) -> dict[str, int]:
    """How many statements each page makes on a warm service."""
    made: list[str] = []

    async def traced(path: Path) -> Hopper:
        hopper = await open_reader(path)
        await hopper.hop(lambda conn: conn.set_trace_callback(made.append))
        return hopper

    monkeypatch.setattr(readers, "open_reader", traced)
    counts = {}
    async with serving_school(folder, school) as service:
        with connection(service) as asking:
            for name, path in pages(school).items():
                await asyncio.to_thread(fetch, asking, path)
                made.clear()
                answer = await asyncio.to_thread(fetch, asking, path)
                assert answer.status == 200, name
                counts[name] = len(made)
    return counts


@pytest.mark.slow
async def test_a_page_makes_as_many_statements_for_few_papers_as_for_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = await statements_of(tmp_path, SMALL, monkeypatch)
    many = await statements_of(tmp_path, LARGE, monkeypatch)
    assert many == few
    assert 0 < max(few.values()) < 60
