from __future__ import annotations

import math
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeq.errors import RubricError
from gradeq.grading.rubric import Example, Level, Rubric, parse_rubric
from gradeq.grading.rubric_lint import lint
from gradeq.grading.toml_lines import lines_of, nearest_line

from .helpers import SOURCE, a_rubric

EXAMPLE = Path(__file__).parents[2] / "examples" / "class" / "rubric.toml"


def mistakes(source: str) -> list[str]:
    with pytest.raises(RubricError) as caught:
        parse_rubric(source, "r.toml")
    first, *rest = str(caught.value).splitlines()
    assert first.startswith("r.toml has ")
    assert first.endswith("nothing was graded:")
    return [line.removeprefix("  r.toml, ") for line in rest]


def test_points_alone_make_met_and_unmet_and_levels_stand_from_most_to_fewest() -> None:
    rubric = a_rubric()
    assert [level.name for level in rubric.criteria[0].levels] == ["explained", "named", "missing"]
    assert [(v.name, v.points) for v in rubric.criteria[1].levels] == [("met", 2.0), ("unmet", 0.0)]
    assert [(v.name, v.points) for v in rubric.criteria[2].levels] == [
        ("unmet", 0.0),
        ("met", -2.0),
    ]
    assert rubric.max_score == 5.0


def test_the_example_rubric_is_good() -> None:
    rubric = parse_rubric(EXAMPLE.read_text(), EXAMPLE.name)
    assert rubric.max_score == 12.0
    assert lint(rubric) == []


def test_floor_and_cap_bound_the_score() -> None:
    rubric = parse_rubric("cap = 4\n" + SOURCE.replace("floor = 0", "floor = -1"), "r.toml")
    assert rubric.max_score == 4.0
    assert rubric.score([3, 2]) == 4.0
    assert rubric.score([0, 0, -2]) == -1.0
    assert a_rubric().score([0, 0, -2]) == 0.0


def test_points_are_added_without_the_noise_of_binary_fractions() -> None:
    points = "".join(
        f'[[criteria]]\nid = "c{n}"\ndescription = "d"\npoints = 0.1\n' for n in range(3)
    )
    rubric = parse_rubric(points, "r.toml")
    assert rubric.max_score == 0.3
    assert rubric.score([0.1, 0.1, 0.1]) == 0.3


def test_the_fingerprint_follows_the_content_and_not_the_layout() -> None:
    rubric = a_rubric()
    spaced = parse_rubric(SOURCE.replace(" = ", "   =  ") + "\n# a comment\n", "other.toml")
    assert spaced.sha256 == rubric.sha256
    assert spaced == rubric
    assert spaced.source != rubric.source
    for old, new in (("points = 2", "points = 3"), ("Neither.", "None."), ("Plants", "Leaves")):
        assert parse_rubric(SOURCE.replace(old, new), "r.toml").sha256 != rubric.sha256


def test_a_rubric_parses_from_its_own_source_again() -> None:
    rubric = a_rubric()
    assert parse_rubric(rubric.source, rubric.name) == rubric


def test_windows_line_ends_and_a_byte_order_mark_are_fine() -> None:
    assert parse_rubric("\ufeff" + SOURCE.replace("\n", "\r\n"), "r.toml") == a_rubric()


def test_broken_toml_is_named_with_line_and_column() -> None:
    with pytest.raises(RubricError, match=r"r\.toml is not valid TOML: .*line 2, column 9"):
        parse_rubric('title = "x"\nfloor = = 2', "r.toml")
    with pytest.raises(RubricError, match=r"nested too deeply|not valid TOML"):
        parse_rubric("criteria = " + "[" * 100_000, "r.toml")


