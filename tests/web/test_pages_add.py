"""Adding work: files onto an assignment, with a script and without."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from browsing import MS, NEEDS_BROWSER, Browsed, browsing, playwright
from test_web_page import Outline
from web_kit import ESSAY, HOSTILE, Service, make_engine, serving

from gradeq.errors import StoreError
from gradeq.web.api_papers import IMPORT_LIMIT, MOST_PAPERS

PAGE = "/courses/biology/assignments/sleep/add"


@pytest.fixture
async def browser() -> AsyncIterator[playwright.Browser]:
    async with browsing() as opened:
        yield opened


async def sent(service: Service, *files: tuple[str, bytes], **fields: str) -> httpx.Response:
    parts = [("files", file) for file in files]
    return await service.client.post(PAGE, files=parts, data=fields)


async def papers(service: Service, **query: Any) -> dict[str, str]:
    told = await service.get(
        "/api/submissions", course="biology", assignment="sleep", text=1, **query
    )
    return {one["external_id"]: one["text"] for one in told["submissions"]}


def changes(page: str) -> list[str | None]:
    return [one["data-change"] for one in Outline(page).all("tr") if "data-change" in one]


def csv(*rows: str) -> tuple[str, bytes]:
    return "class.csv", "\n".join(("id,student,text", *rows)).encode()


async def test_files_become_papers_of_the_assignment(resting: Service) -> None:
    answer = await sent(
        resting,
        ("Ada.txt", ESSAY.encode()),
        ("Grace.MD", "\ufeffMit BOM: größer".encode("utf-8")),
        csv("7,Alan,Seven", '8,Kurt,"Eight, with a comma"'),
        ("more.jsonl", json.dumps({"id": 9, "text": "Nine"}).encode()),
    )
    assert answer.status_code == 200
    assert await papers(resting) == {
        "Ada": ESSAY,
        "Grace": "Mit BOM: größer",
        "7": "Seven",
        "8": "Eight, with a comma",
        "9": "Nine",
    }
    outline = Outline(answer.text)
    for text in ("Ada.txt", "1 new paper", "class.csv", "2 new papers", "more.jsonl"):
        assert text in outline.texts
    assert changes(answer.text) == ["created"] * 5


async def test_what_happened_is_told_for_each_paper(resting: Service) -> None:
    """Created, unchanged, replaced; refused where a person's decision stands on the old text."""
    first = csv("a,,One", "b,,Two", "c,,Three")
    await sent(resting, first)
    [released] = [
        one["id"]
        for one in (await resting.get("/api/submissions", course="biology", assignment="sleep"))[
            "submissions"
        ]
        if one["external_id"] == "c"
    ]
    edit = {"score": 1, "max_score": 2, "by": "Ms Lee"}
    answer = await resting.client.put(f"/api/submissions/{released}/grade", json=edit)
    assert answer.status_code == 200
    second = await sent(resting, csv("a,,One", "b,,Two and more", "c,,Other", "d,,Four"))
    # What needs a look comes first.
    assert changes(second.text) == ["refused", "replaced", "created", "unchanged"]
    for text in ("1 refused", "1 with a new text", "1 new paper", "1 unchanged"):
        assert text in " ".join(Outline(second.text).texts)
    rows = [{"id": "c", "text": "Other", "course": "biology", "assignment": "sleep"}]
    api = await resting.client.post("/api/submissions", json=rows)
    reason = api.json()["submissions"][0]["reason"]
    assert reason
    assert reason in second.text
    assert (await papers(resting, status="submitted")) == {
        "a": "One",
        "b": "Two and more",
        "d": "Four",
    }
    assert (await papers(resting, status="graded")) == {"c": "Three"}


async def test_a_file_with_mistakes_is_told_of_and_the_others_are_taken(resting: Service) -> None:
    bad = csv("1,,One", "2,,Two,too,many", "1,,One again", ",,No id")
    answer = await sent(
        resting, ("good.txt", b"Good."), bad, ("x.pdf", b"%PDF"), ("old.txt", b"gr\xfcn")
    )
    assert answer.status_code == 200
    texts = " ".join(Outline(answer.text).texts)
    assert "class.csv, row 3: has 5 cells where the header has 3" in texts
    assert "class.csv, row 4, id: '1' is the id of an earlier paper" in texts
    assert "class.csv, row 5, id: must be text" in texts
    assert "x.pdf: .pdf files cannot be read: save it as text" in texts
    assert "old.txt: is not UTF-8 text" in texts
    assert texts.count("Nothing of this file was stored:") == 3
    assert await papers(resting) == {"good": "Good."}
    lenient = await sent(resting, bad, lenient="1")
    assert "These papers were left out:" in Outline(lenient.text).texts
    assert await papers(resting) == {"good": "Good.", "1": "One"}


