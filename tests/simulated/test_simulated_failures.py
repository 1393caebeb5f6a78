"""Every kind of failure, as the official clients see it."""

from __future__ import annotations

import asyncio
import json

import pytest
from official import anthropic, openai
from sample_paper import SCHEMA

from gradeq.providers.simulated import Fault

STATUS_ANTHROPIC = {
    "400": ("BadRequestError", "invalid_request_error"),
    "401": ("AuthenticationError", "authentication_error"),
    "402": ("PaymentRequiredError", "billing_error"),
    "403": ("PermissionDeniedError", "permission_error"),
    "404": ("NotFoundError", "not_found_error"),
    "429": ("RateLimitError", "rate_limit_error"),
    "500": ("InternalServerError", "api_error"),
    "502": ("InternalServerError", "api_error"),
    "503": ("ServiceUnavailableError", "api_error"),
    "504": ("GatewayTimeoutError", "timeout_error"),
    "529": ("OverloadedError", "overloaded_error"),
    "spend_cap": ("RateLimitError", "rate_limit_error"),
    "usage_limits": ("BadRequestError", "invalid_request_error"),
    "quota": ("BadRequestError", "invalid_request_error"),
    "slow_down": ("RateLimitError", "rate_limit_error"),
    "too_large": ("ContentTooLargeError", "request_too_large"),
    "html": ("InternalServerError", None),
    "loading": ("ServiceUnavailableError", "unavailable_error"),
}
STATUS_OPENAI = {
    "400": ("BadRequestError", "invalid_value"),
    "401": ("AuthenticationError", "invalid_api_key"),
    "402": ("APIStatusError", "billing_error"),
    "403": ("PermissionDeniedError", "permission_denied"),
    "404": ("NotFoundError", "model_not_found"),
    "429": ("RateLimitError", "rate_limit_exceeded"),
    "500": ("InternalServerError", None),
    "502": ("InternalServerError", None),
    "503": ("InternalServerError", None),
    "504": ("InternalServerError", None),
    "529": ("InternalServerError", None),
    "spend_cap": ("RateLimitError", "organization_spend_limit_exceeded"),
    "usage_limits": ("RateLimitError", "organization_usage_limit_exceeded"),
    "quota": ("RateLimitError", "insufficient_quota"),
    "slow_down": ("RateLimitError", "slow_down"),
    "too_large": ("RateLimitError", "rate_limit_exceeded"),
    "html": ("InternalServerError", None),
    "loading": ("InternalServerError", "503"),
}
WAITS = {"429", "slow_down"}
SEVERED = {"drop", "drop_body"}
SPOILED = {"garbage", "refusal", "cut", "schema"}


def test_no_kind_is_left_out() -> None:
    kinds = {fault.value for fault in Fault}
    assert set(STATUS_ANTHROPIC) | SEVERED | SPOILED | {"hang"} == kinds
    assert set(STATUS_OPENAI) == set(STATUS_ANTHROPIC)


@pytest.mark.parametrize("kind", STATUS_ANTHROPIC)
async def test_statuses_of_anthropic(simulate, claude, anthropic_request, kind):
    name, error_type = STATUS_ANTHROPIC[kind]
    error = getattr(anthropic, name)
    simulator = await simulate(fail=kind, retry_after_seconds=7)
    with pytest.raises(error) as caught:
        await claude(simulator).messages.create(**anthropic_request)
    assert caught.value.type == error_type
    assert caught.value.response.headers.get("retry-after") == ("7" if kind in WAITS else None)
    assert simulator.stats.failures == {kind: 1}
    assert simulator.stats.refused_429 == (error is anthropic.RateLimitError)
    assert simulator.stats.calls_per_paper == {}


@pytest.mark.parametrize("kind", STATUS_OPENAI)
async def test_statuses_of_openai(simulate, gpt, openai_request, kind):
    name, code = STATUS_OPENAI[kind]
    simulator = await simulate(fail=kind, retry_after_seconds=0.25)
    with pytest.raises(getattr(openai, name)) as caught:
        await gpt(simulator).chat.completions.create(**openai_request)
    headers = caught.value.response.headers
    assert caught.value.code == code
    assert headers.get("retry-after-ms") == ("250" if kind in WAITS else None)
    assert headers.get("retry-after") == ("1" if kind in WAITS else None)
    assert simulator.stats.failures == {kind: 1}


async def test_a_spend_cap_has_a_code_and_nothing_to_wait_for(simulate, claude, anthropic_request):
    simulator = await simulate(fail="spend_cap")
    with pytest.raises(anthropic.RateLimitError) as caught:
        await claude(simulator).messages.create(**anthropic_request)
    assert caught.value.error_code == "enforced_spend_limit_reached"
    assert type(caught.value).__name__ == "EnforcedSpendLimitReachedError"
    with pytest.raises(anthropic.RateLimitError):
        await claude(simulator).messages.create(**anthropic_request)
    assert simulator.stats.arrived_inside_retry_after == 0


async def test_slow_down_is_the_ramp_limit_of_anthropic(simulate, claude, anthropic_request):
    with pytest.raises(anthropic.RateLimitError) as caught:
        await claude(await simulate(fail="slow_down")).messages.create(**anthropic_request)
    assert caught.value.error_code == "ramp_limit_exceeded"


async def test_usage_limits_say_when_access_returns(simulate, claude, anthropic_request):
    with pytest.raises(anthropic.BadRequestError, match="specified API usage limits") as caught:
        await claude(await simulate(fail="usage_limits")).messages.create(**anthropic_request)
    # The clock stands at 2027-01-15.
    assert "on 2027-02-01 at 00:00 UTC" in str(caught.value)


