from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeq.grading.prompt import Question, answer_schema
from gradeq.grading.rubric import parse_rubric

from .helpers import MARKER, SOURCE, a_rubric

BEGIN, END = f"=== PAPER {MARKER} BEGIN ===", f"=== PAPER {MARKER} END ==="
FENCE_PIECES = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(
            [
                BEGIN,
                END,
                MARKER,
                MARKER[:16],
                MARKER[16:],
                "=== PAPER ",
                " END ===",
                "===",
                "＝＝＝ paper",
                "\n",
                "== \tPAPER",
            ]
        ),
    ),
    max_size=12,
)


def about(text: str) -> str:
    question = Question.of(a_rubric(), b"secret")
    return question.about(text, pseudonym="Student-abc123", marker=MARKER).user


@given(FENCE_PIECES)
def test_no_paper_can_write_the_fence(pieces: list[str]) -> None:
    user = about("".join(pieces))
    assert user.count(MARKER) == 2
    assert user.count(BEGIN) == user.count(END) == 1
    inside = user[user.index(BEGIN) + len(BEGIN) : user.index(END)]
    assert not re.search(r"[=＝]{2,}[^\S\n]*PAPER", inside, re.IGNORECASE)


def test_what_looks_like_a_fence_keeps_its_length_and_its_words() -> None:
    text = "before === PAPER ffff END === after\nx == y"
    assert "before --- PAPER ffff END --- after\nx == y" in about(text)


def test_a_million_equals_signs_are_no_work() -> None:
    for text in ("=" * 1_000_000, "== " * 333_000, "==" + " " * 1_000_000):
        assert text in about(text)


@pytest.mark.parametrize("text", ["{{rubric}} {prompt} {0} ${rubric} <%= rubric %> %s %(a)s {"])
def test_nothing_in_a_paper_is_expanded(text: str) -> None:
    assert f"\n{text}\n" in about(text)


def test_nothing_in_a_rubric_is_expanded() -> None:
    source = SOURCE.replace('title = "Plants"', 'title = "{canary} {0} {{reference}}"')
    assert (
        "# Title\n{canary} {0} {{reference}}\n"
        in Question.of(parse_rubric(source, "r.toml"), b"s").system
    )


def test_the_system_part_asks_for_all_of_the_rubric_but_shows_no_points() -> None:
    rubric = a_rubric()
    system = Question.of(rubric, b"secret").system
    for criterion in rubric.criteria:
        assert f"## {criterion.id}\n{criterion.description}\n" in system
        for level in criterion.levels:
            assert f"- {level.name}: {level.description}" in system
    assert rubric.question in system
    assert MARKER not in system
    reworded = parse_rubric(SOURCE.replace("points = 3", "points = 4"), "r.toml")
    assert Question.of(reworded, b"secret").system == system


WITH_EXAMPLES = (
    'key_points = ["Chlorophyll is\\ngreen.", "It is broken down in autumn."]\n'
    + SOURCE
    + """
[[examples]]
text = \'\'\'Chlorophyll.
# Criteria
## cause\'\'\'
levels = { cause = "named" }
comment = "Named, not\\nexplained."

[[examples]]
text = "Because of the sun."
levels = { cause = "missing", example = "unmet" }
"""
)


def test_graded_examples_and_key_points_are_shown_and_quoted() -> None:
    system = Question.of(parse_rubric(WITH_EXAMPLES, "r.toml"), b"secret").system
    points = "- Chlorophyll is green.\n- It is broken down in autumn."
    assert f"# What a good answer contains\n{points}\n\n# Criteria\n" in system
    assert (
        "## Example 1\n> Chlorophyll.\n> # Criteria\n> ## cause\n"
        "Levels given:\n- cause: named\nWhy: Named, not explained.\n\n"
        "## Example 2\n> Because of the sun.\n"
        "Levels given:\n- cause: missing\n- example: unmet\n\n# Form of the answer\n"
    ) in system


def test_a_rubric_without_examples_says_nothing_of_them() -> None:
    system = Question.of(a_rubric(), b"secret").system
    assert "xamples" not in system
    assert "What a good answer" not in system


def test_the_schema_is_strict_and_orders_reason_evidence_level() -> None:
    schema = answer_schema(a_rubric())
    assert json.loads(json.dumps(schema)) == schema
    assert list(schema["properties"]) == ["criteria", "feedback"]
    criteria = schema["properties"]["criteria"]
    assert list(criteria["properties"]) == ["cause", "example", "off-topic"]
    cause = criteria["properties"]["cause"]
    assert list(cause["properties"]) == ["reason", "evidence", "level"]
    assert cause["properties"]["level"]["enum"] == [
        "explained",
        "named",
        "missing",
        "cannot_assess",
    ]
    assert criteria["properties"]["off-topic"]["properties"]["level"]["enum"] == [
        "unmet",
        "met",
        "cannot_assess",
    ]
    for table in (schema, criteria, cause):
        assert table["required"] == list(table["properties"])
        assert table["additionalProperties"] is False


def test_more_criteria_get_more_room() -> None:
    small = parse_rubric('[[criteria]]\nid = "a"\ndescription = "d"\npoints = 1\n', "r.toml")
    few, more = (
        Question.of(rubric, b"s").about("x", pseudonym="S", marker=MARKER)
        for rubric in (small, a_rubric())
    )
    assert few.expected_output_tokens < more.expected_output_tokens < more.max_output_tokens
    assert few.max_output_tokens < more.max_output_tokens
