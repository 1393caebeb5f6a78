"""Other algorithms in virtual time: what is known of them must come out of the simulation too."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from bench.limiter.baselines import RIVALS, Counters, Rivalry, sdk_wait, told_to_cookbook, try_rival
from bench.limiter.scenarios import SCENARIOS, Scenario
from bench.limiter.server import StrictServer, papers
from gradeq.limiter.base import Limits

SMALL = SCENARIOS["small account"]


def a_scenario(limits: Limits, count: int, **server: Any) -> Scenario:
    return Scenario(
        "test", "", limits, lambda _: StrictServer(**server), lambda rng: papers(count, rng)
    )


def test_the_sdk_s_waits() -> None:
    rng = Random(1)
    assert sdk_wait(90.0, 0, rng) == 90.0
    for retries, longest in ((0, 0.5), (1, 1.0), (3, 4.0), (9, 8.0)):
        waits = [sdk_wait(None, retries, rng) for _ in range(100)]
        assert 0.75 * longest <= min(waits) <= max(waits) <= longest
    assert sdk_wait(0.0, 0, rng) <= 0.5


def test_the_sdk_with_50_workers_loses_most_papers_of_a_small_account() -> None:
    run = try_rival("SDK x 50", SMALL, seed=1)
    assert run.refused_share > 0.9
    assert run.lost > run.papers / 2
    assert run.run.inside_windows > run.papers


def test_twelve_retries_lose_fewer_papers_and_are_refused_as_often() -> None:
    few, many = (try_rival(name, SMALL, seed=1) for name in ("SDK x 50", "SDK x 50, 12 retries"))
    assert many.lost < few.lost
    assert many.refused_share > 0.9


@pytest.mark.slow
def test_the_sdk_behind_5_workers_leaves_most_of_a_large_account_unused() -> None:
    run = try_rival("SDK x 5", SCENARIOS["large account"], seed=1)
    assert run.efficiency < 0.1
    assert (run.lost, run.run.refused) == (0, 0)


@pytest.mark.parametrize("name", RIVALS)
def test_where_only_the_concurrency_binds_nobody_is_refused(name: str) -> None:
    run = try_rival(name, SCENARIOS["concurrency"], seed=1)
    assert (run.lost, run.run.refused) == (0, 0)
    if name == "cookbook":
        assert run.run.most_in_flight > 5, "it knows no bound on the calls in flight"
    else:
        assert 0.9 <= run.efficiency <= 1.0


def test_the_cookbook_reserves_what_may_be_written_and_so_is_slow_and_never_refused() -> None:
    run = try_rival("cookbook", SMALL, seed=1)
    assert run.run.refused == 0
    assert run.efficiency < 0.9


def test_the_cookbook_loses_papers_where_a_second_s_limit_is_enforced() -> None:
    scenario = a_scenario(Limits(100, 600), 1000, requests=600, per_second=True)
    run = try_rival("cookbook", scenario, seed=1)
    assert run.lost > 0
    assert run.efficiency < 0.5


def test_the_cookbook_pauses_15_seconds_after_a_refusal() -> None:
    """Twelve calls, the provider takes ten and the last two wait for the end of the pause."""
    run = _cookbook_with_more_than_there_is()
    assert run.run.refused == 2
    assert 15.0 <= run.run.seconds <= 15.0 + 10.0


def _cookbook_with_more_than_there_is() -> Rivalry:
    return try_rival("cookbook", a_scenario(Limits(100, 60), 12, requests=10), seed=1)


def test_aimd_is_refused_again_and_again_and_loses_nothing() -> None:
    run = try_rival("AIMD", SMALL, seed=1)
    assert run.lost == 0
    assert run.run.refused > 50
    assert run.run.inside_windows == 0


def test_counters_start_full_refill_continuously_and_hold_a_window() -> None:
    counters = Counters(60, 6000, window=10)
    assert [counters.take(100, 0.0) for _ in range(10)] == [0.0] * 10
    assert counters.take(100, 0.0) == pytest.approx(1.0)
    assert counters.take(100, 1.0) == 0.0
    assert counters.take(900, 6.0) == pytest.approx(4.0)
    assert counters.take(900, 1000.0) == 0.0


def test_the_cookbook_is_told_what_its_user_can_know() -> None:
    known = StrictServer(requests=600, input_tokens=1000, output_tokens=500)
    silent = StrictServer(requests=600, headers="none")
    assert told_to_cookbook(Limits(), known) == pytest.approx((600, 1500))
    assert told_to_cookbook(Limits(5, 50, 100, 100), known) == (50, 200)
    assert told_to_cookbook(Limits(), StrictServer(requests=600)) == (600, float("inf"))
    assert told_to_cookbook(Limits(), silent) == (1500, 125_000)


def test_nobody_but_gradeq_remembers_anything_after_a_restart() -> None:
    with pytest.raises(ValueError, match="forgets everything"):
        try_rival("AIMD", SCENARIOS["restart"], seed=1)