async def test_two_files_of_one_form_cannot_hold_the_same_paper(resting: Service) -> None:
    answer = await sent(resting, ("Ada.txt", b"One"), ("Ada.md", b"Two"), csv("Ada,,Three"))
    assert answer.text.count("Ada: Ada.txt has a paper of this id already") == 2
    assert await papers(resting) == {"Ada": "One"}


HOSTILE_FILES = [
    f"{HOSTILE}.txt",
    "../../etc/passwd.txt",
    "..\\..\\boot.md",
    "x" * 250 + ".txt",
    "a\x07b.txt",
    ".txt",
    "no suffix",
    "{{ 7 * 7 }}.txt",
]


async def test_names_and_texts_are_only_text(resting: Service) -> None:
    for name in HOSTILE_FILES:
        answer = await sent(resting, (name, HOSTILE.encode()))
        assert answer.status_code == 200, name
        assert HOSTILE not in answer.text
        assert "<li class=" in answer.text
    # A name is no path, and a quotation mark is sent by browsers as %22.
    assert set(await papers(resting)) == {
        "script>%22&'",
        "passwd",
        "boot",
        "a%07b",
        "{{ 7 * 7 }}",
    }


async def test_limits_are_those_of_the_service(resting: Service) -> None:
    many = csv(*[f"{n},,x" for n in range(MOST_PAPERS + 1)])
    answer = await sent(resting, many)
    assert "10001 papers are more than 10000 in one file; none of them was stored" in answer.text
    large = await sent(resting, ("big.txt", b"x" * IMPORT_LIMIT))
    assert large.status_code == 413
    assert "larger than 32 MiB" in large.text
    long = await sent(resting, ("long.txt", b"x" * 20_000_001))
    assert "too large for a paper" in long.text
    assert (await resting.get("/api/courses"))["courses"] == []


async def test_what_is_no_form_is_refused(resting: Service) -> None:
    empty = await resting.client.post(PAGE, data={})
    assert empty.status_code == 422
    assert "No file was chosen" in empty.text
    nothing = await sent(resting, ("", b""))
    assert nothing.status_code == 422
    headers = {"Content-Type": "multipart/form-data"}
    broken = await resting.client.post(PAGE, content=b"x", headers=headers)
    assert broken.status_code == 400

    async def endless() -> AsyncIterator[bytes]:
        yield b"x"

    unknown = await resting.client.post(PAGE, content=endless(), headers=headers)
    assert unknown.status_code == 411


