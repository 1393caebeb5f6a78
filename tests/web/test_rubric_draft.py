"""A rubric in a form: what is typed, and what its buttons do."""

from __future__ import annotations

import tomllib

import pytest
from web_kit import RUBRIC

from gradeq.grading.rubric import parse_rubric
from gradeq.web.pages.rubric_draft import CriterionDraft, Draft, LevelDraft


def draft(*ids: str) -> Draft:
    return Draft(criteria=tuple(CriterionDraft(one, points="1") for one in ids))


def levelled(*names: str) -> Draft:
    return Draft(criteria=(CriterionDraft("c", levels=tuple(map(LevelDraft, names))),))


def ids(of: Draft) -> str:
    return "".join(one.id for one in of.criteria)


def names(of: Draft) -> str:
    return "".join(one.name for one in of.criteria[0].levels)


def test_a_rubric_goes_through_the_form_unchanged() -> None:
    rubric = parse_rubric(RUBRIC, "r.toml")
    assert parse_rubric(Draft.of(tomllib.loads(RUBRIC)).source(), "r.toml") == rubric


def test_what_is_typed_comes_back_from_its_fields() -> None:
    typed = {
        "title": " Sleep ",
        "question": "Why?\r\nHow?",
        "cap": "2,5",
        "criteria.7.id": "b",
        "criteria.7.levels.3.name": "second",
        "criteria.7.levels.0.name": "first",
        "criteria.2.id": "a",
        "criteria.2.points": "two",
        "criteria.x.id": "no number",
        "unknown": "x",
    }
    told = Draft.typed(typed)
    assert (told.title, told.question, told.cap) == ("Sleep", "Why?\nHow?", "2,5")
    assert ids(told) == "ab"
    assert told.criteria[0].points == "two"
    assert [one.name for one in told.criteria[1].levels] == ["first", "second"]


@pytest.mark.parametrize(
    ("typed", "told"),
    [("2", 2), ("2.5", 2.5), ("2,5", 2.5), ("-1", -1), ("+3", 3), ("007", 7)],
)
def test_numbers_as_people_type_them(typed: str, told: float) -> None:
    assert tomllib.loads(Draft(cap=typed).source())["cap"] == told


@pytest.mark.parametrize("typed", ["two", "1e3", "1.000,5", "½", "1 2", "--1", "inf"])
def test_what_is_no_number_stays_a_text(typed: str) -> None:
    assert tomllib.loads(Draft(cap=typed).source())["cap"] == typed


@pytest.mark.parametrize(
    ("verb", "place", "left", "focus"),
    [
        ("add", (), ["a", "b", "c", ""], "criteria.3.id"),
        ("remove", (1,), ["a", "c"], "add"),
        ("up", (1,), ["b", "a", "c"], "down.0"),
        ("up", (2,), ["a", "c", "b"], "up.1"),
        ("down", (0,), ["b", "a", "c"], "down.1"),
        ("down", (1,), ["a", "c", "b"], "up.2"),
        ("up", (0,), ["a", "b", "c"], None),
        ("down", (2,), ["a", "b", "c"], None),
        ("remove", (9,), ["a", "b", "c"], ""),
        ("levels", (), ["a", "b", "c"], ""),
    ],
)
def test_buttons_of_criteria(
    verb: str, place: tuple[int, ...], left: list[str], focus: str | None
) -> None:
    changed, focused = draft("a", "b", "c").changed(verb, *place)
    assert [one.id for one in changed.criteria] == left
    assert focus is None or focused == focus


@pytest.mark.parametrize(
    ("verb", "place", "left", "focus"),
    [
        ("add", (0,), "ab", "criteria.0.levels.2.name"),
        ("remove", (0, 0), "b", "add.0"),
        ("up", (0, 1), "ba", "down.0.0"),
        ("down", (0, 0), "ba", "up.0.1"),
        ("remove", (0, 9), "ab", None),
        ("remove", (4, 0), "ab", None),
    ],
)
def test_buttons_of_levels(verb: str, place: tuple[int, ...], left: str, focus: str | None) -> None:
    changed, focused = levelled("a", "b").changed(verb, *place)
    assert names(changed) == left
    assert focus is None or focused == focus


def test_points_become_levels_and_levels_become_points() -> None:
    changed, focused = draft("a").changed("levels", 0)
    assert [one.points for one in changed.criteria[0].levels] == ["1", ""]
    assert focused == "criteria.0.levels.0.name"
    for _ in range(2):
        changed, _ = changed.changed("remove", 0, 0)
    assert changed.criteria[0].levels == ()
