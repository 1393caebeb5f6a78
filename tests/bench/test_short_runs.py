"""gradeq's whole engine against a strict provider, over real HTTP and between real processes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.limiter.clients import CLIENTS, GRADEQ
from bench.limiter.http import Outcome, clients_of, play
from bench.limiter.short_runs import SHORT_RUNS, ShortRun
from gradeq.limiter.base import Usage

# A short class, answered fast, with more to save up: the same rules in a few seconds.
_BRIEF = {"requests_per_minute": 1200, "start_seconds": 1.0, "latency": "0.1-0.2"}


def brief(name: str, papers: int, **changes: object) -> ShortRun:
    run = SHORT_RUNS[name]
    return replace(run, papers=papers, provider=replace(run.provider, **(_BRIEF | changes)))


async def played(run: ShortRun, client: str = GRADEQ) -> Outcome:
    (outcome,) = await play(run, [client])
    return outcome


@pytest.mark.slow
async def test_nothing_is_lost_refused_or_sent_into_a_wait() -> None:
    run = replace(brief("requests", 160), configured={"requests_per_minute": 1200})
    outcome = await played(run)
    assert (outcome.graded, outcome.lost) == (160, 0)
    assert outcome.refused_share <= 0.01
    assert outcome.inside_windows == 0
    # Mostly start and end: at least it is no multiple of the bound.
    assert outcome.efficiency >= 0.6
    assert outcome.trace.samples
    assert outcome.trace.believed


@pytest.mark.slow
@pytest.mark.parametrize("name", ["output tokens"])
async def test_half_a_minute_at_nearly_the_rate_that_is_allowed(name: str) -> None:
    run = SHORT_RUNS[name]
    outcome = await played(replace(run, papers=600, configured=run.believed))
    assert (outcome.graded, outcome.lost) == (outcome.papers, 0)
    assert outcome.refused_share <= 0.01
    assert outcome.inside_windows == 0
    assert outcome.efficiency >= 0.9


@pytest.mark.slow
async def test_a_kill_in_mid_run_loses_nothing_and_bursts_nothing() -> None:
    outcome = await played(SHORT_RUNS["restart"])
    assert (outcome.graded, outcome.lost) == (outcome.papers, 0)
    assert outcome.refused_share <= 0.01


@pytest.mark.slow
@pytest.mark.parametrize("client", [one for one in CLIENTS if one != GRADEQ])
async def test_the_others_take_part_by_the_same_rules(client: str) -> None:
    """One call at a time would do: nobody has a reason to lose anything here."""
    outcome = await played(brief("requests", 10, start_seconds=5.0), client)
    assert (outcome.graded, outcome.lost) == (10, 0)
    assert outcome.refused == 0
    assert outcome.requests == 10


def test_the_bound_counts_what_there_is_at_first_and_what_somebody_else_took() -> None:
    run = brief("requests", 100, start_seconds=2.0)
    least = run.least_seconds([Usage(100, 100)] * 100)
    assert least == pytest.approx((100 - 40) / 20 + 0.1)
    more = run.least_seconds([Usage(100, 100)] * 100, more=[Usage()] * 20)
    assert more == pytest.approx(least + 1.0)


def test_the_bound_knows_outages_that_the_buckets_cannot_bridge() -> None:
    usages = [Usage(100, 100)] * 560
    outage = SHORT_RUNS["outage"]
    without = replace(outage, outage=None)
    assert outage.least_seconds(usages) == without.least_seconds(usages)
    longer = replace(outage, outage=(8.0, 28.0))
    assert longer.least_seconds(usages) == pytest.approx(without.least_seconds(usages) + 10.0)


def test_only_gradeq_goes_on_after_a_restart() -> None:
    assert clients_of(SHORT_RUNS["restart"]) == [GRADEQ]
    assert clients_of(SHORT_RUNS["requests"]) == list(CLIENTS)


def test_a_limit_that_changes_is_told_apart_from_one_that_does_not() -> None:
    usages = [Usage(100, 100)] * 540
    halved = SHORT_RUNS["limits halved"]
    assert halved.least_seconds(usages) > replace(halved, changes=()).least_seconds(usages)
