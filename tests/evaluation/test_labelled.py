"""Labelled files: columns in any case, nested judgements, labels that order themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gradeq.errors import InputError
from gradeq.evaluation.labelled import Labelled, read_labelled
from gradeq.evaluation.people import judgements_of, measures_of
from gradeq.evaluation.questions import by_question, by_rubric
from gradeq.grading.rubric import parse_rubric

RUBRIC = """
question = "Why do plants need light?"

[[criteria]]
id = "claim"
description = "Is there an answer?"
levels = [ { name = "clear", points = 2 }, { name = "none", points = 0 } ]

[[criteria]]
id = "reason"
description = "Is there a reason?"
levels = [ { name = "good", points = 1 }, { name = "none", points = 0 } ]
"""


def table(folder: Path, judged: str, cells: list[str], question: str = "question") -> Labelled:
    rows = [f"id,{question},text,{judged}"]
    rows += [f"p{n},Why?,Because {n}.,{cell}" for n, cell in enumerate(cells)]
    path = folder / "labelled.csv"
    path.write_text("\n".join(rows), "utf-8")
    return read_labelled(path)


def levels(labelled: Labelled) -> list[tuple[str, float]]:
    (task,) = by_question(labelled, labelled.papers)
    return [(one.name, one.points) for one in reversed(task.rubric.criteria[0].levels)]


@pytest.mark.parametrize(
    ("cells", "order"),
    [
        (["ja", "Nein"], ["nein", "ja"]),
        (["richtig"], ["falsch", "richtig"]),
        (["correct", "partially correct"], ["incorrect", "partially correct", "correct"]),
        (["falsch", "teilweise richtig"], ["falsch", "teilweise richtig", "richtig"]),
        (["TRUE", "false"], ["false", "true"]),
    ],
)
def test_labels_that_say_themselves_which_is_better(
    tmp_path: Path, cells: list[str], order: list[str]
):
    assert levels(table(tmp_path, "human_label", cells)) == [
        (name, float(points)) for points, name in enumerate(order)
    ]


@pytest.mark.parametrize(
    ("cells", "points"),
    [
        (["0.5", "1.5", "1"], [0, 0.5, 1, 1.5]),
        (["0", "2"], [0, 1, 2]),
        (["2.33", "0.5"], [0, 1, 2, 3]),
        (["4.5", "0.5"], [0, 1, 2, 3, 4, 5]),
    ],
)
def test_who_gave_half_points_is_met_by_half_points(
    tmp_path: Path, cells: list[str], points: list[float]
):
    found = levels(table(tmp_path, "human_score", cells))
    assert found == [(f"{one:g} points", one) for one in points]


def test_a_number_is_one_label_however_it_is_written(tmp_path: Path):
    assert levels(table(tmp_path, "human_label", ["1", "0", "1.0"])) == [("0", 0.0), ("1", 1.0)]
    with pytest.raises(InputError, match=r"which of the labels '1', '1\.0' is better"):
        levels(table(tmp_path, "human_label", ["1", "1.0"]))
    with pytest.raises(InputError, match="has 13 different labels"):
        levels(table(tmp_path, "human_label", [str(n) for n in range(13)]))


def test_columns_are_known_in_any_case(tmp_path: Path):
    labelled = table(tmp_path, "Human_Label", ["yes", "no"], "Question")
    assert [one.question for one in labelled.papers] == ["Why?", "Why?"]
    assert levels(labelled) == [("no", 0.0), ("yes", 1.0)]


def test_judgements_of_criteria_may_be_nested(tmp_path: Path):
    papers = [
        {"id": "a", "text": "A.", "human": {"claim": "clear", "reason": 0.5}},
        {"id": "b", "text": "B.", "human": {"claim": 1}, "human2": {"claim": "none"}},
    ]
    path = tmp_path / "l.jsonl"
    path.write_text("\n".join(map(json.dumps, papers)), "utf-8")
    labelled = read_labelled(path)
    tasks = by_rubric(labelled, labelled.papers, parse_rubric(RUBRIC, "light.toml"))
    measures = measures_of(labelled, tasks)
    assert judgements_of(labelled, tasks, measures) == {
        "a": {1: {"total": 2.5, "claim": 2.0, "reason": 0.5}},
        "b": {1: {"claim": 1.0}, 2: {"claim": 0.0}},
    }


def test_a_folder_holds_no_judgements(tmp_path: Path):
    with pytest.raises(InputError, match="is a folder, so nothing was graded"):
        read_labelled(tmp_path)


def test_a_cell_that_is_a_table_itself_is_told(tmp_path: Path):
    path = tmp_path / "l.jsonl"
    path.write_text('{"id": "a", "text": "A.", "question": "Q?", "human_score": {"x": 1}}', "utf-8")
    labelled = read_labelled(path)
    with pytest.raises(InputError):
        by_question(labelled, labelled.papers)
