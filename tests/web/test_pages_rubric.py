"""The rubric editor over HTTP: by form and as TOML."""

from __future__ import annotations

import re
import sqlite3
from html import unescape
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from web_kit import ESSAY, RUBRIC, Service, make_engine, served_app

from gradeq.errors import StoreError
from gradeq.grading.rubric import parse_rubric
from gradeq.grading.rubric_advice import Adviser
from gradeq.web import create_app
from gradeq.web.pages.table import PAGES
from gradeq.web.people import Person
from gradeq.web.wording import Languages

PATH = "/courses/biology/assignments/sleep/rubric"
TYPED = {
    "title": "Sleep",
    "question": "Should school start later?",
    "criteria.0.id": "claim",
    "criteria.0.description": "Is there a clear claim?",
    "criteria.0.points": "2",
}


async def posted(service: Service, status: int = 200, path: str = PATH, **form: str) -> str:
    answer = await service.client.post(path, data=form)
    assert answer.status_code == status, answer.text
    return unescape(answer.text)


async def stored(service: Service) -> str:
    return str((await service.get(f"{service.place}/rubric"))["source"])


async def test_what_is_saved_is_the_assignments_rubric(resting: Service) -> None:
    answer = await resting.client.post(PATH, data={**TYPED, "act": "save", "seen": ""})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{PATH}?told=Saved+as+version+1")
    rubric = parse_rubric(await stored(resting), "r")
    assert (rubric.title, rubric.max_score) == ("Sleep", 2.0)


async def test_the_preview_shows_a_paper_with_text(resting: Service) -> None:
    await resting.put_rubric()
    await resting.add("  ")
    assert "the paper is blank" in (await resting.client.get(PATH)).text
    await resting.add(ESSAY, first=2)
    assert "A study in Seattle" in (await resting.client.get(PATH)).text


async def test_a_rubric_with_mistakes_is_shown_again_and_not_saved(resting: Service) -> None:
    wrong = {
        **TYPED,
        "act": "save",
        "criteria.0.id": "no spaces",
        "criteria.0.points": "two",
        "criteria.1.id": "b",
        "criteria.1.description": "What I had typed",
        "criteria.1.levels.0.name": "only",
        "criteria.1.levels.0.points": "",
        "cap": "-1",
    }
    text = await posted(resting, 422, **wrong)
    for field, mistake in (
        ("criteria.0.id", "must be made of letters"),
        ("criteria.0.points", "must be a number, but is 'two'"),
        ("criteria.1.levels", "needs at least two levels"),
        ("criteria.1.levels.0.points", "is missing"),
    ):
        assert re.search(rf'id="{re.escape(field)}\.flaw"[^>]*>{re.escape(mistake)}', text), field
    for typed in ('value="no spaces"', 'value="two"', "What I had typed", 'value="only"'):
        assert typed in text
    assert (await resting.client.get(f"{resting.place}/rubric")).status_code == 404


@pytest.mark.parametrize(
    "act", ["add", "add.0", "up.0", "remove.9", "toml", "nonsense", "up.1.2.3"]
)
async def test_no_other_button_saves(resting: Service, act: str) -> None:
    assert "Is there a clear claim?" in await posted(resting, **TYPED, act=act)
    assert (await resting.client.get(f"{resting.place}/rubric")).status_code == 404


async def test_the_second_of_two_editors_is_told_and_may_save_anyway(resting: Service) -> None:
    seen = str(await resting.put_rubric())
    theirs = RUBRIC.replace("Sleep", "Theirs")
    await resting.put_rubric(theirs)
    mine = {**TYPED, "title": "Mine", "act": "save"}
    text = await posted(resting, 409, **mine, seen=seen)
    assert "somebody put version 2 to use meanwhile" in text
    assert 'value="Mine"' in text
    assert await stored(resting) == theirs
    now = re.search(r'name="seen" value="(\d+)"', text)
    assert now
    await posted(resting, 303, **mine, seen=now[1])
    assert 'title = "Mine"' in await stored(resting)


async def test_the_same_content_makes_no_version(resting: Service) -> None:
    await posted(resting, 303, **TYPED, act="save", seen="")
    rubric_id = str((await resting.get(f"{resting.place}/rubric"))["rubric_id"])
    answer = await resting.client.post(PATH, data={**TYPED, "act": "save", "seen": rubric_id})
    assert "Nothing+has+changed" in answer.headers["location"]


