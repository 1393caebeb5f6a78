"""The first call with a cold prefix goes alone."""

from __future__ import annotations

from dataclasses import replace

from gradeq.clock import ManualClock
from gradeq.limiter.base import Bucket, LimitedBy, Limits, Usage
from gradeq.limiter.permit import Permit

from .helpers import CALL, SILENT, USED, a_pool, denied, started, told

CACHING = Limits(20, caches_prompts=True)
LONG = replace(CALL, like="rubric 1", prefix_tokens=2000)
WRITTEN = Usage(3000, 400, cache_write_tokens=2000)
READ = Usage(3000, 400, cache_read_tokens=2000)


def test_followers_wait_for_their_leader_s_answer(clock: ManualClock) -> None:
    pool = a_pool(clock, CACHING)
    leader = started(pool, LONG)
    assert denied(pool, LONG).reason is LimitedBy.PROMPT_CACHE
    assert denied(pool, LONG).ready_at is None
    assert pool.must_follow(LONG)
    pool.answered(leader, WRITTEN, SILENT)
    assert not pool.must_follow(LONG)
    assert all(started(pool, LONG) for _ in range(20))


def test_other_prefixes_run_meanwhile(clock: ManualClock) -> None:
    pool = a_pool(clock, CACHING)
    started(pool, LONG)
    assert started(pool, replace(LONG, like="rubric 2"))
    assert started(pool, CALL)


def test_the_next_leads_where_the_leader_got_no_answer(clock: ManualClock) -> None:
    pool = a_pool(clock, CACHING)
    pool.failed(started(pool, LONG), keep_tokens=False)
    assert isinstance(started(pool, LONG), Permit)
    assert pool.must_follow(LONG)


def test_a_prefix_that_is_not_cached_is_not_waited_for_again(clock: ManualClock) -> None:
    """The model's minimum is longer than this prefix, and nobody says so."""
    pool = a_pool(clock, CACHING)
    pool.answered(started(pool, LONG), USED, SILENT)
    assert [started(pool, LONG), started(pool, LONG)]


def test_a_prefix_gets_cold_five_minutes_after_its_last_use(clock: ManualClock) -> None:
    pool = a_pool(clock, CACHING)
    pool.answered(started(pool, LONG), WRITTEN, SILENT)
    clock.advance(200)
    pool.answered(started(pool, LONG), READ, SILENT)
    clock.advance(200)
    started(pool, LONG)
    assert not pool.must_follow(LONG)
    clock.advance(301)
    started(pool, LONG)
    assert pool.must_follow(LONG)


def test_short_prefixes_and_providers_without_a_cache_have_no_leaders(clock: ManualClock) -> None:
    pool = a_pool(clock, CACHING)
    short = replace(LONG, prefix_tokens=400)
    assert [started(pool, short), started(pool, short)]
    plain = a_pool(clock, Limits(20))
    assert [started(plain, LONG), started(plain, LONG)]


def test_many_prefixes_are_not_remembered_for_ever(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(1000, caches_prompts=True))
    first = started(pool, LONG)
    for n in range(2, 600):
        pool.answered(started(pool, replace(LONG, like=f"rubric {n}")), WRITTEN, SILENT)
    assert pool.must_follow(LONG), "a prefix with a leader is kept"
    pool.answered(first, WRITTEN, SILENT)
    assert not pool.must_follow(LONG)


def test_a_follower_reserves_only_what_the_cache_does_not_hold(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(20, 600, 60_000, caches_prompts=True))
    leader = started(pool, replace(LONG, input_tokens=3000))
    assert leader.charges[Bucket.INPUT_TOKENS].at_start == 3000
    pool.answered(leader, WRITTEN, told(input_tokens=(60_000, 50_000)))
    clock.advance(1)
    follower = started(pool, replace(LONG, input_tokens=3000))
    assert follower.charges[Bucket.INPUT_TOKENS].at_start == 1000
    pool.answered(follower, READ, SILENT)
    clock.advance(301)
    assert (
        started(pool, replace(LONG, input_tokens=3000)).charges[Bucket.INPUT_TOKENS]
        == (leader.charges[Bucket.INPUT_TOKENS])
    )
