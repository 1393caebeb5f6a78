"""A rubric in a form: what is typed, and what its buttons do."""

from __future__ import annotations

import tomllib

import pytest
from web_kit import RUBRIC

from gradeq.errors import RubricError
from gradeq.grading.rubric import parse_rubric
from gradeq.web.pages.example_draft import ExampleDraft
from gradeq.web.pages.rubric_draft import CriterionDraft, Draft, LevelDraft

EXAMPLES = (
    """
key_points = ["Teenagers sleep late", "Buses"]
"""
    + RUBRIC
    + """
[[examples]]
text = "Because they are tired."
levels = { claim = "vague", evidence = "unmet" }
comment = "No study."
[[examples]]
text = "Tea time"
levels = { evidence = "met" }
"""
)


def draft(*ids: str) -> Draft:
    return Draft(criteria=tuple(CriterionDraft(one, points="1") for one in ids))


def levelled(*names: str) -> Draft:
    return Draft(criteria=(CriterionDraft("c", levels=tuple(map(LevelDraft, names))),))


def ids(of: Draft) -> str:
    return "".join(one.id for one in of.criteria)


def names(of: Draft) -> str:
    return "".join(one.name for one in of.criteria[0].levels)


@pytest.mark.parametrize("source", [RUBRIC, EXAMPLES])
def test_a_rubric_goes_through_the_form_unchanged(source: str) -> None:
    rubric = parse_rubric(source, "r.toml")
    assert parse_rubric(Draft.of(tomllib.loads(source)).source(), "r.toml") == rubric


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


# Examples ----------------------------------------------------------------------------------------

FORM = {
    "criteria.0.id": "claim",
    "criteria.0.levels.0.name": "clear",
    "criteria.0.levels.1.name": "vague",
    "criteria.1.id": "evidence",
    "criteria.1.points": "2",
    "examples.0.text": " Because \r\n so ",
    "examples.0.levels.0": "1",
    "examples.0.levels.1": "0",
    "examples.0.comment": "No study.",
    "examples.3.text": "Second",
}


def given(of: Draft) -> list[tuple[str, ...]]:
    return [one.levels for one in of.examples]


def test_levels_are_chosen_by_their_places() -> None:
    told = Draft.typed(FORM)
    assert told.examples[0] == ExampleDraft("Because \n so", ("vague", "met"), "No study.")
    assert given(told) == [("vague", "met"), ("", "")]


def test_a_level_follows_another_name() -> None:
    renamed = {**FORM, "criteria.0.id": "thesis", "criteria.0.levels.1.name": "dim"}
    document = tomllib.loads(Draft.typed(renamed).source())
    assert document["examples"][0]["levels"] == {"thesis": "dim", "evidence": "met"}


@pytest.mark.parametrize("choice", ["", "7", "-1", "x", "99999999", "٣"])
def test_a_choice_that_is_none_gives_no_level(choice: str) -> None:
    assert given(Draft.typed({**FORM, "examples.0.levels.0": choice}))[0] == ("", "met")


def test_a_level_that_is_gone_is_kept_and_told() -> None:
    told = Draft.typed(FORM).changed("remove", 0, 1)[0]
    assert given(told)[0] == ("vague", "met")
    with pytest.raises(RubricError, match="has no level 'vague'"):
        parse_rubric(told.source(), "r.toml")
    assert given(Draft.typed({**FORM, "examples.0.levels.0": "=vague"}))[0] == ("vague", "met")


def test_levels_go_with_their_criterion() -> None:
    told = Draft.typed(FORM)
    assert given(told.changed("up", 1)[0])[0] == ("met", "vague")
    assert given(told.changed("remove", 0)[0])[0] == ("met",)
    assert given(told.changed("add")[0])[0] == ("vague", "met", "")


def test_buttons_of_examples() -> None:
    told, focus = Draft.typed(FORM).with_example()
    assert ([one.text for one in told.examples][2:], focus) == ([""], "examples.2.text")
    assert told.examples[2].levels == ("", "")
    told, focus = told.without_example(0)
    assert ([one.text for one in told.examples], focus) == (["Second", ""], "examples.add")
    assert told.without_example(9)[0] == told


def test_a_choice_is_called_by_its_criterion_where_that_tells_it_apart() -> None:
    told = draft("a", "b", "b", "two words", "7", "").fields_of_examples()
    assert told == ["a", "1", "2", "3", "4", "5"]
