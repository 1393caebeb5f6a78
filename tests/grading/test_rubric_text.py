"""Rubrics written as TOML are read again as they were."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeq.errors import RubricError
from gradeq.grading.rubric import parse_rubric
from gradeq.grading.rubric_text import rubric_toml
from gradeq.grading.toml_lines import lines_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "class" / "rubric.toml"

texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-1000, 1000) | st.floats(-1e6, 1e6).map(lambda value: round(value, 4))
levels = st.fixed_dictionaries({"name": texts}, optional={"points": numbers, "description": texts})
criteria = st.fixed_dictionaries(
    {"id": texts, "description": texts},
    optional={"points": numbers, "levels": st.lists(levels, min_size=1, max_size=3)},
)
examples = st.fixed_dictionaries(
    {"text": texts},
    optional={"levels": st.dictionaries(texts, texts, min_size=1, max_size=3), "comment": texts},
)
documents = st.fixed_dictionaries(
    {"criteria": st.lists(criteria, max_size=3)},
    optional={
        "title": texts,
        "instructions": texts,
        "question": texts,
        "cap": numbers,
        "key_points": st.lists(texts, min_size=1, max_size=3),
        "examples": st.lists(examples, min_size=1, max_size=3),
    },
)


@given(documents)
def test_every_text_and_number_comes_back(document: dict[str, Any]) -> None:
    read = tomllib.loads(rubric_toml(document))
    assert {"criteria": [], **read} == document


@given(documents)
def test_every_line_is_found_again(document: dict[str, Any]) -> None:
    lines = lines_of(rubric_toml(document))
    for many in ("criteria", "examples"):
        for position, one in enumerate(document.get(many, ())):
            assert all((many, position, key) in lines for key in one)


def test_the_example_comes_back_the_same() -> None:
    rubric = parse_rubric(EXAMPLE.read_text("utf-8"), EXAMPLE.name)
    assert parse_rubric(rubric_toml(tomllib.loads(rubric.source)), EXAMPLE.name) == rubric


def test_it_is_written_as_a_person_would() -> None:
    levels = [{"name": "all", "points": 2.0, "description": 'Says "why".'}]
    document = {
        "title": "Sleep",
        "question": "Why?\nHow?",
        "key_points": ["It rests the brain.", "It repairs the body."],
        "cap": 2.5,
        "criteria": [{"id": "claim", "description": "Is it there?", "levels": levels}],
        "examples": [{"text": "To rest.", "levels": {"claim": "all"}, "comment": "Enough."}],
    }
    assert rubric_toml(document) == (
        'title = "Sleep"\n'
        'question = """\nWhy?\nHow?"""\n'
        'key_points = [\n  "It rests the brain.",\n  "It repairs the body.",\n]\n'
        "cap = 2.5\n\n"
        "[[criteria]]\n"
        'id = "claim"\n'
        'description = "Is it there?"\n'
        "levels = [\n"
        '  { name = "all", points = 2, description = "Says \\"why\\"." },\n'
        "]\n\n"
        "[[examples]]\n"
        'text = "To rest."\n'
        'levels = { claim = "all" }\n'
        'comment = "Enough."\n'
    )


def test_a_wrong_value_is_a_mistake_at_its_place() -> None:
    criterion = {"id": "a", "description": "d", "points": "two"}
    with pytest.raises(RubricError) as caught:
        parse_rubric(rubric_toml({"criteria": [criterion]}), "r.toml")
    assert [one.path for one in caught.value.mistakes] == [("criteria", 0, "points")]
