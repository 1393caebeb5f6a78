"""The Anthropic dialect, through Anthropic's own client with strict types."""

from __future__ import annotations

import datetime
import json
import re

import pytest
from official import anthropic
from sample_paper import KEY, LEVELS, PAPER, SCHEMA, SYSTEM, USER

from gradeq.providers.simulated.anthropic import WITH_SAMPLING, WITHOUT_SAMPLING

LONG_SYSTEM = SYSTEM + " The rubric follows." * 300


async def test_a_forced_tool_is_called_with_input_that_fits(simulate, claude, anthropic_request):
    simulator = await simulate()
    message = await claude(simulator).messages.create(**anthropic_request)
    [block] = message.content
    assert (message.stop_reason, block.type, block.name) == ("tool_use", "tool_use", "grade")
    assert message.model == "some-model"
    assert block.input["criteria"]["evidence"]["level"] in LEVELS
    assert all(quote in PAPER for quote in block.input["criteria"]["evidence"]["evidence"])
    assert message.usage.input_tokens > 400
    assert 50 < message.usage.output_tokens < 1024
    assert simulator.stats.answered == 1


async def test_an_output_format_is_answered_with_json_text(simulate, claude, anthropic_request):
    del anthropic_request["tools"], anthropic_request["tool_choice"]
    wanted = {"format": {"type": "json_schema", "schema": SCHEMA}}
    client = claude(await simulate())
    message = await client.messages.create(**anthropic_request, output_config=wanted)
    [block] = message.content
    assert message.stop_reason == "end_turn"
    assert set(json.loads(block.text)) == {"criteria", "feedback"}


async def test_a_plain_question_is_answered_with_prose(simulate, claude, anthropic_request):
    del anthropic_request["tools"], anthropic_request["tool_choice"]
    message = await claude(await simulate()).messages.create(**anthropic_request)
    assert message.content[0].text.count(".") >= 2


async def test_an_open_schema_is_refused_where_the_output_is_strict(
    simulate, claude, anthropic_request
):
    del anthropic_request["tools"], anthropic_request["tool_choice"]
    wanted = {"format": {"type": "json_schema", "schema": {"type": "object", "properties": {}}}}
    with pytest.raises(anthropic.BadRequestError, match="additionalProperties"):
        await claude(await simulate()).messages.create(**anthropic_request, output_config=wanted)


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
async def test_both_forms_of_a_key_are_taken(simulate, claude, anthropic_request, header):
    value = f"Bearer {KEY}" if header == "authorization" else KEY
    client = claude(
        await simulate(api_keys=(KEY,)),
        api_key="not-the-key",
        default_headers={"authorization": "", header: value},
    )
    assert (await client.messages.create(**anthropic_request)).type == "message"


async def test_a_wrong_key_is_refused(simulate, claude, anthropic_request):
    simulator = await simulate(api_keys=("another",))
    with pytest.raises(anthropic.AuthenticationError, match="Invalid bearer token") as caught:
        await claude(simulator).messages.create(**anthropic_request)
    assert caught.value.type == "authentication_error"
    with pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"):
        await claude(simulator, default_headers={"x-api-key": "no"}).messages.create(
            **anthropic_request
        )
    assert simulator.stats.bad_requests == 2
    assert simulator.stats.calls_per_paper == {}


@pytest.mark.parametrize("version", [WITH_SAMPLING, WITHOUT_SAMPLING])
async def test_both_versions_are_spoken(simulate, claude, anthropic_request, version):
    client = claude(await simulate(), default_headers={"anthropic-version": version})
    assert (await client.messages.create(**anthropic_request)).stop_reason == "tool_use"


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
async def test_only_the_older_version_takes_sampling_parameters(
    simulate, claude, anthropic_request, name
):
    client, extra = claude(await simulate()), {name: 1}
    with pytest.raises(anthropic.BadRequestError, match=f"{name}: Extra inputs are not permitted"):
        await client.messages.create(**anthropic_request, extra_body=extra)
    older = client.with_options(default_headers={"anthropic-version": WITH_SAMPLING})
    assert (await older.messages.create(**anthropic_request, extra_body=extra)).content


@pytest.mark.parametrize(("version", "says"), [("2020-01-01", "not a valid"), ("", "is required")])
async def test_other_versions_are_refused(simulate, claude, anthropic_request, version, says):
    client = claude(await simulate(), default_headers={"anthropic-version": version})
    with pytest.raises(anthropic.BadRequestError, match=says):
        await client.messages.create(**anthropic_request)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"max_tokens": 0}, "max_tokens: Input should be greater"),
        ({"max_tokens": "many"}, "max_tokens: "),
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"tool_choice": {"type": "tool", "name": "other"}}, "Tool 'other' not found"),
        ({"tools": [{"name": "grade"}]}, "tools.0.input_schema: Field required"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"stream": True}, "stream"),
    ],
)
async def test_requests_that_the_real_one_refuses(
    simulate, claude, anthropic_request, change, says
):
    simulator = await simulate()
    with pytest.raises(anthropic.BadRequestError, match=re.escape(says)) as caught:
        await claude(simulator).messages.create(**anthropic_request, extra_body=change)
    assert caught.value.type == "invalid_request_error"
    assert caught.value.body["request_id"] == caught.value.request_id
    assert simulator.stats.bad_requests == 1


async def test_a_missing_field_is_named(simulate, claude):
    client = claude(await simulate())
    with pytest.raises(anthropic.BadRequestError, match="model: Field required"):
        await client.post("/v1/messages", body={}, cast_to=object)


