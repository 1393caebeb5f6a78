"""The home page as it comes from the server, before any script runs."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from web_kit import ESSAY, HOSTILE, Service

# An address here: below this host, and not the beginning of another ("//evil.example").
_OURS = re.compile(r"(/(?!/)|[?#])[^:]*")
_ADDRESSES = ("src", "href", "action", "formaction", "hx-get", "hx-post", "data-events")
_A_YEAR = "public, max-age=31536000, immutable"


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

    @property
    def files(self) -> list[str]:
        """The addresses that a browser asks for by itself."""
        found = [one["src"] for one in self.all("script")]
        return [str(one) for one in found + [one["href"] for one in self.all("link")]]


async def page(service: Service) -> str:
    answer = await service.client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
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


async def test_hostile_names_are_text_and_nothing_else(resting: Service) -> None:
    paper = {"id": HOSTILE, "text": HOSTILE, "course": HOSTILE, "assignment": "</table>" + HOSTILE}
    await resting.client.post("/api/submissions", json=paper)
    text = await page(resting)
    assert HOSTILE not in text
    outline = Outline(text)
    assert HOSTILE in outline.texts
    assert "</table>" + HOSTILE in outline.texts
    assert all(one.startswith("/static/") for one in outline.files)
    row = next(one for one in outline.all("tr") if "data-course" in one)
    assert (row["data-course"], row["data-assignment"]) == (HOSTILE, "</table>" + HOSTILE)


async def test_nothing_on_the_page_comes_from_elsewhere_or_inline(resting: Service) -> None:
    await resting.add(ESSAY)
    answer = await resting.client.get("/")
    outline = Outline(answer.text)
    for tag, attributes in outline.elements:
        assert tag != "style"
        for name, value in attributes.items():
            assert not name.startswith(("on", "hx-on"))
            assert name != "style"
            if name in _ADDRESSES:
                assert _OURS.fullmatch(value or ""), value
    assert not re.search(r"<script[^>]*>[^<]", answer.text)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


async def test_what_the_page_asks_for_is_served_and_kept(resting: Service) -> None:
    kinds = {"js": "javascript", "css": "text/css", "svg": "image/svg+xml"}
    files = Outline(await page(resting)).files
    assert len(files) >= 4
    for address in files:
        answer = await resting.client.get(address)
        assert answer.status_code == 200
        assert kinds[address.partition("?")[0].rpartition(".")[2]] in answer.headers["content-type"]
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", answer.text)
        assert answer.headers["cache-control"] == _A_YEAR
        # By another address the file may be another one tomorrow.
        for query in ("", "?v=older"):
            plain = await resting.client.get(address.partition("?")[0] + query)
            assert plain.headers["cache-control"] == "no-cache"
            same = {"If-None-Match": plain.headers["etag"]}
            again = await resting.client.get(address.partition("?")[0], headers=same)
            assert again.status_code == 304


async def test_pages_and_files_are_sent_compressed_and_the_rest_is_not(resting: Service) -> None:
    await resting.add(*["x" * 2000] * 3)
    for address in ("/", *Outline(await page(resting)).files):
        answer = await resting.client.get(address)
        if len(answer.content) > 500:
            assert answer.headers["content-encoding"] == "gzip"
            assert "Accept-Encoding" in answer.headers["vary"]
        plain = await resting.client.get(address, headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == answer.content
    listed = await resting.client.get("/api/submissions?text=1")
    assert "content-encoding" not in listed.headers
    # Compression would gather the events of a stream until a block is full.
    async with resting.client.stream("GET", "/api/events") as stream:
        assert "content-encoding" not in stream.headers


async def test_an_empty_service_says_what_to_do(resting: Service) -> None:
    outline = Outline(await page(resting))
    assert any("gradeq import" in text for text in outline.texts)
    assert outline.all("table") == []


async def test_a_page_of_a_stopped_engine_is_a_problem_that_people_can_read(
    resting: Service,
) -> None:
    await resting.engine.stop()
    answer = await resting.client.get("/")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    outline = Outline(answer.text)
    assert "That did not work" in outline.texts
    assert [one["data-code"] for one in outline.all("p") if "data-code" in one] == ["store_error"]
    assert "Traceback" not in answer.text


async def test_the_language_is_what_was_chosen_and_else_what_the_browser_wants(
    resting: Service,
) -> None:
    async def language(path: str = "/", wanted: str = "") -> str | None:
        answer = await resting.client.get(path, headers={"Accept-Language": wanted})
        return Outline(answer.text).all("html")[0]["lang"]

    assert await language() == "en"
    assert await language(wanted="fr, tlh;q=0.9") == "en"
    assert await language(wanted="fr, de-AT;q=0.9, en;q=0.8") == "de"
    assert await language("/?language=xx", "de") == "de"
    assert not resting.client.cookies
    assert await language("/?language=de") == "de"
    assert await language(wanted="en") == "de"
    assert await language("/?language=en", "de") == "en"
    assert await language(wanted="de") == "en"


@pytest.mark.slow
async def test_very_many_assignments_are_cut_and_it_is_said(resting: Service) -> None:
    rows = [{"id": "p", "text": "x", "assignment": f"a{n:04}"} for n in range(1001)]
    await resting.client.post("/api/submissions", json=rows)
    text = await page(resting)
    assert text.count("<tr data-course") == 1000
    assert "The first 1,000 of 1,001 assignments are shown." in text