async def test_a_gateway_answers_in_html_or_plain_text(simulate, claude, anthropic_request):
    client, kinds = claude(await simulate(fail="html")), set()
    for _ in range(20):
        with pytest.raises(anthropic.InternalServerError) as caught:
            await client.messages.create(**anthropic_request)
        kinds.add(caught.value.response.headers["content-type"])
        assert caught.value.response.status_code == 502
    assert kinds == {"text/html", "text/plain"}


@pytest.mark.parametrize("kind", sorted(SEVERED))
async def test_severed_connections(simulate, claude, gpt, anthropic_request, openai_request, kind):
    simulator = await simulate(fail=kind)
    with pytest.raises(anthropic.APIConnectionError):
        await claude(simulator).messages.create(**anthropic_request)
    with pytest.raises(openai.APIConnectionError):
        await gpt(simulator).chat.completions.create(**openai_request)
    stats = simulator.stats
    assert (stats.answered, stats.failures) == (0, {kind: 2})
    assert sum(stats.calls_per_paper.values()) == (2 if kind == "drop_body" else 0)
    assert (stats.output_tokens > 0) == (kind == "drop_body")


async def test_a_call_that_hangs_is_charged_and_left(
    simulate, claude, gpt, anthropic_request, openai_request
):
    simulator = await simulate(fail="hang")
    # Patience begins when the call is on the line.
    impatient = claude(simulator, timeout=anthropic.Timeout(30.0, read=0.1))
    with pytest.raises(anthropic.APITimeoutError):
        await impatient.messages.create(**anthropic_request)
    as_impatient = gpt(simulator, timeout=openai.Timeout(30.0, read=0.1))
    with pytest.raises(openai.APITimeoutError):
        await as_impatient.chat.completions.create(**openai_request)
    while simulator.stats.abandoned < 2:
        await asyncio.sleep(0)
    assert (simulator.stats.abandoned, simulator.stats.in_flight) == (2, 0)
    assert sum(simulator.stats.calls_per_paper.values()) == 2
    assert simulator.stats.output_tokens > 0


async def test_a_server_that_stops_lets_go_of_those_who_hang(simulate, claude, anthropic_request):
    simulator = await simulate(fail="hang", latency=5)
    call = asyncio.create_task(claude(simulator).messages.create(**anthropic_request))
    while not simulator.stats.in_flight:
        await asyncio.sleep(0)
    await simulator.close()
    with pytest.raises(anthropic.APIConnectionError):
        await call
    assert simulator.stats.connections == 0


async def test_garbage_is_a_200_without_a_grade(
    simulate, claude, gpt, anthropic_request, openai_request
):
    simulator = await simulate(fail="garbage")
    message = await claude(simulator).messages.create(**anthropic_request)
    assert (message.stop_reason, message.content[0].type) == ("end_turn", "text")
    completion = await gpt(simulator).chat.completions.create(**openai_request)
    with pytest.raises(json.JSONDecodeError):
        json.loads(completion.choices[0].message.content)


async def test_a_refusal_has_no_content(simulate, claude, gpt, anthropic_request, openai_request):
    simulator = await simulate(fail="refusal")
    message = await claude(simulator).messages.create(**anthropic_request)
    assert (message.stop_reason, message.content) == ("refusal", [])
    assert message.stop_details.type == "refusal"
    completion = await gpt(simulator).chat.completions.create(**openai_request)
    assert completion.choices[0].message.content is None
    assert completion.choices[0].message.refusal


async def test_a_cut_answer_is_not_whole(simulate, claude, gpt, anthropic_request, openai_request):
    simulator = await simulate(fail="cut")
    message = await claude(simulator).messages.create(**anthropic_request)
    assert message.stop_reason == "max_tokens"
    assert set(message.content[0].input) != set(SCHEMA["required"])
    completion = await gpt(simulator).chat.completions.create(**openai_request)
    assert completion.choices[0].finish_reason == "length"
    with pytest.raises(json.JSONDecodeError):
        json.loads(completion.choices[0].message.content)


async def test_an_answer_may_not_fit_the_schema(
    simulate, claude, gpt, anthropic_request, openai_request
):
    simulator = await simulate(fail="schema")
    message = await claude(simulator).messages.create(**anthropic_request)
    assert message.stop_reason == "tool_use"
    completion = await gpt(simulator).chat.completions.create(**openai_request)
    for grade in (message.content[0].input, json.loads(completion.choices[0].message.content)):
        assert not set(grade) & set(SCHEMA["required"])


async def test_a_plan_follows_the_clock(simulate, claude, anthropic_request, clock):
    simulator = await simulate(fail="529@10-40")
    client = claude(simulator)
    assert (await client.messages.create(**anthropic_request)).content
    clock.advance(10)
    with pytest.raises(anthropic.OverloadedError):
        await client.messages.create(**anthropic_request)
    clock.advance(30)
    assert (await client.messages.create(**anthropic_request)).content


async def test_the_same_seed_fails_the_same_calls(simulate, claude, anthropic_request):
    async def outcomes(seed: int) -> list[bool]:
        client = claude(await simulate(fail="500:0.5", seed=seed, latency="0-0"))
        results = []
        for _ in range(24):
            try:
                await client.messages.create(**anthropic_request)
                results.append(True)
            except anthropic.InternalServerError:
                results.append(False)
        return results

    first = await outcomes(3)
    assert first == await outcomes(3)
    assert first != await outcomes(4)
    assert {True, False} == set(first)
