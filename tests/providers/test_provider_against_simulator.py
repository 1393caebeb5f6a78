"""All clients against the simulated provider: two sides of the wire, written apart."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import msgspec
import pytest
from scripted_server import PROMPT

from gradeq.limiter.base import Bucket
from gradeq.outcome import ErrorClass
from gradeq.providers.base import Answer
from gradeq.providers.simulated import Simulator, SimulatorSettings

KINDS = ["anthropic", "openai", "gemini"]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


async def test_an_answer_fits_the_schema_and_is_counted(provider_at, kind):
    async with Simulator(SimulatorSettings(requests_per_minute=600)) as simulator:
        provider = provider_at(simulator.url, kind)
        answer = await provider.complete(PROMPT)
    assert isinstance(answer, Answer), answer
    assert msgspec.json.decode(answer.text)["level"] in ("good", "poor")
    assert answer.stop == "end"
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens > 0
    assert answer.request_id
    told = [each.limit for each in answer.signals.levels if each.bucket is Bucket.REQUESTS]
    assert told == ([] if kind == "gemini" else [600]), "Google tells no limits"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("400", ErrorClass.BAD_REQUEST),
        ("401", ErrorClass.BAD_KEY),
        ("402", ErrorClass.QUOTA),
        ("403", ErrorClass.BAD_KEY),
        ("404", ErrorClass.UNKNOWN_MODEL),
        ("429", ErrorClass.RATE_LIMITED),
        ("500", ErrorClass.SERVER_ERROR),
        ("502", ErrorClass.SERVER_ERROR),
        ("503", ErrorClass.OVERLOADED),
        ("504", ErrorClass.SERVER_ERROR),
        ("529", ErrorClass.OVERLOADED),
        ("drop", ErrorClass.CONNECTION_LOST),
        ("drop_body", ErrorClass.CONNECTION_LOST),
        ("html", ErrorClass.SERVER_ERROR),
        ("loading", ErrorClass.LOADING),
        ("spend_cap", ErrorClass.QUOTA),
        ("usage_limits", ErrorClass.QUOTA),
        ("quota", ErrorClass.QUOTA),
        ("slow_down", ErrorClass.SLOW_DOWN),
        ("too_large", ErrorClass.TOO_LARGE),
        ("hang", ErrorClass.TIMEOUT),
    ],
)
async def test_each_failure_is_recognised(provider_at, kind, fault, error):
    patience = 0.2 if fault == "hang" else 10.0
    async with Simulator(SimulatorSettings(fail=fault)) as simulator:
        failure = await provider_at(simulator.url, kind, timeout_seconds=patience).complete(PROMPT)
    if (kind, fault) == ("gemini", "slow_down"):
        error = ErrorClass.RATE_LIMITED  # Google has no such word
    assert failure.error is error, failure.reason


@pytest.mark.parametrize(("fault", "stop"), [("refusal", "refusal"), ("cut", "length")])
async def test_answers_that_stopped_early(provider_at, kind, fault, stop):
    async with Simulator(SimulatorSettings(fail=fault)) as simulator:
        answer = await provider_at(simulator.url, kind).complete(PROMPT)
    assert answer.stop == stop


async def test_a_hundred_at_once_are_refused_or_answered_by_the_limit(provider_at, kind):
    async with Simulator(SimulatorSettings(requests_per_minute=60)) as simulator:
        provider = provider_at(simulator.url, kind)
        prompts = [replace(PROMPT, user=f"Essay number {n}.") for n in range(100)]
        replies = await asyncio.gather(*map(provider.complete, prompts))
    answered = [reply for reply in replies if isinstance(reply, Answer)]
    refused = [reply for reply in replies if not isinstance(reply, Answer)]
    assert 60 <= len(answered) <= 65
    assert {reply.error for reply in refused} == {ErrorClass.RATE_LIMITED}
    assert all(reply.signals.retry_after is not None for reply in refused)


async def test_a_restart_of_the_provider_costs_no_call(provider_at, kind):
    async with Simulator() as simulator:
        provider = provider_at(simulator.url, kind)
        for _ in range(3):
            assert isinstance(await provider.complete(PROMPT), Answer)
            simulator.disconnect_all()
