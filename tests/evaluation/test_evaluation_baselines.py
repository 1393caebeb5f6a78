"""Baselines: what they go by, and the line through all papers."""

from __future__ import annotations

from statistics import linear_regression

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeq.evaluation.baselines import length, on_a_line, overlap
from gradeq.evaluation.figures import Undefined
from gradeq.evaluation.scale import Scale

FINE = Scale(tuple(n / 1000 for n in range(-20_000, 20_001, 10)))


def test_length_and_overlap():
    assert length("One, two — three!") == 3
    reference = "The string is tighter, so the pitch is higher."
    # the, string, tighter, pitch, higher: "is" and "so" are too short to count.
    assert overlap("the PITCH was higher", reference) == 3 / 5
    assert overlap("x", "is so") is None


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5)), min_size=3, max_size=20).filter(
        lambda pairs: len({x for x, _ in pairs}) > 1
    )
)
def test_each_paper_is_predicted_by_the_line_through_all(pairs):
    traits, marks = zip(*pairs, strict=True)
    line = linear_regression(traits, marks)
    for trait, value in zip(traits, on_a_line(traits, marks, FINE), strict=True):
        expected = max(-20, min(20, line.slope * trait + line.intercept))
        assert value == pytest.approx(expected, abs=0.0051)


def test_papers_of_one_length_get_the_mean():
    assert on_a_line([5, 5, 5], [0.0, 1.0, 1.0], Scale((0.0, 0.5, 1.0))) == [0.5, 0.5, 0.5]
    with pytest.raises(Undefined, match="at least 3 papers"):
        on_a_line([1, 2], [0.0, 1.0], FINE)


@pytest.mark.parametrize("traits", [[5] * 20, [5] * 19 + [6], [*range(10)] * 2])
def test_what_tells_nothing_is_no_worse_than_chance(traits: list[int]):
    marks = [0.0, 1.0] * 10
    predicted = on_a_line(traits, marks, Scale((0.0, 1.0)))
    assert sum(a == b for a, b in zip(marks, predicted, strict=True)) >= 10
