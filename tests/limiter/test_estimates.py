from __future__ import annotations

from random import Random

import pytest

from gradeq.limiter.base import Bucket, Cost, Limits, Usage
from gradeq.limiter.estimates import Average, Estimates, Ratio, Typical
from gradeq.limiter.permit import Charge, Mark, Permit

COST = Cost(input_tokens=1000, output_tokens=400, max_output_tokens=1024)
MARK = Mark(0, {})


def a_permit(estimates: Estimates, cost: Cost = COST) -> Permit:
    return Permit(0, 0.0, cost, estimates.expected(cost), MARK)


def after(estimates: Estimates, usage: Usage, cost: Cost = COST, times: int = 30) -> Estimates:
    for _ in range(times):
        estimates.learn(a_permit(estimates, cost), usage, 1.0)
    return estimates


def test_an_average_starts_at_its_first_value() -> None:
    mean = Average()
    assert mean.value is None
    assert [mean.learn(value) for value in (10, 20, 30)] == [10, 15, 20]


def test_an_average_follows_a_change() -> None:
    mean = Average()
    for value in [10] * 100 + [20] * 50:
        mean.learn(value)
    assert mean.value == pytest.approx(20, rel=0.01)


@pytest.mark.parametrize(("actual", "scaled"), [(1300, 1300), (100, 500), (9000, 2000)])
def test_the_input_ratio_is_learned_between_a_half_and_two(actual: int, scaled: int) -> None:
    ratio = Ratio()
    for _ in range(50):
        ratio.learn(actual, 1000)
    assert ratio.scale(1000) == pytest.approx(scaled, abs=1)


def test_the_ratio_settles_under_noise_instead_of_drifting() -> None:
    ratio, rng = Ratio(), Random(7)
    for _ in range(500):
        ratio.learn(round(1400 * rng.uniform(0.8, 1.2)), 1000)
    assert ratio.value == pytest.approx(1.4, rel=0.1)


def test_a_provider_that_counts_nothing_teaches_nothing() -> None:
    estimates = after(Estimates(Limits()), Usage())
    assert estimates.expected(COST) == Estimates(Limits()).expected(COST)


def test_before_anything_is_learned_the_raw_estimate_is_reserved() -> None:
    charges = Estimates(Limits()).expected(COST)
    assert charges == {
        Bucket.REQUESTS: Charge(at_start=1),
        Bucket.INPUT_TOKENS: Charge(at_start=1000),
        Bucket.OUTPUT_TOKENS: Charge(at_end=400),
        Bucket.TOKENS: Charge(at_start=1000, at_end=400),
    }


def test_output_is_learned_for_each_kind_of_call() -> None:
    short = Cost(1000, 400, 1024, like="short answers")
    essay = Cost(1000, 400, 1024, like="essays")
    estimates = after(Estimates(Limits()), Usage(1000, 120), short)
    after(estimates, Usage(1000, 900), essay)
    assert estimates.expected(short)[Bucket.OUTPUT_TOKENS].total == 120
    assert estimates.expected(essay)[Bucket.OUTPUT_TOKENS].total == 900
    assert estimates.expected(COST)[Bucket.OUTPUT_TOKENS].total == 400


def test_no_call_is_expected_to_write_more_than_it_may() -> None:
    estimates = after(Estimates(Limits()), Usage(1000, 900))
    assert estimates.expected(Cost(1000, 400, 500))[Bucket.OUTPUT_TOKENS].total == 500


def test_only_so_many_kinds_are_remembered() -> None:
    estimates = Estimates(Limits())
    for number in range(1000):
        after(estimates, Usage(1000, 100), Cost(1000, 400, like=str(number)), times=1)
    assert len(estimates._outputs) == 256


def test_what_a_cache_served_is_free_unless_the_provider_counts_it() -> None:
    used = Usage(1000, 400, cache_read_tokens=900)
    free = Estimates(Limits())
    counted = Estimates(Limits(counts_cache_reads=True))
    assert free.actual(a_permit(free), used)[Bucket.INPUT_TOKENS].total == 100
    assert free.actual(a_permit(free), used)[Bucket.TOKENS].total == 1400
    assert counted.actual(a_permit(counted), used)[Bucket.INPUT_TOKENS].total == 1000


def test_what_a_cache_will_serve_is_not_reserved_where_it_is_free() -> None:
    free = after(Estimates(Limits()), Usage(1200, 400, cache_read_tokens=900))
    assert free.expected(COST, cached_tokens=900)[Bucket.INPUT_TOKENS].at_start == 300
    assert free.expected(COST, cached_tokens=900)[Bucket.TOKENS].at_start == 1200
    assert free.expected(COST)[Bucket.INPUT_TOKENS].at_start == 1200
    assert free.expected(COST, cached_tokens=5000)[Bucket.INPUT_TOKENS].at_start == 0
    counted = Estimates(Limits(counts_cache_reads=True))
    assert counted.expected(COST, cached_tokens=900)[Bucket.INPUT_TOKENS].at_start == 1000


def test_where_the_maximum_is_charged_it_is_reserved() -> None:
    estimates = Estimates(Limits(reserves_output=True))
    reserved = estimates.expected(COST)
    assert reserved[Bucket.OUTPUT_TOKENS] == Charge(at_start=1024)
    assert reserved[Bucket.TOKENS] == Charge(at_start=2024)
    taken = estimates.actual(a_permit(estimates), Usage(1000, 300))
    assert taken[Bucket.OUTPUT_TOKENS].total == 300
    assert taken[Bucket.TOKENS].total == 2024


def test_the_typical_call_is_the_mean_of_the_last_ones() -> None:
    typical = Typical()
    assert typical.cost is None
    for tokens in (1000, 2000):
        typical.learn(Cost(tokens, 400, 1024, like="essay"))
    assert typical.cost == Cost(1500, 400, 1024, like="essay")
