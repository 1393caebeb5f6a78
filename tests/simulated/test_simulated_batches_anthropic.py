"""Anthropic's Message Batches, through Anthropic's own client with strict types."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest
from official import anthropic
from sample_paper import LEVELS, PAPER, USER


def entries(request: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """`count` papers, each a word longer than the one before."""
    return [
        {
            "custom_id": f"entry-{number}",
            "params": request | {"messages": [{"role": "user", "content": paper(number)}]},
        }
        for number in range(count)
    ]


def paper(number: int) -> str:
    return USER.replace(PAPER, PAPER + " Sleep." * number)


def digest(number: int) -> str:
    return hashlib.sha256((PAPER + " Sleep." * number).encode()).hexdigest()


async def results_of(client: anthropic.AsyncAnthropic, batch_id: str) -> dict[str, Any]:
    return {
        each.custom_id: each.result
        async for each in await client.messages.batches.results(batch_id)
    }


async def ended(client: anthropic.AsyncAnthropic, batch_id: str) -> Any:
    """Ask until it has ended; what has to pass of time has passed."""
    while True:
        batch = await client.messages.batches.retrieve(batch_id)
        if batch.processing_status == "ended":
            return batch


async def test_a_batch_is_answered_as_live_calls_are(simulate, claude, anthropic_request, clock):
    simulator = await simulate(batch_seconds=60)
    client = claude(simulator)
    batch = await client.messages.batches.create(requests=entries(anthropic_request, 3))
    assert (batch.processing_status, batch.request_counts.processing) == ("in_progress", 3)
    assert (batch.results_url, batch.ended_at) == (None, None)
    assert (batch.expires_at - batch.created_at).days == 1
    assert batch.created_at.timestamp() * 1000 == clock.now_ms()
    clock.advance(60)
    done = await ended(client, batch.id)
    assert (done.request_counts.succeeded, done.request_counts.processing) == (3, 0)
    results = await results_of(client, batch.id)
    assert set(results) == {"entry-0", "entry-1", "entry-2"}
    message = results["entry-1"].message
    live = await client.messages.create(**entries(anthropic_request, 2)[1]["params"])
    assert message.content[0].input == live.content[0].input
    assert message.content[0].input["criteria"]["evidence"]["level"] in LEVELS
    assert message.usage.output_tokens == live.usage.output_tokens


async def test_what_is_paid_is_counted_apart_from_live_calls(
    simulate, claude, anthropic_request, clock
):
    simulator = await simulate(requests_per_minute=1, batch_seconds=1)
    client = claude(simulator)
    batch = await client.messages.batches.create(requests=entries(anthropic_request, 5))
    clock.advance(1)
    await ended(client, batch.id)
    stats = simulator.stats
    assert (stats.batches, stats.batch_entries, stats.requests, stats.refused_429) == (1, 5, 0, 0)
    assert stats.batch_answers_per_paper == {digest(number): 1 for number in range(5)}
    assert (stats.calls_per_paper, stats.batch_calls >= 2) == ({}, True)
    assert (await client.messages.create(**anthropic_request)).type == "message"


async def test_there_are_no_results_before_the_end(simulate, claude, anthropic_request):
    client = claude(await simulate(batch_seconds=60))
    batch = await client.messages.batches.create(requests=entries(anthropic_request, 1))
    with pytest.raises(anthropic.NotFoundError, match="no results yet"):
        await client.get(f"/v1/messages/batches/{batch.id}/results", cast_to=object)


async def test_a_cancelled_batch_keeps_what_was_answered(
    simulate, claude, anthropic_request, clock
):
    simulator = await simulate(batch_seconds=100)
    client = claude(simulator)
    batch = await client.messages.batches.create(requests=entries(anthropic_request, 10))
    await client.messages.batches.retrieve(batch.id)
    clock.advance(40)
    while len(simulator.stats.batch_answers_per_paper) < 4:
        await client.messages.batches.retrieve(batch.id)
    stopping = await client.messages.batches.cancel(batch.id)
    assert stopping.processing_status == "canceling"
    assert stopping.cancel_initiated_at is not None
    counts = (await ended(client, batch.id)).request_counts
    assert (counts.succeeded, counts.canceled) == (4, 6)
    kinds = [result.type for result in (await results_of(client, batch.id)).values()]
    assert kinds == ["succeeded"] * 4 + ["canceled"] * 6
    with pytest.raises(anthropic.BadRequestError, match="has ended"):
        await client.messages.batches.cancel(batch.id)


async def test_batches_are_listed_newest_first_and_by_page(simulate, claude, anthropic_request):
    client = claude(await simulate())
    one = entries(anthropic_request, 1)
    made = [(await client.messages.batches.create(requests=one)).id for _ in range(5)]
    first = await client.messages.batches.list(limit=2)
    assert [each.id for each in first.data] == made[:2:-1]
    assert first.has_more
    assert [each.id async for each in client.messages.batches.list(limit=2)] == made[::-1]
    before = await client.messages.batches.list(limit=2, before_id=made[0])
    assert [each.id for each in before.data] == [made[2], made[1]]
    for bad in ({"limit": 0}, {"after_id": "nothing"}):
        with pytest.raises(anthropic.BadRequestError):
            await client.messages.batches.list(**bad)


async def test_batches_of_another_key_are_unknown(simulate, claude, anthropic_request):
    simulator = await simulate(api_keys=("mine", "theirs"))
    mine, theirs, nobody = (claude(simulator, api_key=key) for key in ("mine", "theirs", "no"))
    batch = await mine.messages.batches.create(requests=entries(anthropic_request, 1))
    with pytest.raises(anthropic.NotFoundError, match=batch.id):
        await theirs.messages.batches.retrieve(batch.id)
    assert (await theirs.messages.batches.list()).data == []
    with pytest.raises(anthropic.AuthenticationError):
        await nobody.messages.batches.retrieve(batch.id)
    with pytest.raises(anthropic.NotFoundError):
        await mine.get("/v1/messages/batches/x/y/z", cast_to=object)


async def test_entries_are_looked_into_only_when_they_are_worked_off(
    simulate, claude, anthropic_request, clock
):
    client = claude(await simulate(models=("marker-1",), batch_seconds=1))
    wrong = {"custom_id": "wrong", "params": anthropic_request | {"max_tokens": 0}}
    unknown = {"custom_id": "unknown", "params": anthropic_request}
    good = {"custom_id": "good", "params": anthropic_request | {"model": "marker-1"}}
    batch = await client.messages.batches.create(requests=[wrong, unknown, good])
    clock.advance(1)
    counts = (await ended(client, batch.id)).request_counts
    assert (counts.succeeded, counts.errored) == (1, 2)
    results = await results_of(client, batch.id)
    assert results["wrong"].error.error.type == "invalid_request_error"
    assert "max_tokens" in results["wrong"].error.error.message
    assert results["unknown"].error.error.type == "not_found_error"
    assert results["good"].message.stop_reason == "tool_use"


@pytest.mark.parametrize(
    ("requests", "says"),
    [
        ([], "1 to 100000"),
        ([{"custom_id": "a b", "params": {}}], "custom_id"),
        ([{"custom_id": "x" * 65, "params": {}}], "custom_id"),
        ([{"custom_id": "same", "params": {}}] * 2, "unique"),
        ([{"params": {}}], "custom_id: Field required"),
    ],
)
async def test_batches_that_the_real_one_refuses(simulate, claude, requests, says):
    simulator = await simulate()
    with pytest.raises(anthropic.BadRequestError, match=says):
        await claude(simulator).messages.batches.create(requests=requests)
    assert (simulator.stats.batches, simulator.stats.bad_requests) == (0, 1)


async def test_entries_can_be_made_to_fail_and_to_expire(
    simulate, claude, anthropic_request, clock
):
    simulator = await simulate(batch_seconds=1, batch_fail="529:0.4,hang:0.4")
    client = claude(simulator)
    batch = await client.messages.batches.create(requests=entries(anthropic_request, 30))
    clock.advance(1)
    counts = (await ended(client, batch.id)).request_counts
    assert counts.succeeded + counts.errored + counts.expired == 30
    assert min(counts.succeeded, counts.errored, counts.expired) > 0
    results = (await results_of(client, batch.id)).values()
    [*errors] = {each.error.error.type for each in results if each.type == "errored"}
    assert errors == ["overloaded_error"]
    assert len(simulator.stats.batch_answers_per_paper) == counts.succeeded
    assert simulator.stats.failures == {"529": counts.errored, "hang": counts.expired}


async def test_a_line_of_the_results_can_be_broken_off(simulate, claude, anthropic_request, clock):
    simulator = await simulate(batch_seconds=1, batch_fail="drop_body")
    client = claude(simulator)
    batch = await client.messages.batches.create(requests=entries(anthropic_request, 1))
    clock.advance(1)
    await ended(client, batch.id)
    with pytest.raises(json.JSONDecodeError):
        await results_of(client, batch.id)
    assert simulator.stats.batch_answers_per_paper == {digest(0): 1}


@pytest.mark.parametrize("fault", ["429", "503", "drop", "html"])
async def test_calls_about_batches_fail_by_the_plan(simulate, claude, anthropic_request, fault):
    simulator = await simulate(fail=fault)
    with pytest.raises(anthropic.AnthropicError):
        await claude(simulator).messages.batches.create(requests=entries(anthropic_request, 1))
    assert (simulator.stats.batches, simulator.stats.failures) == (0, {fault: 1})


@pytest.mark.parametrize("fault", ["hang", "drop_body"])
async def test_a_batch_can_be_accepted_and_its_answer_lost(
    simulate, claude, anthropic_request, fault
):
    simulator = await simulate(fail=fault)
    client = claude(simulator, timeout=anthropic.Timeout(30.0, read=0.5))
    with pytest.raises(anthropic.APIConnectionError):
        await client.messages.batches.create(requests=entries(anthropic_request, 2))
    while not simulator.stats.batches:
        await asyncio.sleep(0)
    simulator.change(fail="")
    [found] = (await claude(simulator).messages.batches.list()).data
    assert found.request_counts.processing == 2


async def test_a_change_of_the_time_holds_for_open_batches(simulate, claude, anthropic_request):
    simulator = await simulate(batch_seconds=86_400)
    client = claude(simulator)
    batch = await client.messages.batches.create(requests=entries(anthropic_request, 2))
    assert (await client.messages.batches.retrieve(batch.id)).processing_status == "in_progress"
    simulator.change(batch_seconds=0)
    assert (await ended(client, batch.id)).request_counts.succeeded == 2


async def test_what_cannot_happen_to_an_entry_is_refused(simulate):
    simulator = await simulate()
    with pytest.raises(ValueError, match="'html' cannot happen"):
        simulator.change(batch_fail="500:0.1,html")
    with pytest.raises(ValueError, match="batch_seconds"):
        simulator.change(batch_seconds=-1)