async def test_only_known_models_are_found(simulate, claude, anthropic_request):
    client = claude(await simulate(models=("marker-1", "marker-2")))
    with pytest.raises(anthropic.NotFoundError, match="model: some-model") as caught:
        await client.messages.create(**anthropic_request)
    assert caught.value.type == "not_found_error"
    assert (await client.messages.create(**anthropic_request | {"model": "marker-2"})).content


async def test_models_are_listed(simulate, claude):
    page = await claude(await simulate(models=("marker-1", "marker-2"))).models.list()
    assert [model.id for model in page.data] == ["marker-1", "marker-2"]
    assert not page.has_next_page()


async def test_the_headers_have_the_exact_form(simulate, claude, anthropic_request, clock):
    simulator = await simulate(
        requests_per_minute=60, input_tokens_per_minute=60_000, output_tokens_per_minute=12_000
    )
    response = await claude(simulator).messages.with_raw_response.create(**anthropic_request)
    headers, usage = response.headers, (await response.parse()).usage
    start = "anthropic-ratelimit-"
    assert headers[f"{start}requests-limit"] == "60"
    assert headers[f"{start}requests-remaining"] == "59"
    assert headers[f"{start}input-tokens-limit"] == "60000"
    assert (
        headers[f"{start}input-tokens-remaining"] == f"{round(60 - usage.input_tokens / 1000)}000"
    )
    assert headers[f"{start}output-tokens-limit"] == "12000"
    assert headers[f"{start}output-tokens-remaining"] == "12000"
    assert headers[f"{start}tokens-limit"] == "72000"
    now = datetime.datetime.fromtimestamp(clock.now_ms() / 1000, datetime.UTC)
    for name in ("requests", "tokens", "input-tokens", "output-tokens"):
        reset = headers[f"{start}{name}-reset"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", reset)
        assert 0 < (datetime.datetime.fromisoformat(reset) - now).total_seconds() <= 2
    assert headers["request-id"].startswith("req_")
    assert headers["date"].endswith("GMT")
    assert "retry-after" not in headers


async def test_reset_is_when_a_bucket_is_full(simulate, claude, anthropic_request, clock):
    simulator = await simulate(requests_per_minute=6)
    client = claude(simulator)
    for _ in range(3):
        response = await client.messages.with_raw_response.create(**anthropic_request)
    reset = datetime.datetime.fromisoformat(response.headers["anthropic-ratelimit-requests-reset"])
    assert reset.timestamp() * 1000 == clock.now_ms() + 30_000


async def test_headers_can_be_switched_off(simulate, claude, anthropic_request):
    simulator = await simulate(requests_per_minute=60, headers=False)
    response = await claude(simulator).messages.with_raw_response.create(**anthropic_request)
    assert not [name for name in response.headers if "ratelimit" in name]


async def test_a_prefix_is_cached_once_it_was_answered(simulate, claude, anthropic_request, clock):
    block = {"type": "text", "text": LONG_SYSTEM, "cache_control": {"type": "ephemeral"}}
    simulator = await simulate(input_tokens_per_minute=100_000)
    client, marked = claude(simulator), anthropic_request | {"system": [block]}
    first = (await client.messages.create(**marked)).usage
    assert first.cache_creation_input_tokens > 1500
    assert first.cache_read_input_tokens == 0
    second = (await client.messages.create(**marked)).usage
    assert second.cache_read_input_tokens == first.cache_creation_input_tokens
    assert (second.cache_creation_input_tokens, second.input_tokens) == (0, first.input_tokens)
    clock.advance(301)
    third = (await client.messages.create(**marked)).usage
    assert third.cache_read_input_tokens == 0
    assert simulator.stats.cache_read_tokens == second.cache_read_input_tokens


async def test_cache_reads_are_free_of_the_input_limit(simulate, claude, anthropic_request):
    block = {"type": "text", "text": LONG_SYSTEM, "cache_control": {"type": "ephemeral"}}
    client = claude(await simulate(input_tokens_per_minute=3000))
    for _ in range(2):
        await client.messages.create(**anthropic_request | {"system": [block]})
    with pytest.raises(anthropic.RateLimitError, match="3,000 input tokens per minute"):
        await client.messages.create(**anthropic_request | {"system": LONG_SYSTEM})


async def test_a_short_prefix_is_silently_not_cached(simulate, claude, anthropic_request):
    block = {"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}
    anthropic_request["tools"][0]["description"] = "short"
    client = claude(await simulate())
    for _ in range(2):
        usage = (await client.messages.create(**anthropic_request | {"system": [block]})).usage
        assert (usage.cache_creation_input_tokens, usage.cache_read_input_tokens) == (0, 0)


async def test_a_marked_message_is_a_prefix_too(simulate, claude, anthropic_request):
    parts = [
        {"type": "text", "text": LONG_SYSTEM, "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": USER},
    ]
    anthropic_request["messages"] = [{"role": "user", "content": parts}]
    client = claude(await simulate())
    first = (await client.messages.create(**anthropic_request)).usage
    second = (await client.messages.create(**anthropic_request)).usage
    assert second.cache_read_input_tokens == first.cache_creation_input_tokens > 1500


async def test_an_answer_longer_than_max_tokens_is_cut(simulate, claude, anthropic_request):
    message = await claude(await simulate()).messages.create(
        **anthropic_request | {"max_tokens": 20}
    )
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 20)
    assert "feedback" not in message.content[0].input