async def test_a_store_that_fails_in_between_loses_nothing_and_says_so(
    resting: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(resting.engine, "add", fail)
    answer = await sent(resting, ("Ada.txt", b"One"))
    assert "Nothing of this file was stored:" in answer.text
    assert "the disk is full" in answer.text


async def test_where_the_store_is_stopped_a_page_says_so(resting: Service) -> None:
    await resting.engine.stop()
    answer = await sent(resting, ("Ada.txt", b"One"))
    assert answer.status_code == 503
    assert "the store is not open" in answer.text


async def test_another_site_cannot_add(resting: Service) -> None:
    told = {"Origin": "http://evil.example"}
    part = {"files": ("a.txt", b"x")}
    answer = await resting.client.post(PAGE, files=part, headers=told)
    assert answer.status_code == 403


PLACES = [
    ("Maths/Physics", "100 %", "/courses/Maths%2FPhysics/assignments/100%20%25/add"),
    (" Biology ", HOSTILE, None),
    ("a?b#c", "ä", "/courses/a%3Fb%23c/assignments/%C3%A4/add"),
]


@pytest.mark.parametrize(("course", "assignment", "address"), PLACES)
async def test_a_new_assignment_begins_with_its_names(
    resting: Service, course: str, assignment: str, address: str | None
) -> None:
    told = {"course": course, "assignment": assignment}
    answer = await resting.client.get("/new", params=told)
    assert answer.status_code == 303
    assert address in (None, answer.headers["location"])
    page = await resting.client.get(answer.headers["location"])
    assert page.status_code == 200
    await resting.client.post(answer.headers["location"], files={"files": ("a.txt", b"x")})
    [found] = (await resting.get("/api/courses"))["courses"]
    assert found["course"] == course.strip()


async def test_names_that_cannot_be_are_refused(resting: Service) -> None:
    for name in ("", " ", ".", "..", "a\nb", "x" * 201):
        told = {"course": name, "assignment": "a"}
        answer = await resting.client.get("/new", params=told)
        assert answer.status_code == 422, name


@pytest.mark.browser
@pytest.mark.slow
@NEEDS_BROWSER[1]
class TestBrowser:
    async def test_from_the_home_page_to_graded_papers(
        self, resting: Service, browser: playwright.Browser
    ) -> None:
        browsed = Browsed(await browser.new_page())
        await browsed.page.goto(resting.url)
        await browsed.page.locator("#new-course").fill("Physics")
        await browsed.page.locator("#new-assignment").fill("Forces & more")
        # What is typed survives the refresh of the list above.
        await resting.add(ESSAY)
        await browsed.page.wait_for_selector('tr[data-assignment="sleep"]')
        await browsed.page.get_by_role("button", name="Add papers").click()
        await browsed.shows("h1", "Add papers")
        await browsed.is_accessible()
        files = [
            {"name": "Ada.txt", "mimeType": "text/plain", "buffer": ESSAY.encode()},
            {"name": "bad.txt", "mimeType": "text/plain", "buffer": b"gr\xfcn"},
            {"name": "Ada.md", "mimeType": "text/plain", "buffer": b"Twin"},
            {"name": f"{HOSTILE.replace('/', '')}.txt", "mimeType": "text/plain", "buffer": b"x"},
        ]
        await browsed.page.set_input_files("#files", files)
        await browsed.page.get_by_role("button", name="Add", exact=True).click()
        await browsed.shows("#progress", "Files done: 4 of 4")
        await browsed.is_accessible()
        names = await browsed.page.locator("#taken h3").all_text_contents()
        assert names == [str(one["name"]).replace('"', "%22") for one in files]
        assert await browsed.page.locator("#taken > li.flawed").count() == 2
        await browsed.page.get_by_text("Papers of Ada.txt").click()
        await browsed.shows("#taken details[open] td", "New")
        found = await resting.get(
            "/api/submissions", course="Physics", assignment="Forces & more", text=1
        )
        assert [one["text"] for one in found["submissions"]] == [ESSAY, "x"]
        assert browsed.complaints == []

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    async def test_files_can_be_dropped(
        self, resting: Service, browser: playwright.Browser, scheme: Any
    ) -> None:
        context = await browser.new_context(
            locale="de-DE", color_scheme=scheme, viewport={"width": 320, "height": 700}
        )
        browsed = Browsed(await context.new_page())
        await browsed.page.goto(resting.url + PAGE)
        await browsed.is_accessible()
        dropped = await browsed.page.evaluate_handle(
            """() => {
                const data = new DataTransfer();
                data.items.add(new File(["Eins"], "Ada.txt"));
                data.items.add(new File(["id;text\\n1;x;y"], "alle.csv"));
                return data;
            }"""
        )
        for kind in ("dragenter", "dragover", "drop"):
            await browsed.page.dispatch_event(".drop", kind, {"dataTransfer": dropped})
        await browsed.shows("#progress", "Fertige Dateien: 2 von 2")
        await browsed.is_accessible()
        wide = await browsed.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 320
        assert await papers(resting) == {"Ada": "Eins"}
        assert browsed.complaints == []

    async def test_what_could_not_be_sent_can_be_sent_again(
        self, tmp_path: Path, browser: playwright.Browser
    ) -> None:
        browsed = Browsed(await browser.new_page())
        async with serving(make_engine(tmp_path, work=False)) as service:
            await browsed.page.goto(service.url + PAGE)
            port = int(service.url.rpartition(":")[2])
        file = {"name": "Ada.txt", "mimeType": "text/plain", "buffer": b"One"}
        await browsed.page.set_input_files("#files", [file])
        await browsed.page.get_by_role("button", name="Add", exact=True).click()
        again = browsed.page.get_by_role("button", name="Send again")
        await playwright.expect(again).to_be_visible(timeout=MS)
        await browsed.is_accessible()
        async with serving(make_engine(tmp_path, work=False), port=port) as service:
            await again.click()
            await playwright.expect(browsed.page.locator("li.taken h3")).to_have_text("Ada.txt")
            await browsed.shows("#progress", "Files done: 1 of 1")
            assert await papers(service) == {"Ada": "One"}

    async def test_without_scripts_one_form_sends_all(
        self, resting: Service, browser: playwright.Browser
    ) -> None:
        context = await browser.new_context(java_script_enabled=False)
        browsed = Browsed(await context.new_page())
        await browsed.page.goto(resting.url + PAGE)
        files = [
            {"name": f"{name}.txt", "mimeType": "text/plain", "buffer": name.encode()}
            for name in ("Ada", "Grace")
        ]
        await browsed.page.set_input_files("#files", files)
        await browsed.page.get_by_role("button", name="Add", exact=True).click()
        await browsed.shows("h2", "What became of the files")
        assert await papers(resting) == {"Ada": "Ada", "Grace": "Grace"}

    async def test_without_scripts_too_much_is_refused_readably(
        self, resting: Service, browser: playwright.Browser, tmp_path: Path
    ) -> None:
        context = await browser.new_context(java_script_enabled=False)
        browsed = Browsed(await context.new_page())
        await browsed.page.goto(resting.url + PAGE)
        file = tmp_path / "big.txt"
        file.write_bytes(b"x" * (IMPORT_LIMIT + 1))
        await browsed.page.set_input_files("#files", file)
        await browsed.page.get_by_role("button", name="Add", exact=True).click()
        await browsed.shows("h1", "That did not work")
        assert "larger than 32 MiB" in await browsed.page.inner_text(".problem")