def test_examples_and_key_points_belong_to_the_rubric() -> None:
    source = (
        'key_points = ["Chlorophyll is green."]\n'
        + SOURCE
        + (
            '[[examples]]\ntext = "Chlorophyll."\ncomment = "Only named."\n'
            'levels = { example = "unmet", cause = "named" }\n'
        )
    )
    rubric = parse_rubric(source, "r.toml")
    assert rubric.key_points == ("Chlorophyll is green.",)
    levels = (("cause", "named"), ("example", "unmet"))
    assert rubric.examples == (Example("Chlorophyll.", levels, "Only named."),)
    assert rubric.examples[0].level_of("cause") == "named"
    assert rubric.examples[0].level_of("off-topic") is None
    assert {rubric: 1}[parse_rubric(source, "other.toml")] == 1
    for old, new in (
        ("is green", "looks green"),
        ("Only", "Just"),
        ('cause = "named"', 'cause = "missing"'),
    ):
        changed = parse_rubric(source.replace(old, new), "r.toml")
        assert changed != rubric
        assert changed.sha256 != rubric.sha256


def test_examples_wait_for_criteria_that_can_be_read() -> None:
    source = 'criteria = 3\n[[examples]]\ntext = "t"\nlevels = { a = "met" }'
    assert mistakes(source) == ["line 1: criteria: must be a list of tables, but is 3"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", ["line 1: criteria: is missing or empty: add a [[criteria]] table"]),
        ("criteria = 3", ["line 1: criteria: must be a list of tables, but is 3"]),
        ("\ncriteria = []", ["line 2: criteria: is missing or empty: add a [[criteria]] table"]),
    ],
)
def test_a_rubric_without_criteria(source: str, expected: list[str]) -> None:
    assert mistakes(source) == expected


