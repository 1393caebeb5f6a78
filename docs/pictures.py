"""Screenshots of every page, in one run: `python docs/pictures.py [FOLDER] [png|webp]`.

Needs the extra `test` and a Chromium. A sample class is graded by the simulated provider first.
The best of them stand in the README and in these documents, as WebP, which is smaller.
"""

from __future__ import annotations

import asyncio
import base64
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Page, ViewportSize, async_playwright

from gradeq import Engine, ProviderSettings
from gradeq.grading.documents import read_papers
from gradeq.web import serve

ROOT = Path(__file__).parents[1]
CLASS = ROOT / "examples" / "class"
COURSE, ASSIGNMENT = "English 9b", "School start"
PLACE = "/courses/English%209b/assignments/School%20start"
SIZE: ViewportSize = {"width": 1200, "height": 800}
NARROW: ViewportSize = {"width": 390, "height": 800}
_FORMATS: dict[str, dict[str, Any]] = {
    ".png": {"format": "png"},
    ".webp": {"format": "webp", "quality": 85},
}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: `name` is its file's, `language` and `scheme` are the reader's."""

    name: str
    path: str
    language: str = "en-GB"
    scheme: Literal["light", "dark"] = "light"
    size: ViewportSize | None = None


SHOTS = (
    Shot("courses", "/"),
    Shot("assignment", f"{PLACE}?tab=submitted"),
    Shot("assignment-graded", f"{PLACE}?tab=graded"),
    Shot("assignment-dark", f"{PLACE}?tab=graded", "de-DE", "dark"),
    Shot("assignment-narrow", f"{PLACE}?tab=graded", size=NARROW),
    Shot("confirm", f"{PLACE}/grade?tab=submitted&all=1"),
    Shot("review", "/submissions/{graded}"),
    Shot("review-edit", "/submissions/{graded}?edit=1"),
    Shot("review-dark", "/submissions/{graded}", "de-DE", "dark"),
    Shot("review-narrow", "/submissions/{graded}", size=NARROW),
    Shot("rubric", f"{PLACE}/rubric"),
    Shot("rubric-narrow", f"{PLACE}/rubric", size=NARROW),
    Shot("rubric-toml", f"{PLACE}/rubric/toml"),
    Shot("add", f"{PLACE}/add"),
    Shot("batches", "/batches"),
    Shot("batch", "/batches/1"),
    Shot("queue", "/queue"),
    Shot("people", "/people"),
    Shot("sign-in", "/sign-in"),
)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[Engine, str]]:
    """A service of its own, on a free port; it ends with the block."""
    model = ProviderSettings("sim", "simulated", "simulated-marker")
    engine = Engine(folder / "pictures.db", providers=[model])
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(engine, port=0, stop=stop, on_ready=ready.set_result))
    try:
        yield engine, (await ready).rstrip("/")
    finally:
        stop.set()
        await serving


async def graded_class(engine: Engine) -> int:
    """Thirty papers, two thirds of them graded; the id of a graded one with marked quotes."""
    source = (CLASS / "rubric.toml").read_text("utf-8")
    papers = read_papers(CLASS / "essays.csv", course=COURSE, assignment=ASSIGNMENT)
    added = await engine.add(papers.valid)
    await engine.rubrics.give(COURSE, ASSIGNMENT, source)
    batch = await engine.submit([one.id for one in added][:20], owner="Ms Lee")
    async for _ in engine.results(batch.id):
        pass
    return added[0].id


async def take(page: Page, url: str, shot: Shot, graded: int, file: Path) -> None:
    await page.goto(url + shot.path.format(graded=graded), wait_until="domcontentloaded")
    await page.wait_for_timeout(500)
    session = await page.context.new_cdp_session(page)
    # Playwright's own screenshots are never WebP.
    taken = await session.send("Page.captureScreenshot", _FORMATS[file.suffix])
    file.write_bytes(base64.b64decode(taken["data"]))
    print(file)


async def main(folder: Path, kind: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as place:
        async with served(Path(place)) as (engine, url), async_playwright() as driver:
            graded = await graded_class(engine)
            browser = await driver.chromium.launch(executable_path=chromium, args=FLAGS)
            for shot in SHOTS:
                context = await browser.new_context(
                    viewport=shot.size or SIZE, locale=shot.language, color_scheme=shot.scheme
                )
                await take(
                    await context.new_page(), url, shot, graded, folder / f"{shot.name}.{kind}"
                )
                await context.close()
            await browser.close()


if __name__ == "__main__":
    told = dict(enumerate(sys.argv))
    asyncio.run(main(Path(told.get(1, ROOT / "build" / "pictures")), told.get(2, "png")))
