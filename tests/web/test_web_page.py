"""The page as it comes from the server, before any script runs."""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser

from web_kit import ESSAY, HOSTILE, Service


class Outline(HTMLParser):
    """What the tests ask of a page: its elements with attributes, and its texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


async def page(service: Service) -> str:
    answer = await service.client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


async def test_counts_are_there_without_a_script(resting: Service) -> None:
    ids = await resting.add(ESSAY, ESSAY)
    await resting.add("x", first=3, status="in_progress")
    await resting.grade(submission_ids=ids, grader="desk")
    outline = Outline(await page(resting))
    badges = [one for one in outline.all("span") if "data-count" in one]
    counts = {one["data-count"]: one["data-value"] for one in badges[:5]}
    assert counts == {
        "in_progress": "1",
        "submitted": "2",
        "grading": "2",
        "graded": "0",
        "released": "0",
    }
    for text in ("sleep", "biology", "Submitted", "Released"):
        assert text in outline.texts
    assert "http-equiv" in str(outline.all("meta"))


async def test_hostile_names_are_text_and_nothing_else(resting: Service) -> None:
    paper = {"id": HOSTILE, "text": HOSTILE, "course": HOSTILE, "assignment": "</table>" + HOSTILE}
    await resting.client.post("/api/submissions", json=paper)
    text = await page(resting)
    assert HOSTILE not in text
    assert escape(HOSTILE) in text
    outline = Outline(text)
    assert [one["src"] for one in outline.all("script")] == ["static/badges.js"]
    row = next(one for one in outline.all("tr") if "data-course" in one)
    assert (row["data-course"], row["data-assignment"]) == (HOSTILE, "</table>" + HOSTILE)


async def test_nothing_on_the_page_comes_from_elsewhere_or_inline(resting: Service) -> None:
    text = await page(resting)
    outline = Outline(text)
    for tag, attributes in outline.elements:
        assert tag != "style"
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name != "style"
            if name in ("src", "href"):
                assert re.fullmatch(r"static/[a-z.]+", value or "")
    assert not re.search(r"<script[^>]*>[^<]", text)


async def test_what_the_page_asks_for_is_served(resting: Service) -> None:
    outline = Outline(await page(resting))
    wanted = [one["src"] for one in outline.all("script")]
    wanted += [one["href"] for one in outline.all("link")]
    kinds = {"js": "javascript", "css": "text/css", "svg": "image/svg+xml"}
    for path in wanted:
        assert path is not None
        answer = await resting.client.get(f"/{path}")
        assert answer.status_code == 200
        assert kinds[path.rpartition(".")[2]] in answer.headers["content-type"]
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", answer.text)


async def test_an_empty_service_says_what_to_do(resting: Service) -> None:
    outline = Outline(await page(resting))
    assert "gradeq import" in outline.texts
    assert "hidden" in outline.all("table")[0]


async def test_a_page_of_a_stopped_engine_is_a_problem(resting: Service) -> None:
    await resting.engine.stop()
    answer = await resting.client.get("/")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_error")


async def test_very_many_assignments_are_cut_and_it_is_said(resting: Service) -> None:
    rows = [{"id": "p", "text": "x", "assignment": f"a{n:04}"} for n in range(1001)]
    await resting.client.post("/api/submissions", json=rows)
    text = await page(resting)
    table = text[text.index("<tbody>") : text.index("</tbody>")]
    assert table.count("<tr data-course") == 1000
    assert "The first 1,000 of 1,001" in text
