"""The texts of the pages: the same in every language, and nowhere else."""

from __future__ import annotations

import re
import string
import time
import tomllib
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from babel import Locale
from jinja2 import Environment, nodes
from starlette.requests import Request

from gradeq import web
from gradeq.web.wording import WORDS, Languages, Wording

PACKAGE = Path(web.__file__).parent
TEMPLATES = sorted((PACKAGE / "templates").glob("**/*.html"))
CATEGORIES = {"zero", "one", "two", "few", "many", "other"}
SAID = {"aria-label", "aria-description", "alt", "title", "placeholder", "label", "summary"}
NAMES = {"gradeq"}
"""Words that are the same in every language."""


@pytest.fixture
def languages() -> dict[str, Wording]:
    return {one.language: one for one in Languages()}


def entries(texts: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Each entry by its dotted key; one with plural forms is one entry."""
    for name, value in texts.items():
        if isinstance(value, Mapping) and not set(value) <= CATEGORIES:
            yield from entries(value, f"{before}{name}.")
        else:
            yield before + name, value


def forms(entry: Any) -> dict[str, str]:
    return dict(entry) if isinstance(entry, Mapping) else {"": entry}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_all_languages_have_the_same_files_and_keys(languages: dict[str, Wording]) -> None:
    files = {one: {path.name for path in (WORDS / one).iterdir()} for one in languages}
    assert files["de"] == files["en"]
    keys = {one: {key for key, _ in entries(words.texts)} for one, words in languages.items()}
    assert keys["de"] == keys["en"]


def test_no_file_hides_a_section_of_another() -> None:
    for folder in WORDS.iterdir():
        sections = [
            section
            for path in folder.glob("*.toml")
            for section in tomllib.loads(path.read_text("utf-8"))
        ]
        assert len(sections) == len(set(sections)), folder


def test_every_text_takes_the_same_values_in_every_language(languages: dict[str, Wording]) -> None:
    english = dict(entries(languages["en"].texts))
    for language, words in languages.items():
        for key, entry in entries(words.texts):
            told = set().union(*map(placeholders, forms(entry).values()))
            wanted = set().union(*map(placeholders, forms(english[key]).values()))
            # A form may spell its number out, "the first": n is given wherever forms are.
            assert told - {"n"} == wanted - {"n"}, (language, key)
            assert all(text.strip() for text in forms(entry).values()), (language, key)


def test_what_is_counted_has_all_plural_forms(languages: dict[str, Wording]) -> None:
    for language, words in languages.items():
        needed = {Locale.parse(language).plural_form(n) for n in range(1000)}
        for key, entry in entries(words.texts):
            if isinstance(entry, Mapping):
                assert set(entry) == needed, (language, key)


def test_plural_forms_are_chosen_by_the_number(languages: dict[str, Wording]) -> None:
    told = {n: languages["en"].text("courses.cut", n=n, whole=5000) for n in (1, 2, 1000)}
    assert told == {
        1: "The first assignment of 5,000 is shown.",
        2: "The first 2 of 5,000 assignments are shown.",
        1000: "The first 1,000 of 5,000 assignments are shown.",
    }
    german = languages["de"].text("courses.cut", n=1000, whole=5000)
    assert german == "Gezeigt werden die ersten 1.000 von 5.000 Aufgaben."


def test_values_are_put_in_as_they_are(languages: dict[str, Wording]) -> None:
    words = Wording("en", {"a": {"b": "<{x}>"}}, Locale.parse("en"))
    assert words.text("a.b", x="{y} %s <b>") == "<{y} %s <b>>"
    with pytest.raises(KeyError):
        words.text("a.c")


NUMBERS = {
    "en": ("1,234.57", "26%", "$1,234.50", "$0.0123", "$0.00", "2 hours", "3 minutes"),
    "de": ("1.234,57", "26 %", "1.234,50 $", "0,0123 $", "0,00 $", "2 Stunden", "3 Minuten"),
}


@pytest.mark.parametrize("language", NUMBERS)
def test_numbers_are_written_as_the_reader_writes_them(
    languages: dict[str, Wording], language: str
) -> None:
    words = languages[language]
    written = (
        words.number(1234.567),
        words.share(0.256),
        words.money(1234.5),
        words.money(0.0123),
        words.money(0),
        words.duration(7200),
        words.duration(180),
    )
    assert tuple(one.replace("\xa0", " ") for one in written) == NUMBERS[language]


def test_amounts_are_in_the_configured_currency() -> None:
    told = {one.language: one.money(1234.5).replace("\xa0", " ") for one in Languages("EUR")}
    assert told == {"en": "€1,234.50", "de": "1.234,50 €"}
    odd = {one.language: one.money(0.0123).replace("\xa0", " ") for one in Languages("CHF")}
    assert odd == {"en": "CHF 0.0123", "de": "0,0123 CHF"}
    small = {one.language: one.money(0.00043).replace("\xa0", " ") for one in Languages("CHF")}
    assert small == {"en": "CHF 0.00043", "de": "0,00043 CHF"}


def test_moments_are_in_the_zone_of_this_machine(
    languages: dict[str, Wording], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        told = {one: words.moment(1_750_000_000_000) for one, words in languages.items()}
    finally:
        monkeypatch.undo()
        time.tzset()
    assert told["de"] == "15.06.2025, 17:06:40"
    assert re.sub(r"\s", " ", told["en"]) == "Jun 15, 2025, 5:06:40 PM"


WANTED = [
    ("", "en"),
    ("de", "de"),
    ("de-AT", "de"),
    ("en-GB,en;q=0.9,de;q=0.8", "en"),
    ("fr-CH, de;q=0.7, en;q=0.3", "de"),
    ("en;q=0.2, de;q=0.8", "de"),
    ("*", "en"),
    ("xx, ;q=, de;q=nonsense, -", "en"),
    ("de" * 2000, "en"),
]


@pytest.mark.parametrize(("header", "language"), WANTED)
def test_the_browsers_wish_is_followed(header: str, language: str) -> None:
    headers = [(b"accept-language", header.encode())]
    request = Request({"type": "http", "query_string": b"", "headers": headers})
    assert Languages().of(request).language == language


REGIONS = [
    ("en-GB,en;q=0.9", "15 Jun 2025"),
    ("en-US,en-GB;q=0.9", "Jun 15, 2025"),
    ("fr, en-GB;q=0.5", "15 Jun 2025"),
    ("en-XX", "Jun 15, 2025"),
    ("de-AT", "15.06.2025"),
]


@pytest.mark.parametrize(("header", "day"), REGIONS)
def test_dates_have_the_form_of_the_readers_region(header: str, day: str) -> None:
    headers = [(b"accept-language", header.encode())]
    request = Request({"type": "http", "query_string": b"", "headers": headers})
    assert Languages().of(request).moment(1_750_000_000_000).startswith(day)


class Literals(HTMLParser):
    """The words in a page that do not come from a catalogue."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside: list[str] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = [tag]
        said = [value or "" for name, value in attrs if name in SAID]
        if tag == "input" and dict(attrs).get("type") in ("submit", "button", "reset"):
            said.append(dict(attrs).get("value") or "")
        for one in said:
            self._note(one)

    def handle_endtag(self, tag: str) -> None:
        self._inside = []

    def handle_data(self, data: str) -> None:
        if self._inside not in (["code"], ["kbd"], ["script"]):
            self._note(data)

    def _note(self, text: str) -> None:
        self.found += [one for one in re.findall(r"[^\W\d_]+", text) if one not in NAMES]


def literal(source: str) -> str:
    """A template without what jinja2 replaces, and without the attributes of the body."""
    source = re.sub(r"{% block body %}.*?{% endblock %}", "", source)
    return "".join(text for _, kind, text in Environment().lex(source) if kind == "data")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_holds_a_text_for_people(path: Path) -> None:
    assert Literals(literal(path.read_text("utf-8"))).found == []


def test_a_text_in_a_template_would_be_found() -> None:
    markup = '<p title="Read {{ x }}">{{ t("a.b") }} gradeq · Kept<input type=submit value=Go></p>'
    assert Literals(literal(markup)).found == ["Read", "Kept", "Go"]


def asked_for(source: str) -> Iterator[str]:
    for call in Environment().parse(source).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "t":
            first = call.args[0]
            if isinstance(first, nodes.Const):
                yield first.value


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_every_text_that_a_template_asks_for_exists(
    languages: dict[str, Wording], path: Path
) -> None:
    known = {key for key, _ in entries(languages["en"].texts)}
    assert {*asked_for(path.read_text("utf-8"))} <= known
