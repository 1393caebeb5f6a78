"""The report of `gradeq evaluate` in a browser: readable by everybody, and it loads nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from browsing import PAGE_IN_BROWSER, Browsed, browsing

from gradeq.cli.evaluation.grading import Graded
from gradeq.cli.evaluation.page import write_page
from gradeq.evaluation.compare import compared
from gradeq.evaluation.people import Measure
from gradeq.evaluation.runs import FORM, Header, Outcome, Run
from gradeq.evaluation.scale import Scale
from gradeq.evaluation.summary import summarised

pytestmark = PAGE_IN_BROWSER

HOSTILE = '<script>document.title = "x"</script><img src="https://school.example/x.png"> </style>'
CLAIM = Measure("claim", Scale((0.0, 1.0, 2.0), ("none", "some", "clear")), ("claim",))
HEADER = Header(FORM, "<b>labelled.csv", "f", "llm", "<i>model", False, "r", (CLAIM,))


def outcome(number: int, rng: Random) -> Outcome:
    people = {person: {"claim": float(rng.randrange(3))} for person in (1, 2)}
    return Outcome(
        id=f"<p{number}>",
        question=f"<q{number % 4}>",
        people=people,
        grader={"claim": float(rng.randrange(3))} if number else {},
        reason=None if number else "the model refused <this> paper",
        flags=("hostile_text",) if number % 3 else (),
        confidence=rng.random(),
        words=rng.randrange(5, 90),
        overlap=rng.random(),
        seconds=1.5,
    )


def report(path: Path) -> None:
    rng = Random(5)
    run = Run(HEADER, tuple(outcome(number, rng) for number in range(40)))
    other = Run(HEADER, tuple(replace(one, grader={"claim": 1.0}) for one in run.outcomes))
    papers = [Graded(one, f"{HOSTILE} {one.id}", f"Because {HOSTILE}") for one in run.outcomes]
    write_page(path, summarised(run), compared(other, run), papers)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
async def test_everybody_can_read_it(tmp_path: Path, scheme: str, width: int) -> None:
    report(tmp_path / "report.html")
    async with browsing() as browser:
        size = {"width": width, "height": 900}
        page = await browser.new_page(color_scheme=scheme, viewport=size)  # type: ignore[arg-type]
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        browsed = Browsed(page)
        await page.goto((tmp_path / "report.html").as_uri())
        await browsed.is_accessible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        assert await page.title() == "<b>labelled.csv: llm (<i>model) and people"
        assert await page.locator("script, img, b, i").count() == 0
        papers = await page.locator("article").count()
        assert 20 <= papers <= 25
        assert await page.locator("blockquote", has_text="<script>").count() == papers
        assert (asked, browsed.complaints) == ([(tmp_path / "report.html").as_uri()], [])