ONE = '[[criteria]]\nid = "a"\ndescription = "d"\n'
EXAMPLES = ONE + "points = 1\n\n[[examples]]\n"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (ONE, "line 1: criterion 1: has no points: give either points = NUMBER or levels = [...]"),
        (
            ONE + "points = 1\nlevels = []",
            "line 1: criterion 1: has both points and levels: "
            "give either points = NUMBER or levels = [...]",
        ),
        (
            ONE + 'points = "two"',
            "line 4: criterion 1, points: must be a number, but is 'two'",
        ),
        (ONE + "points = true", "line 4: criterion 1, points: must be a number, but is True"),
        (
            ONE + "points = nan",
            "line 4: criterion 1, points: must be a number of ordinary size, but is nan",
        ),
        (
            ONE + "points = inf",
            "line 4: criterion 1, points: must be a number of ordinary size, but is inf",
        ),
        (
            ONE + f"points = 1{'0' * 400}",
            "line 4: criterion 1, points: must be a number of ordinary size, but is "
            f"1{'0' * 56}...",
        ),
        (
            ONE + "points = 0",
            "line 4: criterion 1, points: must not be 0, which neither gives nor takes any",
        ),
        (
            ONE + "points = 1\nlevel = 2",
            "line 5: criterion 1, level: is not a key that gradeq knows; did you mean levels?",
        ),
        (
            "colour = 1\n" + ONE + "points = 1",
            "line 1: colour: is not a key that gradeq knows; known here: title, instructions, "
            "question, reference, key_points, floor, cap, criteria, examples",
        ),
        (
            'floor = "low"\n' + ONE + "points = 1",
            "line 1: floor: must be a number, but is 'low'",
        ),
        (
            "floor = 1\n" + ONE + "points = 1",
            "line 1: floor: must be below the most points a paper can get (1), but is 1",
        ),
        ("cap = -1\n" + ONE + "points = 1", "line 1: cap: must be above 0, but is -1"),
        (
            ONE + "points = -1",
            "line 1: criteria: no level gives points, so no paper could earn any",
        ),
        (
            "title = 3\n" + ONE + "points = 1",
            "line 1: title: must be text in quotes, but is 3",
        ),
        (
            '[[criteria]]\nid = "a b"\ndescription = "d"\npoints = 1',
            "line 2: criterion 1, id: must be made of letters, digits, _ and - only, "
            "at most 64 of them, but is 'a b'",
        ),
        (
            '[[criteria]]\ndescription = "d"\npoints = 1',
            "line 1: criterion 1, id: is missing",
        ),
        (
            '[[criteria]]\nid = "a"\ndescription = "  "\npoints = 1',
            "line 3: criterion 1, description: is empty",
        ),
        (
            ONE + "points = 1\n\n" + ONE.replace('"a"', '"A"') + "points = 1",
            "line 7: criterion 2, id: 'A' is already used in line 2",
        ),
        (
            ONE + 'levels = [{name = "only", points = 1}]',
            "line 4: criterion 1, levels: needs at least two levels, but has 1",
        ),
        (ONE + "levels = 3", "line 4: criterion 1, levels: must be a list of tables, but is 3"),
        (
            ONE + 'levels = [\n{name = "x", points = 1},\n{name = "X", points = 0}]',
            "line 6: criterion 1, level 2, name: 'X' is already used in line 5",
        ),
        (
            ONE + 'levels = [{name = "Cannot assess", points = 1},\n{name = "X", points = 0}]',
            "line 4: criterion 1, level 1, name: cannot_assess is reserved: every criterion has it",
        ),
        (
            ONE + 'levels = [{name = "a\\nb", points = 1},\n{name = "X", points = 0}]',
            "line 4: criterion 1, level 1, name: must be one line of at most 60 characters "
            'without "',
        ),
        (
            ONE + 'levels = [{name = "y"},\n{name = "X", points = 0}]',
            "line 4: criterion 1, level 1, points: is missing",
        ),
        (
            "key_points = 2\n" + ONE + "points = 1",
            "line 1: key_points: must be a list of texts, but is 2",
        ),
        (
            'key_points = [\n"a",\n" "]\n' + ONE + "points = 1",
            "line 3: key point 2: is empty",
        ),
        (
            'key_points = [\n"a",\n3]\n' + ONE + "points = 1",
            "line 3: key point 2: must be text in quotes, but is 3",
        ),
        (EXAMPLES + 'levels = {a = "met"}', "line 6: example 1, text: is missing"),
        (
            EXAMPLES + 'text = "t"\nlevels = {a = "met"}\ntxt = 1',
            "line 9: example 1, txt: is not a key that gradeq knows; did you mean text?",
        ),
        (
            EXAMPLES + 'text = "t"',
            'line 6: example 1, levels: must name a level for a criterion, as in { id = "level" }',
        ),
        (
            EXAMPLES + 'text = "t"\nlevels = "met"',
            'line 8: example 1, levels: must name a level for a criterion, as in { id = "level" }, '
            "but is 'met'",
        ),
        (
            EXAMPLES + 'text = "t"\nlevels = {b = "met"}',
            "line 8: example 1, levels, b: is not a criterion of this rubric; known here: a",
        ),
        (
            EXAMPLES + 'text = "t"\nlevels = {a = "mett"}',
            "line 8: example 1, levels, a: has no level 'mett'; did you mean met?",
        ),
        (
            EXAMPLES + 'text = "t"\nlevels = {a = 1}',
            "line 8: example 1, levels, a: has no level 1; known here: met, unmet",
        ),
        (
            EXAMPLES + 'text = "t"\nlevels = {a = "cannot_assess"}',
            "line 8: example 1, levels, a: has no level 'cannot_assess'; known here: met, unmet",
        ),
        (
            EXAMPLES + 'text = "t"\nlevels = {a = "met"}\ncomment = 1',
            "line 9: example 1, comment: must be text in quotes, but is 1",
        ),
        (
            "examples = 1\n" + ONE + "points = 1",
            "line 1: examples: must be a list of tables, but is 1",
        ),
        (
            ONE + 'levels = [{name = "y", points = 1, why = ""},\n{name = "X", points = 0}]',
            "line 4: criterion 1, level 1, why: is not a key that gradeq knows; "
            "known here: name, points, description",
        ),
    ],
)
def test_each_mistake_is_named_with_line_and_field(source: str, expected: str) -> None:
    assert mistakes(source) == [expected]


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file() -> None:
    source = SOURCE.replace("points = 2", 'points = "2"').replace("title", "titel")
    source = source.replace('id = "off-topic"', 'id = "cause"')
    lines = mistakes(source)
    assert [line.split(":")[0] for line in lines] == ["line 1", "line 17", "line 20"]


