"""Intervals: seeded, around their estimate, and drawn by question where there are many."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradeq.evaluation.bootstrap import (
    LEAST_PAPERS,
    LEAST_QUESTIONS,
    Sample,
    estimated,
    how_drawn,
    quantile,
)
from gradeq.evaluation.chance import mcnemar
from gradeq.evaluation.figures import bias, exact, kappa, qwk


def papers(n: int, *, seed: int = 1, questions: int = 1, right: float = 0.7):
    rng = Random(seed)
    for number in range(n):
        mark = float(rng.randrange(3))
        other = mark if rng.random() < right else float(rng.randrange(3))
        yield f"q{number % questions}", (mark, other)


def test_an_interval_of_a_share_is_about_as_wide_as_theory_says():
    figure = estimated(Sample.of(papers(400)), {"exact": exact})["exact"]
    assert figure.value is not None
    assert figure.low < figure.value < figure.high
    theory = 2 * 1.96 * (figure.value * (1 - figure.value) / 400) ** 0.5
    assert figure.high - figure.low == pytest.approx(theory, rel=0.15)


@settings(max_examples=20)
@given(st.integers(0, 50))
def test_intervals_of_many_papers_hold_their_estimate(seed):
    sample = Sample.of(papers(300, seed=seed))
    statistics = {"exact": exact, "kappa": kappa, "qwk": qwk, "bias": bias}
    for figure in estimated(sample, statistics, resamples=200).values():
        assert figure.low <= figure.value <= figure.high


def test_the_same_papers_have_the_same_interval():
    one, other = (estimated(Sample.of(papers(60)), {"kappa": kappa}) for _ in range(2))
    assert one == other


def test_few_papers_have_a_figure_and_no_interval():
    figure = estimated(Sample.of(papers(LEAST_PAPERS - 1)), {"exact": exact})["exact"]
    assert (figure.n, figure.low, figure.high) == (LEAST_PAPERS - 1, None, None)
    assert figure.value is not None
    assert "at least 10 papers" in figure.why
    none = estimated(Sample.of([]), {"exact": exact})["exact"]
    assert (none.n, none.value, none.why) == (0, None, "no paper has both judgements")


def test_a_figure_that_most_draws_cannot_have_gets_no_interval():
    pairs = [("q", (0.0, 0.0))] * 11 + [("q", (1.0, 1.0))]
    figure = estimated(Sample.of(pairs), {"kappa": kappa})["kappa"]
    assert (figure.value, figure.low) == (1.0, None)
    assert "undefined" in figure.why


def test_many_questions_are_drawn_whole_and_few_within():
    many = Sample.of(papers(60, questions=LEAST_QUESTIONS))
    assert [len(stratum) for stratum in many.strata] == [LEAST_QUESTIONS]
    few = Sample.of(papers(60, questions=6))
    assert len(few.strata) == 6
    for sample in (many, few):
        assert sample.n == sample.drawn(Random(3)).total() == 60
    assert how_drawn([6] * LEAST_QUESTIONS) == "whole questions drawn (10)"
    assert how_drawn([10] * 3) == "papers drawn within each of 3 questions"
    assert how_drawn([60]) == "papers drawn"


def test_of_few_papers_a_question_all_are_drawn_together():
    """Within two papers of a question half of the variance would be missing."""
    pairs = [(f"q{n // 2}", (1.0, float(n % 2))) for n in range(18)]
    together = estimated(Sample.of(pairs), {"exact": exact})["exact"]
    plain = estimated(Sample.of(("", pair) for _, pair in pairs), {"exact": exact})["exact"]
    assert (together.low, together.high) == (plain.low, plain.high)
    assert how_drawn([2] * 9) == "papers drawn"


def test_papers_alike_by_question_make_the_interval_wider():
    alike = [(f"q{n % 12}", (1.0, float(n % 12 < 6))) for n in range(240)]
    apart = [("q", pair) for _, pair in alike]
    wide, narrow = (estimated(Sample.of(one), {"exact": exact})["exact"] for one in (alike, apart))
    assert wide.value == narrow.value == 0.5
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_quantiles_lie_between_values():
    assert quantile([1.0, 2.0, 3.0, 4.0, 5.0], 0.5) == 3
    assert quantile([1.0, 2.0], 0.25) == 1.25
    assert (quantile([7.0], 0.975), quantile([1.0, 9.0], 1.0)) == (7, 9)


@pytest.mark.parametrize(
    ("first", "second", "p"),
    # Two-sided sign tests by hand: 2 (1 + 9) / 2^9, 2 / 2^6, 2 (1 + 12 + 66) / 2^12.
    [(1, 8, 20 / 512), (6, 0, 2 / 64), (2, 10, 158 / 4096), (0, 0, 1), (5, 5, 1)],
)
def test_mcnemar_by_hand(first, second, p):
    assert mcnemar(first, second) == pytest.approx(p)
    assert mcnemar(second, first) == pytest.approx(p)
