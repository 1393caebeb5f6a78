"""Rate limits in virtual time, through the official clients."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from official import anthropic, openai
from sample_paper import PAPER


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0)


async def refusal_of(call) -> anthropic.RateLimitError:
    with pytest.raises(anthropic.RateLimitError) as caught:
        await call
    return caught.value


async def test_a_burst_of_the_capacity_then_one_at_a_time(
    simulate, claude, anthropic_request, clock
):
    simulator = await simulate(requests_per_minute=12)
    create = claude(simulator).messages.create
    for _ in range(12):
        await create(**anthropic_request)
    error = await refusal_of(create(**anthropic_request))
    assert "12 requests per minute" in str(error)
    assert error.response.headers["retry-after"] == "5"
    assert error.response.headers["anthropic-ratelimit-requests-remaining"] == "0"
    for _ in range(3):
        clock.advance(5)
        await create(**anthropic_request)
        await refusal_of(create(**anthropic_request))
    assert simulator.stats.answered == 15


async def test_a_bucket_can_start_with_less_than_it_holds(
    simulate, claude, anthropic_request, clock
):
    simulator = await simulate(requests_per_minute=60, burst_seconds=10, start_seconds=2)
    create = claude(simulator).messages.create
    for _ in range(2):
        await create(**anthropic_request)
    await refusal_of(create(**anthropic_request))
    clock.advance(10)
    assert simulator.standings[0].levels == {"requests": 10.0}


async def test_retry_after_is_rounded_up_to_whole_seconds(
    simulate, claude, anthropic_request, clock
):
    simulator = await simulate(requests_per_minute=50, burst_seconds=1.2)
    create = claude(simulator).messages.create
    await create(**anthropic_request)
    clock.advance(0.1)
    error = await refusal_of(create(**anthropic_request))
    # 1.1 seconds are missing.
    assert error.response.headers["retry-after"] == "2"


async def test_openai_tells_milliseconds_as_well(simulate, gpt, openai_request, clock):
    client = gpt(await simulate(requests_per_minute=50, burst_seconds=1.2))
    await client.chat.completions.create(**openai_request)
    clock.advance(0.1)
    with pytest.raises(openai.RateLimitError, match=r"try again in 1\.1s") as caught:
        await client.chat.completions.create(**openai_request)
    headers = caught.value.response.headers
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("2", "1100")
    clock.advance(1.1)
    assert (await client.chat.completions.create(**openai_request)).choices


async def test_sixty_a_minute_can_mean_one_a_second(simulate, claude, anthropic_request, clock):
    simulator = await simulate(requests_per_minute=60, enforce_per_second=True)
    create = claude(simulator).messages.with_raw_response.create
    first = await create(**anthropic_request)
    assert first.headers["anthropic-ratelimit-requests-limit"] == "60"
    assert first.headers["anthropic-ratelimit-requests-remaining"] == "59"
    error = await refusal_of(create(**anthropic_request))
    assert error.response.headers["retry-after"] == "1"
    assert "60 requests per minute" in str(error)
    clock.advance(1)
    await create(**anthropic_request)


async def test_input_is_charged_when_a_call_is_let_in(simulate, claude, anthropic_request, clock):
    usage = (await claude(await simulate()).messages.create(**anthropic_request)).usage
    simulator = await simulate(input_tokens_per_minute=usage.input_tokens * 2)
    create = claude(simulator).messages.create
    for _ in range(2):
        await create(**anthropic_request)
    error = await refusal_of(create(**anthropic_request))
    assert "input tokens per minute" in str(error)
    clock.advance(int(error.response.headers["retry-after"]))
    await create(**anthropic_request)


async def test_output_is_charged_when_it_is_written(simulate, claude, anthropic_request, clock):
    simulator = await simulate(output_tokens_per_minute=60)
    create = claude(simulator).messages.create
    used = (await create(**anthropic_request)).usage.output_tokens
    assert used > 60
    error = await refusal_of(create(**anthropic_request))
    assert "output tokens per minute" in str(error)
    wait = int(error.response.headers["retry-after"])
    assert wait == used - 60 + 1
    clock.advance(wait)
    await create(**anthropic_request)


async def test_output_can_be_reserved_and_given_back(simulate, claude, anthropic_request, clock):
    simulator = await simulate(
        output_tokens_per_minute=1500, output_accounting="reserved", latency=2
    )
    create = claude(simulator).messages.create
    call = asyncio.create_task(create(**anthropic_request))
    await until(lambda: clock.next_waking() is not None)
    await refusal_of(create(**anthropic_request))
    clock.advance(2)
    await call
    again = asyncio.create_task(create(**anthropic_request))
    await until(lambda: clock.next_waking() is not None)
    clock.advance(2)
    await again


@pytest.mark.parametrize("counts", [False, True])
async def test_refused_calls_may_count(simulate, claude, anthropic_request, clock, counts):
    simulator = await simulate(requests_per_minute=60, burst_seconds=1, failed_calls_count=counts)
    create = claude(simulator).messages.create
    await create(**anthropic_request)
    clock.advance(0.9)
    await refusal_of(create(**anthropic_request))
    clock.advance(0.1)
    if counts:
        await refusal_of(create(**anthropic_request))
    else:
        await create(**anthropic_request)


async def test_keys_and_models_have_limits_of_their_own(simulate, claude, anthropic_request):
    simulator = await simulate(requests_per_minute=1)
    create = claude(simulator).messages.create
    await create(**anthropic_request)
    await refusal_of(create(**anthropic_request))
    await create(**anthropic_request | {"model": "another-model"})
    await claude(simulator, api_key="another-key").messages.create(**anthropic_request)


async def test_too_many_at_once_are_refused(simulate, claude, anthropic_request, clock):
    simulator = await simulate(concurrency=2, latency=3)
    create = claude(simulator).messages.create
    calls = [asyncio.create_task(create(**anthropic_request)) for _ in range(2)]
    await until(lambda: simulator.stats.in_flight == 2 and clock.next_waking() is not None)
    error = await refusal_of(create(**anthropic_request))
    assert "concurrent connections" in str(error)
    assert error.response.headers["retry-after"] == "1"
    clock.advance(3)
    await asyncio.gather(*calls)
    assert simulator.stats.max_in_flight == 2
    assert simulator.stats.in_flight == 0


async def test_answers_take_as_long_as_they_should(simulate, claude, anthropic_request, clock):
    simulator = await simulate(latency=2, seconds_per_output_token=0.01)
    call = asyncio.create_task(claude(simulator).messages.create(**anthropic_request))
    await until(lambda: clock.next_waking() is not None)
    due = clock.next_waking()
    clock.advance(due)
    usage = (await call).usage
    assert due == pytest.approx(2 + usage.output_tokens / 100)


async def test_calls_inside_a_retry_after_are_counted(simulate, claude, anthropic_request, clock):
    simulator = await simulate(requests_per_minute=6, burst_seconds=10)
    create = claude(simulator).messages.create
    await create(**anthropic_request)
    await refusal_of(create(**anthropic_request))
    await refusal_of(create(**anthropic_request))
    assert simulator.stats.refused_429 == 2
    assert simulator.stats.arrived_inside_retry_after == 0
    clock.advance(5)
    await refusal_of(create(**anthropic_request))
    clock.advance(5)
    await create(**anthropic_request)
    stats = simulator.stats
    assert (stats.arrived_inside_retry_after, stats.refused_inside_retry_after) == (1, 1)


async def test_calls_are_counted_by_paper(simulate, claude, gpt, anthropic_request, openai_request):
    simulator = await simulate(requests_per_minute=1)
    await claude(simulator).messages.create(**anthropic_request)
    await refusal_of(claude(simulator).messages.create(**anthropic_request))
    await gpt(simulator).chat.completions.create(**openai_request)
    digest = hashlib.sha256(PAPER.encode()).hexdigest()
    assert simulator.stats.calls_per_paper == {digest: 2}
    assert simulator.stats.requests == 3


async def test_limits_change_in_mid_run(simulate, claude, anthropic_request):
    simulator = await simulate(requests_per_minute=100)
    create = claude(simulator).messages.with_raw_response.create
    await create(**anthropic_request)
    simulator.change(requests_per_minute=2)
    headers = (await create(**anthropic_request)).headers
    assert headers["anthropic-ratelimit-requests-limit"] == "2"
    assert headers["anthropic-ratelimit-requests-remaining"] == "1"
    simulator.change(requests_per_minute=None)
    headers = (await create(**anthropic_request)).headers
    assert "anthropic-ratelimit-requests-limit" not in headers


async def test_keys_of_one_organization_share_its_limits(simulate, claude, anthropic_request):
    simulator = await simulate(requests_per_minute=2, shared_limits=True)
    other = claude(simulator, api_key="another-key").messages.create
    create = claude(simulator).messages.create
    await create(**anthropic_request)
    await other(**anthropic_request)
    await refusal_of(create(**anthropic_request))
    first, second = simulator.standings
    assert (first.requests, first.refused_429) == (2, 1)
    assert (second.requests, second.refused_429) == (1, 0)
    assert first.levels == second.levels == {"requests": 0.0}
    simulator.change(requests_per_minute=4)
    assert simulator.standings[1].levels == {"requests": 0.0}


async def test_who_waits_is_told_by_key(simulate, claude, anthropic_request, clock):
    """A 429 to one key is no news to another, even where they share the limits."""
    simulator = await simulate(requests_per_minute=1, shared_limits=True)
    create = claude(simulator).messages.create
    await create(**anthropic_request)
    await refusal_of(create(**anthropic_request))
    clock.advance(1)
    await refusal_of(claude(simulator, api_key="another-key").messages.create(**anthropic_request))
    await refusal_of(create(**anthropic_request))
    assert [one.arrived_inside_retry_after for one in simulator.standings] == [1, 0]