def test_sub_tables_are_levels_too() -> None:
    source = ONE + (
        '[[criteria.levels]]\nname = "good"\npoints = 2\n'
        '[[criteria.levels]]\nname = "poor"\npoints = "none"\n'
    )
    assert mistakes(source) == [
        "line 9: criterion 1, level 2, points: must be a number, but is 'none'"
    ]
    good = parse_rubric(source.replace('"none"', "0"), "r.toml")
    assert good.criteria[0].levels == (Level("good", 2.0), Level("poor", 0.0))


def test_lines_of_keys_in_awkward_toml() -> None:
    source = "\n".join(
        [
            "# [not.a.table]",
            'text = """',
            "[[criteria]]",
            'id = "inside a text"',
            '"""',
            "raw = '''a = [1]''' # = 3",
            "nested = [[1, 2], [",
            "  3, { deep = 4, 'quo.ted' = 5 } ] ]",
            "[a.b]",
            'c.d = "]"',
            "[[list]]",
            "x = 1",
            "[[list]]",
            'x = "#"',
            "[list.sub]",
            "y = 2026-01-01 10:00:00",
        ]
    )
    tomllib.loads(source)
    lines = lines_of(source)
    expected = {
        ("text",): 2,
        ("raw",): 6,
        ("nested", 1, 0): 8,
        ("nested", 1, 1, "deep"): 8,
        ("nested", 1, 1, "quo.ted"): 8,
        ("a", "b"): 9,
        ("a", "b", "c", "d"): 10,
        ("list", 0, "x"): 12,
        ("list", 1): 13,
        ("list", 1, "x"): 14,
        ("list", 1, "sub", "y"): 16,
    }
    assert {path: lines[path] for path in expected} == expected
    assert nearest_line(lines, ("list", 1, "z", 3)) == 13
    assert nearest_line(lines, ("nowhere",)) == 1
    assert ("criteria",) not in lines


@given(st.lists(st.sampled_from(["explained", "named", "missing"]), max_size=6), st.booleans())
def test_a_score_stays_between_floor_and_most(names: list[str], fault: bool) -> None:
    rubric = a_rubric()
    points = [level.points for level in rubric.criteria[0].levels if level.name in names]
    score = rubric.score([*points, -2.0 * fault])
    assert rubric.floor <= score <= rubric.max_score
    assert not math.isnan(score)


def test_each_mistake_tells_its_path_and_line() -> None:
    source = 'pionts = 1\n[[criteria]]\nid = "a"\ndescription = "d"\nlevels = [{name = "x"}]'
    with pytest.raises(RubricError) as caught:
        parse_rubric(source, "r.toml")
    assert [(one.path, one.line) for one in caught.value.mistakes] == [
        (("pionts",), 1),
        (("criteria", 0, "levels", 0, "points"), 5),
        (("criteria", 0, "levels"), 5),
    ]


def test_broken_toml_is_one_mistake_in_its_line() -> None:
    with pytest.raises(RubricError) as caught:
        parse_rubric('title = "t"\nfloor = !', "r.toml")
    [mistake] = caught.value.mistakes
    assert (mistake.path, mistake.line) == ((), 2)


def test_a_rubric_can_be_a_key() -> None:
    assert {a_rubric(): 1}[a_rubric()] == 1
    assert isinstance(a_rubric(), Rubric)
