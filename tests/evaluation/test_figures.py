"""Figures of agreement: known values with their source, and what must always hold."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeq.evaluation import figures
from gradeq.evaluation.figures import Undefined
from gradeq.evaluation.scale import Scale

FIVE = Scale((0.0, 1.0, 2.0, 3.0, 4.0))
YES_NO = Scale((0.0, 1.0))

# Boyd et al. 1982, 85 xeromammograms by two radiologists, as in Altman, "Practical Statistics for
# Medical Research", 1991, section 14.3: agreement 0.64, kappa 0.47.
MAMMOGRAMS = ((21, 12, 0, 0), (4, 17, 1, 0), (3, 9, 15, 2), (0, 0, 0, 1))


def table(rows) -> Counter[tuple[float, float]]:
    return Counter(
        {(float(i), float(j)): n for i, row in enumerate(rows) for j, n in enumerate(row) if n}
    )


def test_exact_and_kappa_of_the_mammograms():
    counts = table(MAMMOGRAMS)
    assert figures.exact(counts) == pytest.approx(54 / 85)
    assert figures.kappa(counts) == pytest.approx(0.47, abs=0.005)


@pytest.mark.parametrize(
    ("rows", "kappa"),
    # By hand: (0.7 - 0.5) / 0.5, (0.6 - 0.54) / 0.46 and (0.6 - 0.46) / 0.54.
    [(((20, 5), (10, 15)), 0.4), (((45, 15), (25, 15)), 6 / 46), (((25, 35), (5, 35)), 14 / 54)],
)
def test_kappa_by_hand(rows, kappa):
    assert figures.kappa(table(rows)) == pytest.approx(kappa)


def test_the_others_by_hand():
    counts = Counter({(0.0, 0.0): 1, (1.0, 2.0): 1, (2.0, 2.0): 1, (3.0, 1.0): 1})
    assert figures.exact(counts) == 0.5
    assert figures.adjacent(counts, FIVE) == 0.75
    assert figures.mae(counts) == 0.75
    assert figures.bias(counts) == -0.25
    # Means 1.5 and 1.25, variances 1.25 and 0.6875, covariance 2.25 - 1.875 = 0.375.
    assert figures.pearson(counts) == pytest.approx(0.375 / (1.25 * 0.6875) ** 0.5)
    # Observed (0 + 1 + 0 + 4) / 4; expected 1.25 + 0.6875 + 0.25^2 = 2.
    assert figures.qwk(counts) == pytest.approx(1 - 1.25 / 2)


def test_auc_is_that_of_the_example_in_scikit_learn():
    # sklearn.metrics.roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) is 0.75.
    pairs = [(0, 0.1), (0, 0.4), (1, 0.35), (1, 0.8)]
    assert figures.auc(Counter(pairs)) == 0.75
    assert figures.auc(Counter([(0, 1.0), (1, 1.0)])) == 0.5


def test_a_step_between_unequal_marks_is_one_step():
    uneven = Scale((0.0, 1.0, 5.0), ("none", "some", "all"))
    assert figures.adjacent(Counter({(5.0, 1.0): 1, (5.0, 0.0): 1}), uneven) == 0.5
    assert uneven.step_of(3.0) == 1.5
    assert (uneven.nearest(2.9), uneven.nearest(3.1)) == (1.0, 5.0)
    assert (uneven.name_of(5.0), uneven.name_of(2.5)) == ("all", "2.5")


ALL = dict(figures.figures_on(FIVE))


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_said_of_no_papers(name):
    with pytest.raises(Undefined, match="no paper"):
        ALL[name](Counter())


@pytest.mark.parametrize(
    ("name", "pairs", "why"),
    [
        ("kappa", [(1, 1), (1, 2), (1, 1)], "one and the same mark"),
        ("qwk", [(1, 1), (1, 2), (1, 1)], "one and the same mark"),
        ("pearson", [(1, 1), (1, 2), (1, 1)], "one and the same mark"),
        ("pearson", [(1, 1), (2, 2)], "at least 3 papers"),
        ("pearson", [(1, 1), (2, 1), (3, 1)], "same value for all papers"),
    ],
)
def test_what_has_no_meaning_is_undefined(name, pairs, why):
    with pytest.raises(Undefined, match=why):
        ALL[name](Counter(pairs))


def test_auc_and_adjacent_are_undefined_where_they_would_mislead():
    with pytest.raises(Undefined, match="same answer is right"):
        figures.auc(Counter([(1, 0.2), (1, 0.3)]))
    with pytest.raises(Undefined, match="not yes or no"):
        figures.auc(Counter([(0, 0.2), (1, 0.3), (2, 0.3)]))
    with pytest.raises(Undefined, match="two levels"):
        figures.adjacent(Counter([(0, 1)]), YES_NO)
    assert "auc" in figures.figures_on(YES_NO)
    assert "auc" not in ALL


def test_a_grader_who_says_always_the_same_is_no_better_than_chance():
    counts = Counter([(0.0, 1.0), (1.0, 1.0), (1.0, 1.0), (2.0, 1.0)])
    assert figures.kappa(counts) == 0
    assert figures.qwk(counts) == pytest.approx(0)


MARK = st.integers(0, 4).map(float)
PAIRS = st.lists(st.tuples(MARK, MARK), min_size=3, max_size=40).map(Counter)


def varied(counts) -> bool:
    return all(len({pair[side] for pair in counts}) > 1 for side in (0, 1))


@given(PAIRS.filter(varied))
def test_figures_stay_in_their_ranges(counts):
    for name in ("exact", "adjacent"):
        assert 0 <= ALL[name](counts) <= 1
    for name in ("kappa", "qwk", "pearson"):
        assert -1 <= ALL[name](counts) <= 1 + 1e-12
    assert abs(figures.bias(counts)) <= figures.mae(counts)
    assert figures.exact(counts) <= figures.adjacent(counts, FIVE)


@given(PAIRS.filter(varied))
def test_whoever_comes_first_makes_no_difference_but_to_the_sign_of_bias(counts):
    turned = Counter({(other, one): n for (one, other), n in counts.items()})
    for name in ("exact", "adjacent", "kappa", "qwk", "pearson", "mae"):
        assert ALL[name](turned) == pytest.approx(ALL[name](counts))
    assert figures.bias(turned) == pytest.approx(-figures.bias(counts))


@given(st.lists(MARK, min_size=3).filter(lambda marks: len(set(marks)) > 1))
def test_whoever_agrees_always_agrees_perfectly(marks):
    counts = Counter((mark, mark) for mark in marks)
    assert [ALL[name](counts) for name in ("exact", "adjacent", "mae", "bias")] == [1, 1, 0, 0]
    assert [ALL[name](counts) for name in ("kappa", "qwk", "pearson")] == pytest.approx([1, 1, 1])


@given(PAIRS.filter(varied))
def test_qwk_is_one_minus_the_ratio_of_weighted_disagreements(counts):
    n = sum(counts.values())
    ones, others = Counter(), Counter()
    for (one, other), count in counts.items():
        ones[one] += count
        others[other] += count
    observed = sum(count * (one - other) ** 2 / 16 for (one, other), count in counts.items())
    expected = sum(
        ones[one] * others[other] / n * (one - other) ** 2 / 16
        for one, other in product(ones, others)
    )
    assert figures.qwk(counts) == pytest.approx(1 - observed / expected)


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0]), MARK), min_size=2, max_size=30))
def test_auc_is_the_share_of_pairs_in_the_right_order(pairs):
    rights = [rating for mark, rating in pairs if mark == 1]
    wrongs = [rating for mark, rating in pairs if mark == 0]
    if not rights or not wrongs:
        return
    share = [(a > b) + (a == b) / 2 for a, b in product(rights, wrongs)]
    assert figures.auc(Counter(pairs)) == pytest.approx(sum(share) / len(share))


@given(PAIRS, st.floats(0.25, 4))
def test_a_generous_grader_has_a_bias_above_zero(counts, more):
    lifted = Counter({(one, other + more): n for (one, other), n in counts.items()})
    assert figures.bias(lifted) == pytest.approx(figures.bias(counts) + more)
