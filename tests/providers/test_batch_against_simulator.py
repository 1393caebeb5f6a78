"""Both batch APIs over HTTP, from posting to the last outcome, and what goes wrong on the way."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import msgspec
import pytest
from batch_kit import INTENT, digest, ended, entries, outcomes_of, prompt
from scripted_server import KEY

from gradeq.clock import SystemClock
from gradeq.config import ProviderSettings
from gradeq.limiter.base import Usage
from gradeq.outcome import ErrorClass
from gradeq.providers.base import Answer, Failure
from gradeq.providers.batching import Progress
from gradeq.providers.build import build_provider
from gradeq.providers.simulated import Simulator, SimulatorSettings

KINDS = ["anthropic", "openai"]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
async def simulate(clock):
    """Simulators that share the manual clock of the providers."""
    opened = []

    async def start(**settings):
        simulator = Simulator(SimulatorSettings(**({"batch_seconds": 60} | settings)), clock=clock)
        await simulator.start()
        opened.append(simulator)
        return simulator

    yield start
    for simulator in opened:
        await simulator.close()


async def post(provider, count: int) -> str:
    batch_id = await provider.post(INTENT, entries(count))
    assert isinstance(batch_id, str), batch_id
    return batch_id


async def test_every_entry_is_answered_as_a_live_call_would_be(simulate, batches_at, kind, clock):
    simulator = await simulate()
    provider = batches_at(simulator.url, kind)
    batch_id = await post(provider, 3)
    assert await provider.progress(batch_id) == Progress(batch_id, False, 0, 0, 3)
    clock.advance(60)
    assert await ended(provider, batch_id) == Progress(batch_id, True, 3, 0, 0)
    found = await outcomes_of(provider, batch_id)
    assert sorted(found) == [f"{INTENT}-{number}" for number in range(3)]
    settings = ProviderSettings("live", kind, "some-model", base_url=simulator.url)
    live = build_provider(settings, clock, {"ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": KEY})
    once = await live.complete(prompt(1))
    came = found[f"{INTENT}-1"]
    assert isinstance(came, Answer)
    assert (came.text, came.usage, came.stop) == (once.text, once.usage, "end")
    assert msgspec.json.decode(came.text)["level"] in ("good", "poor")
    assert msgspec.json.decode(came.raw)["model"] == came.model == "some-model"
    assert provider.price(came.usage) == live.price(once.usage) / 2
    await live.aclose()


async def test_the_price_is_half(batches_at, kind):
    provider = batches_at("http://127.0.0.1:1", kind, price_input=3.0, price_output=15.0)
    assert provider.price(Usage(1_000_000, 100_000)) == pytest.approx((3.0 + 1.5) / 2)


async def test_results_can_be_read_twice_and_nothing_is_paid_twice(
    simulate, batches_at, kind, clock
):
    simulator = await simulate()
    provider = batches_at(simulator.url, kind)
    batch_id = await post(provider, 5)
    clock.advance(60)
    await ended(provider, batch_id)
    assert await outcomes_of(provider, batch_id) == await outcomes_of(provider, batch_id)
    assert simulator.stats.batch_answers_per_paper == {digest(number): 1 for number in range(5)}
    assert (simulator.stats.batches, simulator.stats.batch_entries) == (1, 5)


async def test_before_the_end_there_are_no_outcomes(simulate, batches_at, kind):
    provider = batches_at((await simulate()).url, kind)
    batch_id = await post(provider, 1)
    [failure] = [each async for each in provider.outcomes(batch_id)]
    assert failure.error in (ErrorClass.SNOOZED, ErrorClass.SERVER_ERROR)


async def test_what_was_answered_before_a_cancellation_comes(simulate, batches_at, kind, clock):
    simulator = await simulate()
    provider = batches_at(simulator.url, kind)
    batch_id = await post(provider, 10)
    clock.advance(24)
    while len(simulator.stats.batch_answers_per_paper) < 4:
        await asyncio.sleep(0)
    assert await provider.cancel(batch_id) is None
    assert await ended(provider, batch_id) == Progress(batch_id, True, 4, 6, 0)
    assert await provider.cancel(batch_id) is None
    found = list((await outcomes_of(provider, batch_id)).values())
    unasked = [came for came in found if isinstance(came, Failure)]
    assert (len(found), len(unasked)) == (10, 6)
    assert {(each.error, each.signals.retry_after) for each in unasked} == {(ErrorClass.SNOOZED, 0)}
    assert all("charged nothing" in each.reason for each in unasked)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("400", ErrorClass.BAD_REQUEST),
        ("404", ErrorClass.UNKNOWN_MODEL),
        ("500", ErrorClass.SERVER_ERROR),
        ("529", ErrorClass.OVERLOADED),
        ("429", ErrorClass.RATE_LIMITED),
        ("quota", ErrorClass.QUOTA),
        ("too_large", ErrorClass.TOO_LARGE),
        ("hang", ErrorClass.SNOOZED),
        ("drop_body", ErrorClass.SERVER_ERROR),
    ],
)
async def test_failed_entries_harm_no_others(simulate, batches_at, kind, clock, fault, error):
    simulator = await simulate(batch_fail=f"{fault}:0.5")
    provider = batches_at(simulator.url, kind)
    batch_id = await post(provider, 20)
    clock.advance(60)
    progress = await ended(provider, batch_id)
    found = await outcomes_of(provider, batch_id)
    failures = [came for came in found.values() if isinstance(came, Failure)]
    assert len(found) == 20
    assert 0 < len(failures) < 20
    assert {each.error for each in failures} == {error}, failures[0].reason
    if fault != "drop_body":
        assert (progress.answered, progress.failed) == (20 - len(failures), len(failures))
        assert len(simulator.stats.batch_answers_per_paper) == 20 - len(failures)


@pytest.mark.parametrize(("fault", "stop"), [("refusal", "refusal"), ("cut", "length")])
async def test_answers_that_stopped_early(simulate, batches_at, kind, clock, fault, stop):
    provider = batches_at((await simulate(batch_fail=fault)).url, kind)
    batch_id = await post(provider, 1)
    clock.advance(60)
    await ended(provider, batch_id)
    [came] = (await outcomes_of(provider, batch_id)).values()
    assert came.stop == stop


# An answer to the post that never came ----------------------------------------------------------


async def test_a_batch_is_found_by_whoever_knows_only_its_intent(simulate, batches_at, clock, kind):
    simulator = await simulate()
    since = clock.now_ms()
    await post(batches_at(simulator.url, kind), 2)
    foreign = [replace(each, custom_id=f"f-{n}") for n, each in enumerate(entries(3))]
    await batches_at(simulator.url, kind).post("f" * 12, foreign)
    again = batches_at(simulator.url, kind)
    [batch_id] = await again.find(INTENT, since_ms=since, entries=2)
    clock.advance(60)
    await ended(again, batch_id)
    assert set(await outcomes_of(again, batch_id)) == {f"{INTENT}-0", f"{INTENT}-1"}
    assert simulator.stats.batches == 2


async def test_a_batch_whose_post_had_no_answer_is_found(simulate, batches_at, clock):
    simulator = await simulate(fail="hang")
    hasty = batches_at(simulator.url, "anthropic", timeout_seconds=0.5)
    lost = await hasty.post(INTENT, entries(2))
    assert (lost.error, lost.status) == (ErrorClass.TIMEOUT, None)
    simulator.change(fail="")
    provider = batches_at(simulator.url, "anthropic")
    [batch_id] = await provider.find(INTENT, since_ms=clock.now_ms(), entries=2)
    clock.advance(60)
    await ended(provider, batch_id)
    await outcomes_of(provider, batch_id)
    assert simulator.stats.batch_answers_per_paper == {digest(0): 1, digest(1): 1}


async def test_a_lost_post_is_not_posted_again_by_itself(simulate, batches_at):
    simulator = await simulate(fail="drop_body")
    lost = await batches_at(simulator.url, "anthropic").post(INTENT, entries(2))
    assert lost.error is ErrorClass.CONNECTION_LOST
    assert (simulator.stats.batches, simulator.stats.batch_calls) == (1, 1)


async def test_it_is_found_behind_more_than_one_page(simulate, batches_at, clock, kind):
    simulator = await simulate()
    provider = batches_at(simulator.url, kind)
    since = clock.now_ms()
    wanted = await post(provider, 2)
    clock.advance(1)
    for _ in range(120):
        await provider.post("another", entries(1))
    calls = simulator.stats.batch_calls
    assert await provider.find(INTENT, since_ms=since, entries=2) == [wanted]
    assert simulator.stats.batch_calls == calls + 2


async def test_what_is_older_is_not_found(simulate, batches_at, clock, kind):
    provider = batches_at((await simulate()).url, kind)
    batch_id = await post(provider, 2)
    posted = clock.now_ms()
    clock.advance(3600)
    find = provider.find
    assert await find(INTENT, since_ms=posted + 59_000, entries=2) == [batch_id]
    assert await find(INTENT, since_ms=posted + 62_000, entries=2) == []


async def test_a_number_of_entries_that_is_not_ours_is_no_candidate(simulate, batches_at, clock):
    provider = batches_at((await simulate()).url, "anthropic")
    await post(provider, 2)
    assert await provider.find(INTENT, since_ms=clock.now_ms(), entries=3) == []


async def test_a_name_that_is_not_ours_is_not_found(simulate, batches_at, clock):
    provider = batches_at((await simulate()).url, "openai")
    await post(provider, 2)
    assert await provider.find("other", since_ms=clock.now_ms(), entries=2) == []


# Calls that fail --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "error", "status"),
    [
        ("429", ErrorClass.RATE_LIMITED, 429),
        ("503", ErrorClass.OVERLOADED, 503),
        ("500", ErrorClass.SERVER_ERROR, 500),
        ("401", ErrorClass.BAD_KEY, 401),
        ("spend_cap", ErrorClass.QUOTA, 429),
        ("html", ErrorClass.SERVER_ERROR, 502),
        ("drop", ErrorClass.CONNECTION_LOST, None),
        ("hang", ErrorClass.TIMEOUT, None),
    ],
)
async def test_every_call_may_fail_and_none_raises(
    simulate, batches_at, kind, clock, fault, error, status
):
    simulator = await simulate()
    patient = batches_at(simulator.url, kind)
    ended_id = await post(patient, 1)
    clock.advance(60)
    await ended(patient, ended_id)
    open_id = await post(patient, 1)
    simulator.change(fail=fault)
    patience = {"timeout_seconds": 0.5} if fault == "hang" else {}
    provider = batches_at(simulator.url, kind, **patience)
    came = [
        await provider.post(INTENT, entries(1)),
        await provider.find(INTENT, since_ms=clock.now_ms(), entries=1),
        await provider.progress(open_id),
        await provider.cancel(open_id),
        *[each async for each in provider.outcomes(ended_id)],
    ]
    assert [(each.error, each.status) for each in came] == [(error, status)] * 5
    assert all(KEY not in each.reason for each in came)


async def test_a_429_tells_how_long_to_wait(simulate, batches_at, kind):
    simulator = await simulate()
    provider = batches_at(simulator.url, kind)
    batch_id = await post(provider, 1)
    simulator.change(fail="429", retry_after_seconds=7)
    assert (await provider.progress(batch_id)).signals.retry_after == 7
    simulator.change(fail="")
    assert isinstance(await provider.progress(batch_id), Progress)


async def test_an_unknown_batch_is_asked_for_again_and_parks_nothing(simulate, batches_at, kind):
    provider = batches_at((await simulate()).url, kind)
    came = [await provider.progress("no/such"), await provider.cancel("no/such")]
    came += [each async for each in provider.outcomes("no/such")]
    assert [(each.error, each.status) for each in came] == [(ErrorClass.SERVER_ERROR, 404)] * 3
    assert all("no%2Fsuch" in each.reason for each in came)


async def test_a_server_without_batches_is_told_as_such(server, batches_at, kind):
    server.will(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
    refused = await batches_at(server.url, kind).post(INTENT, entries(1))
    assert (refused.error, refused.status) == (ErrorClass.UNKNOWN_MODEL, 404)


async def test_a_wrong_key_is_told(simulate, batches_at, kind):
    provider = batches_at((await simulate(api_keys=("another",))).url, kind)
    refused = await provider.post(INTENT, entries(1))
    assert refused.error is ErrorClass.BAD_KEY
    assert KEY not in refused.reason


async def test_nobody_is_there(batches_at, kind):
    provider = batches_at("http://127.0.0.1:1", kind)
    came = [await provider.post(INTENT, entries(1)), await provider.progress("x")]
    came += [each async for each in provider.outcomes("x")]
    assert {each.error for each in came} == {ErrorClass.OVERLOADED}


async def test_results_that_end_too_early_end_with_a_failure(simulate, batches_at, kind, clock):
    simulator = await simulate()
    provider = batches_at(simulator.url, kind)
    batch_id = await post(provider, 40)
    clock.advance(60)
    await ended(provider, batch_id)
    simulator.change(fail="drop_body:0.5")
    came = []
    while not (len(came) > 1 and isinstance(came[-1], Failure)):
        came = [each async for each in provider.outcomes(batch_id)]
    assert came[-1].error is ErrorClass.CONNECTION_LOST
    assert 1 < len(came) < 41
    simulator.change(fail="")
    assert len(await outcomes_of(provider, batch_id)) == 40


@pytest.mark.slow
async def test_fifty_thousand_entries_are_read_line_by_line(batches_at, kind):
    """In real time: the simulated provider works them off in the background."""
    async with Simulator(SimulatorSettings(glance=True, batch_seconds=0)) as simulator:
        provider = batches_at(simulator.url, kind, clock=SystemClock())
        batch_id = await provider.post(INTENT, entries(50_000))
        assert isinstance(batch_id, str), batch_id
        while not (await provider.progress(batch_id)).is_ended:
            await asyncio.sleep(0.5)
        assert len(await outcomes_of(provider, batch_id)) == 50_000