async def test_what_was_typed_stays_where_the_store_fails(
    resting: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(type(resting.engine.store), "save_rubric", fails)
    text = await posted(resting, 503, **TYPED, act="save", seen="")
    assert "the disk is full" in text
    assert "Is there a clear claim?" in text
    text = await posted(resting, 503, f"{PATH}/toml", source=RUBRIC, act="save", seen="")
    assert "the disk is full" in text
    assert 'id = "evidence"' in text


async def test_going_back_is_refused_where_somebody_was_faster(resting: Service) -> None:
    first = await resting.put_rubric()
    second = await resting.put_rubric(RUBRIC.replace("Sleep", "Two"))
    third = await resting.put_rubric(RUBRIC.replace("Sleep", "Three"))
    back = f"{PATH}/versions/{first}/assign"
    assert "version 3" in await posted(resting, 409, back, seen=str(second))
    await posted(resting, 303, back, seen=str(third))
    assert await stored(resting) == RUBRIC


async def test_the_preview_is_what_is_sent_to_the_letter(service: Service, tmp_path: Path) -> None:
    await service.put_rubric()
    await service.add(f"{ESSAY} My name is Anna Smith.", student="Anna Smith")
    page = (await service.client.get(PATH)).text
    order = await service.grade(course="biology", assignment="sleep")
    await service.batch_ended(order["batch_id"])
    with sqlite3.connect(tmp_path / "grades.db") as database:
        [(system,)] = database.execute("SELECT text FROM prompt_prefixes").fetchall()
        [(user,)] = database.execute("SELECT sent FROM answers").fetchall()
    database.close()
    assert shown(page, "sent-system") == system
    marker = re.compile(r"[0-9a-f]{32}")
    assert marker.sub("-", shown(page, "sent-user")) == marker.sub("-", user)
    assert "Anna" not in shown(page, "sent-user")


def shown(page: str, part: str) -> str:
    found = re.search(rf'<pre class="sent" id="{part}">(.*?)</pre>', page, re.DOTALL)
    assert found
    return unescape(found[1])


async def test_the_preview_follows_what_is_typed_and_saves_nothing(resting: Service) -> None:
    text = await posted(resting, path=f"{PATH}/preview", **TYPED)
    assert "Is there a clear claim?" in shown(text, "sent-system")
    assert "a study in Seattle found" in shown(text, "sent-user")
    assert "<html" not in text
    assert "input tokens" in text
    broken = await posted(resting, path=f"{PATH}/preview", **{**TYPED, "criteria.0.id": ""})
    assert "Criterion 1: name" in broken
    assert "sent-system" not in broken
    assert (await resting.client.get(f"{resting.place}/rubric")).status_code == 404


async def test_a_paper_that_is_not_sent_says_why(resting: Service) -> None:
    await resting.put_rubric()
    await resting.add("   ")
    assert "the paper is blank" in (await resting.client.get(PATH)).text
    assert "a study in Seattle" in await posted(resting, **TYPED, act="check", sample="short")


async def test_as_toml_and_back(resting: Service) -> None:
    text = await posted(resting, **TYPED, act="toml")
    assert 'id = "claim"' in text
    source = "# mine\n" + RUBRIC
    assert 'value="evidence"' in await posted(
        resting, path=f"{PATH}/toml", source=source, act="form"
    )
    await posted(resting, 303, f"{PATH}/toml", source=source, act="save", seen="")
    assert await stored(resting) == source
    assert "has comments" in (await resting.client.get(PATH)).text
    downloaded = await resting.client.get(f"{PATH}/download")
    assert downloaded.text == source
    assert downloaded.headers["content-disposition"] == 'attachment; filename="sleep-1.toml"'


@pytest.mark.parametrize(
    ("source", "mistake"),
    [
        ("title = ", 'Line 1: <span lang="en">is not valid TOML'),
        ("title = 'x'\npionts = 1", "did you mean points?"),
        ("criteria = 5", "must be a list of tables"),
    ],
)
async def test_toml_with_mistakes_stays_as_typed(
    resting: Service, source: str, mistake: str
) -> None:
    for act, status in (("save", 422), ("form", 200), ("check", 200)):
        text = await posted(resting, status, f"{PATH}/toml", source=source, act=act)
        assert source in text
        assert mistake.replace("points?", "") in text or "is not a key" in text


async def test_a_file_is_read_and_not_saved(resting: Service) -> None:
    async def read(data: bytes) -> httpx.Response:
        files = {"file": ("mine.toml", data, "application/toml")}
        return await resting.client.post(f"{PATH}/file", data={"seen": ""}, files=files)

    assert 'value="evidence"' in (await read(b"\xef\xbb\xbf" + RUBRIC.encode())).text
    assert "title = </textarea>" in (await read(b"title = ")).text
    assert "is not UTF-8 text (byte 0)" in (await read(b"\xff\xfe")).text
    assert "larger than 1 MiB" in (await read(b"#" * 1_100_000)).text
    assert "no file was chosen" in (await resting.client.post(f"{PATH}/file")).text
    assert (await resting.client.get(f"{resting.place}/rubric")).status_code == 404


async def test_versions_tell_what_was_graded_and_who_goes_on(resting: Service) -> None:
    await resting.put_rubric()
    await resting.add(ESSAY)
    batch = (await resting.grade(course="biology", assignment="sleep"))["batch_id"]
    await resting.put_rubric(RUBRIC.replace("Sleep", "Two"))
    text = (await resting.client.get(PATH)).text
    old = text[text.index('data-version="1"') :]
    assert f'href="/batches/{batch}"' in old
    assert "goes on with this older version" in old


class Teacher:
    """Sees the course chemistry alone."""

    async def person(self, request: Request) -> Person | None:
        return Person("Ms Lee", is_admin=False, courses=frozenset({"chemistry"}))


async def test_nobody_sees_or_uses_another_courses_rubric(tmp_path: Path) -> None:
    engine = make_engine(tmp_path, work=False)
    app = create_app(engine, owns_engine=True, identity=Teacher())
    async with served_app(app) as (client, _):
        theirs = await engine.rubrics.give("biology", "sleep", RUBRIC)
        own = await engine.rubrics.give("chemistry", "acids", RUBRIC)
        acids = "/courses/chemistry/assignments/acids/rubric"
        assert (await client.get(acids)).status_code == 200
        for method, path, _show in PAGES:
            if "/rubric" not in path:
                continue
            place = path.format(course="biology", assignment="sleep", rubric_id=theirs)
            assert (await client.request(method, place)).status_code == 404, place
            if "{rubric_id}" in path:
                crossed = path.format(course="chemistry", assignment="acids", rubric_id=theirs)
                assert (await client.request(method, crossed)).status_code == 404, crossed
        for at in ("", "/download"):
            assert (await client.get(f"{acids}{at}?version={theirs}")).status_code == 404
        assert await engine.store.assignment_rubric("chemistry", "acids") == own


async def test_names_that_cannot_be_are_refused(resting: Service) -> None:
    for name in ("x" * 201, "%0a"):
        answer = await resting.client.get(f"/courses/{name}/assignments/sleep/rubric")
        assert answer.status_code == 404


def test_advice_is_there_in_every_language_of_the_pages() -> None:
    languages = [one.language for one in Languages()]
    assert [Adviser.of(one).texts["where"]["rubric"] for one in languages] == [
        "Das Raster",
        "The rubric",
    ]


EXAMPLE = {"examples.0.text": "Because.", "examples.0.comment": "Short."}


async def test_examples_are_saved_and_shown_to_the_model(resting: Service) -> None:
    form = {**TYPED, **EXAMPLE, "examples.0.levels.0": "0", "key_points": "One\n\nTwo", "seen": ""}
    beside = await posted(resting, path=f"{PATH}/preview", **form)
    assert "> Because." in beside
    assert "- claim: met" in beside
    answer = await resting.client.post(PATH, data={**form, "act": "save"})
    assert answer.status_code == 303
    rubric = parse_rubric(await stored(resting), "r")
    assert rubric.key_points == ("One", "Two")
    [example] = rubric.examples
    assert (example.text, example.levels, example.comment) == (
        "Because.",
        (("claim", "met"),),
        "Short.",
    )
    page = (await resting.client.get(PATH)).text
    assert re.search(r'name="examples.0.levels.0">.*?<option value="0" selected>met', page, re.S)
    version = (await resting.client.get(f"{PATH}/versions/1")).text
    assert all(text in version for text in ("Because.", "Short.", "<li>One</li>"))


async def test_a_mistake_in_an_example_stands_beside_its_field(resting: Service) -> None:
    wrong = {**TYPED, **EXAMPLE, "examples.0.levels.0": "=gone", "act": "save"}
    page = await posted(resting, 422, **wrong)
    assert 'id="examples.0.levels.claim.flaw"' in page
    assert 'href="#examples.0.levels.claim"' in page
    assert '<option value="=gone" selected>gone</option>' in page
    page = await posted(resting, 422, **{**TYPED, **EXAMPLE, "act": "save"})
    assert 'id="examples.0.levels.flaw"' in page


async def test_examples_come_and_go(resting: Service) -> None:
    page = await posted(resting, **TYPED, act="examples.add")
    assert 'id="examples.0.text"' in page
    page = await posted(resting, **TYPED, **EXAMPLE, act="examples.remove.0")
    assert 'id="examples.0.text"' not in page
