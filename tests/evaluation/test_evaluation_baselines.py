"""Baselines: what they go by, and that no paper helps to predict itself."""

from __future__ import annotations

from statistics import linear_regression

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeq.evaluation.baselines import left_out, length, overlap
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
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5)), min_size=4, max_size=20).filter(
        lambda pairs: len({x for x, _ in pairs}) > 2
    )
)
def test_each_paper_is_predicted_by_the_others_alone(pairs):
    traits, marks = zip(*pairs, strict=True)
    predicted = left_out(traits, marks, FINE)
    for place, (trait, value) in enumerate(zip(traits, predicted, strict=True)):
        others = [pair for at, pair in enumerate(pairs) if at != place]
        if len({x for x, _ in others}) < 2:
            continue
        line = linear_regression(*zip(*others, strict=True))
        expected = max(-20, min(20, line.slope * trait + line.intercept))
        assert value == pytest.approx(expected, abs=0.0051)


def test_papers_of_one_length_get_the_mean_of_the_others():
    assert left_out([5, 5, 5], [0.0, 1.0, 1.0], Scale((0.0, 0.5, 1.0))) == [1.0, 0.5, 0.5]
    with pytest.raises(Undefined, match="at least 3 papers"):
        left_out([1, 2], [0.0, 1.0], FINE)
