"""Both dialects through a real socket: the bytes that go out, and what is read from those back."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from types import MappingProxyType

import msgspec
import pytest
from scripted_server import KEY, PROMPT, SCHEMA, Exchange, response

from gradeq.clock import ManualClock
from gradeq.errors import ConfigError
from gradeq.limiter.base import Bucket, Level, Limits, Usage
from gradeq.outcome import ErrorClass
from gradeq.providers.base import Answer, Failure
from gradeq.providers.build import ProviderSettings, build_provider

CLAUDE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x-1",
    "content": [
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "t1", "name": "grade", "input": {"level": "good"}},
    ],
    "stop_reason": "tool_use",
    "usage": {
        "input_tokens": 100,
        "output_tokens": 20,
        "cache_creation_input_tokens": 30,
        "cache_read_input_tokens": 7,
    },
}

GPT = {
    "id": "c1",
    "object": "chat.completion",
    "model": "gpt-x-1",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": '{"level":"good"}', "refusal": None},
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 64},
    },
}


def gpt(finish: str = "stop", **message: object) -> dict[str, object]:
    return GPT | {"choices": [{"message": message, "finish_reason": finish}]}


def refusal(message: str, param: str | None = None) -> bytes:
    kind = "invalid_request_error"
    return response({"error": {"message": message, "type": kind, "param": param}}, 400)


async def test_what_anthropic_is_sent(server, provider_at):
    server.will(response(CLAUDE))
    await provider_at(server.url).complete(PROMPT)
    (seen,) = server.requests
    assert seen.line == "POST /v1/messages HTTP/1.1"
    assert seen.headers["x-api-key"] == KEY
    assert seen.headers["anthropic-version"] == "2023-06-01"
    assert seen.headers["content-type"] == "application/json"
    assert "authorization" not in seen.headers
    assert seen.json == {
        "model": "some-model",
        "max_tokens": 1024,
        "temperature": 0,
        "system": [
            {
                "type": "text",
                "text": "Mark the paper.",
                "cache_control": {"type": "ephemeral"},
            }
        ],
        "messages": [{"role": "user", "content": "An essay about rain."}],
        "tools": [{"name": "grade", "description": "Record the answer.", "input_schema": SCHEMA}],
        "tool_choice": {"type": "tool", "name": "grade"},
    }


async def test_what_anthropic_answers(server, provider_at):
    headers = {
        "request-id": "req_1",
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
    }
    server.will(response(CLAUDE, headers=headers))
    answer = await provider_at(server.url).complete(PROMPT)
    assert isinstance(answer, Answer)
    assert msgspec.json.decode(answer.text) == {"level": "good"}
    assert msgspec.json.decode(answer.raw) == CLAUDE
    assert answer.model == "claude-x-1"
    assert answer.usage == Usage(137, 20, cache_read_tokens=7, cache_write_tokens=30)
    assert answer.stop == "end"
    assert answer.request_id == "req_1"
    assert answer.signals.levels == (Level(Bucket.REQUESTS, 50, 49),)


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("end_turn", "end"),
        ("tool_use", "end"),
        ("stop_sequence", "end"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "refusal"),
        (None, "end"),
    ],
)
async def test_why_anthropic_stopped(server, provider_at, reason, stop):
    server.will(response(CLAUDE | {"stop_reason": reason}))
    assert (await provider_at(server.url).complete(PROMPT)).stop == stop


async def test_anthropic_may_answer_in_text_and_without_usage(server, provider_at):
    content = [{"type": "text", "text": '{"level":'}, {"type": "text", "text": '"poor"}'}]
    server.will(response({"type": "message", "content": content}))
    answer = await provider_at(server.url).complete(PROMPT)
    assert answer.text == '{"level":"poor"}'
    assert answer.model == "some-model"
    assert answer.usage.input_tokens == provider_at(server.url).estimate(PROMPT).input_tokens
    assert answer.usage.output_tokens > 0


async def test_bearer_for_anthropic(server, provider_at):
    server.will(response(CLAUDE))
    await provider_at(server.url, auth="bearer").complete(PROMPT)
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert "x-api-key" not in server.requests[0].headers


async def test_what_openai_is_sent(server, provider_at):
    server.will(response(GPT))
    await provider_at(server.url, "openai").complete(PROMPT)
    (seen,) = server.requests
    assert seen.line == "POST /v1/chat/completions HTTP/1.1"
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.json == {
        "model": "some-model",
        "messages": [
            {"role": "system", "content": "Mark the paper."},
            {"role": "user", "content": "An essay about rain."},
        ],
        "max_tokens": 1024,
        "temperature": 0,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "grade", "strict": True, "schema": SCHEMA},
        },
    }


async def test_what_openai_answers(server, provider_at):
    headers = {
        "x-request-id": "req_2",
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-tokens": "29000",
    }
    server.will(response(GPT, headers=headers))
    answer = await provider_at(server.url, "openai").complete(PROMPT)
    assert answer.text == '{"level":"good"}'
    assert answer.model == "gpt-x-1"
    assert answer.usage == Usage(100, 20, cache_read_tokens=64)
    assert answer.stop == "end"
    assert answer.request_id == "req_2"
    assert answer.signals.levels == (Level(Bucket.TOKENS, 30_000, 29_000),)


@pytest.mark.parametrize(
    ("body", "text", "stop"),
    [
        (gpt("length", content='{"lev'), '{"lev', "length"),
        (gpt("stop", content=None, refusal="I will not."), "I will not.", "refusal"),
        (gpt("content_filter", content=None), "", "refusal"),
        (gpt("stop", content=[{"type": "text", "text": "a"}, {"text": "b"}]), "ab", "end"),
    ],
)
async def test_why_openai_stopped(server, provider_at, body, text, stop):
    server.will(response(body))
    answer = await provider_at(server.url, "openai").complete(PROMPT)
    assert (answer.text, answer.stop) == (text, stop)


@pytest.mark.parametrize("kind", ["anthropic", "openai", "gemini"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"garbage",
        b'{"content": 5, "choices": 5, "candidates": 5}',
        b"[" * 5000,
        b'{"half',
        b"null",
        b"\xff{}",
    ],
)
async def test_a_200_that_is_no_answer(server, provider_at, kind, body):
    server.will(response(body))
    failure = await provider_at(server.url, kind).complete(PROMPT)
    assert failure.error is ErrorClass.SERVER_ERROR
    assert "without an answer in it" in failure.reason


@pytest.mark.parametrize("kind", ["anthropic", "openai", "gemini"])
async def test_overloaded_inside_a_200(server, provider_at, kind):
    server.will(response({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}))
    failure = await provider_at(server.url, kind).complete(PROMPT)
    assert failure.error is ErrorClass.OVERLOADED


async def test_a_rate_limit_carries_all_that_it_tells(server, provider_at):
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "too fast"}}
    headers = {
        "retry-after": "3",
        "request-id": "req_3",
        "x-should-retry": "true",
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "0",
    }
    server.will(response(error, 429, headers))
    failure = await provider_at(server.url).complete(PROMPT)
    assert isinstance(failure, Failure)
    assert failure.error is ErrorClass.RATE_LIMITED
    assert failure.signals.retry_after == 3.0
    assert failure.signals.should_retry is True
    assert failure.signals.levels == (Level(Bucket.REQUESTS, 50, 0),)
    assert (failure.status, failure.request_id) == (429, "req_3")
    assert len(server.requests) == 1


async def test_a_bad_key_names_the_variable_and_not_the_key(server, provider_at):
    error = {"error": {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}}
    server.will(response(error, 401))
    failure = await provider_at(server.url, "openai").complete(PROMPT)
    assert failure.error is ErrorClass.BAD_KEY
    assert "OPENAI_API_KEY" in failure.reason
    assert KEY not in repr(failure)


async def test_a_paper_that_the_provider_quotes_stays_out_of_the_reason(server, provider_at):
    prompt = replace(PROMPT, user="Rain fell on the old town for nine days and nobody spoke.")
    server.will(response({"error": {"message": f"Cannot read: {prompt.user}"}}, 400))
    failure = await provider_at(server.url).complete(prompt)
    assert "Cannot read: […]" in failure.reason


async def test_nothing_of_a_provider_shows_the_key(server, provider_at):
    provider = provider_at(server.url)
    assert KEY not in repr(provider)
    assert KEY not in repr({k: v for k, v in vars(provider).items() if k != "_headers"})
    assert KEY not in provider.pool


async def test_the_network_becomes_failures(server, provider_at):
    async def hang(exchange: Exchange) -> None:
        await exchange.closed.wait()

    async def drop(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{")
        await exchange.hang_up()

    server.will(hang, drop)
    slow = provider_at(server.url, timeout_seconds=0.05)
    timed_out = await slow.complete(PROMPT)
    assert timed_out.error is ErrorClass.TIMEOUT
    assert "no complete answer within 0.05 s" in timed_out.reason
    lost = await provider_at(server.url).complete(PROMPT)
    assert lost.error is ErrorClass.CONNECTION_LOST
    assert lost.status is None


async def test_a_server_that_is_not_there(unused_tcp_port_factory, provider_at):
    port = unused_tcp_port_factory()
    failure = await provider_at(f"http://127.0.0.1:{port}").complete(PROMPT)
    assert failure.error is ErrorClass.OVERLOADED
    assert f"cannot be reached: Connection refused (127.0.0.1:{port}). gradeq" in failure.reason


async def test_a_cancelled_call_leaves_the_provider_usable(server, provider_at):
    arrived = asyncio.Event()

    async def hang(exchange: Exchange) -> None:
        arrived.set()
        await exchange.closed.wait()

    server.will(hang, response(CLAUDE))
    provider = provider_at(server.url)
    call = asyncio.create_task(provider.complete(PROMPT))
    await arrived.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert isinstance(await provider.complete(PROMPT), Answer)


async def learns(server, provider, *refusals: bytes, good: object) -> list[dict[str, object]]:
    """Call until an answer comes; each refusal must cost one call and no attempt."""
    server.will(*refusals, response(good))
    for _ in refusals:
        failure = await provider.complete(PROMPT)
        assert failure.error is ErrorClass.SNOOZED
        assert failure.signals.retry_after == 0.0
        assert "leaves that out from now on" in failure.reason
    assert isinstance(await provider.complete(PROMPT), Answer)
    assert isinstance(await provider.complete(PROMPT), Answer)
    return [seen.json for seen in server.requests[-2:]]


async def test_openai_temperature_is_left_out_once_refused(server, provider_at):
    no = refusal("Unsupported value: 'temperature' does not support 0 with this model.")
    for sent in await learns(server, provider_at(server.url, "openai"), no, good=GPT):
        assert "temperature" not in sent
        assert sent["response_format"]["type"] == "json_schema"


async def test_anthropic_temperature_and_forced_tool_too(server, provider_at):
    warm = refusal("`temperature` is deprecated for this model.")
    free = refusal("tool_choice forces tool use, which this model does not support")
    for sent in await learns(server, provider_at(server.url), warm, free, good=CLAUDE):
        assert "temperature" not in sent
        assert sent["tool_choice"] == {"type": "auto"}


async def test_a_format_that_is_refused_moves_the_schema_into_the_prompt(server, provider_at):
    no = refusal("This response_format type is unavailable now")
    provider = provider_at(server.url, "openai")
    for sent in await learns(server, provider, no, good=GPT):
        assert sent["response_format"] == {"type": "json_object"}
        assert sent["messages"][0]["content"].startswith("Mark the paper.\n\nAnswer with one JSON")
        assert '"enum":["good","poor"]' in sent["messages"][0]["content"]


async def test_a_server_that_takes_no_format_at_all(server, provider_at):
    no = refusal("Unrecognized request argument supplied: response_format")
    provider = provider_at(server.url, "openai")
    for sent in await learns(server, provider, no, no, good=GPT):
        assert "response_format" not in sent
        assert '"enum":["good","poor"]' in sent["messages"][0]["content"]


async def test_the_name_of_the_bound_on_the_answer(server, provider_at):
    no = refusal(
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead.",
        "max_tokens",
    )
    for sent in await learns(server, provider_at(server.url, "openai"), no, good=GPT):
        assert "max_tokens" not in sent
        assert sent["max_completion_tokens"] == 1024


async def test_calls_sent_before_the_lesson_are_asked_again_too(server, provider_at):
    no = refusal("'temperature' is not supported")
    all_here = asyncio.Event()

    async def refuse_all(exchange: Exchange) -> None:
        if len(server.requests) == 5:
            all_here.set()
        await all_here.wait()
        await exchange.send(no if "temperature" in exchange.request.json else response(GPT))

    server.will(refuse_all)
    provider = provider_at(server.url, "openai")
    first = await asyncio.gather(*(provider.complete(PROMPT) for _ in range(5)))
    assert {failure.error for failure in first} == {ErrorClass.SNOOZED}
    assert isinstance(await provider.complete(PROMPT), Answer)


async def test_what_is_refused_although_it_was_left_out_is_a_bad_request(server, provider_at):
    server.will(refusal("'temperature' is not supported"))
    provider = provider_at(server.url, "openai")
    assert (await provider.complete(PROMPT)).error is ErrorClass.SNOOZED
    assert (await provider.complete(PROMPT)).error is ErrorClass.BAD_REQUEST


async def test_a_schema_of_read_only_mappings_is_sent(server, provider_at):
    server.will(response(CLAUDE))
    prompt = replace(PROMPT, schema=MappingProxyType(dict(SCHEMA)), user="half \ud800 a pair")
    assert isinstance(await provider_at(server.url).complete(prompt), Answer)
    assert server.requests[0].json["tools"][0]["input_schema"] == SCHEMA
    assert server.requests[0].json["messages"][0]["content"] == "half ? a pair"


def build(environ: dict[str, str] | None = None, **settings: object):
    chosen = {"name": "school", "kind": "anthropic", "model": "claude-sonnet-4-5"} | settings
    keys = {"ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": KEY} if environ is None else environ
    return build_provider(ProviderSettings(**chosen), ManualClock(), keys)


async def test_defaults():
    claude, gpt_5 = build(), build(kind="openai", model="gpt-5")
    assert (claude.name, claude.model) == ("school", "claude-sonnet-4-5")
    assert claude.pool.startswith("api.anthropic.com/v1 ")
    assert claude.pool.endswith(" claude-sonnet-4")
    assert gpt_5.pool.startswith("api.openai.com/v1 ")
    assert claude.limits == Limits(caches_prompts=True)
    assert gpt_5.limits == Limits(reserves_output=True, counts_cache_reads=True)


async def test_openai_itself_gets_the_new_name_of_the_bound():
    body = build(kind="openai")._dialect
    sent = msgspec.json.decode(body.encode(PROMPT, body.first_form))
    assert sent["max_completion_tokens"] == 1024
    assert "max_tokens" not in sent


async def test_settings_become_limits_and_prices():
    provider = build(
        concurrency=50,
        requests_per_minute=1000,
        input_tokens_per_minute=450_000,
        output_tokens_per_minute=90_000,
        tokens_per_minute=500_000,
        price_input=3.0,
        price_output=15.0,
    )
    assert provider.limits == Limits(
        50, 1000, 450_000, 90_000, tokens_per_minute=500_000, caches_prompts=True
    )
    usage = Usage(1_000_000, 100_000, cache_read_tokens=1_000_000)
    assert provider.price(usage) == pytest.approx(0.3 + 1.5)
    assert build().price(usage) == 0.0


@pytest.mark.parametrize("kind", ["anthropic", "openai"])
@pytest.mark.parametrize("text", ["An essay.", "日本語の作文。" * 50, '\n\t"quoted" 🧬' * 20])
async def test_the_worst_price_of_a_prompt(kind, text):
    """Every byte a token, all of it the dearest kind, and the longest answer there may be."""
    provider = build(kind=kind, price_input=3.0, price_output=15.0)
    prompt = replace(PROMPT, user=text)
    bytes_sent = len((prompt.system + prompt.user).encode()) + len(str(dict(prompt.schema)))
    dearest = 3.75 if kind == "anthropic" else 3.0
    worst = (dearest * (bytes_sent + 1000) + 15.0 * prompt.max_output_tokens) / 1e6
    assert provider.is_priced
    assert worst <= provider.worst_price(prompt) <= 1.5 * worst
    longer = replace(prompt, max_output_tokens=2 * prompt.max_output_tokens)
    more = provider.worst_price(longer) - provider.worst_price(prompt)
    assert more == pytest.approx(15.0 * prompt.max_output_tokens / 1e6, abs=1e-4)


async def test_without_prices_nothing_costs_anything():
    assert not build().is_priced
    assert build().worst_price(PROMPT) == 0.0
    assert build(price_output=1.0).is_priced


async def test_the_same_key_and_family_are_one_pool_and_another_key_is_not():
    assert build().pool == build(model="claude-sonnet-4-20250514", name="other").pool
    assert build().pool == build(base_url="https://api.anthropic.com/v1/").pool
    assert build().pool != build({"ANTHROPIC_API_KEY": "another-key"}).pool


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "ANTHROPIC_API_KEY is not set"),
        ({"kind": "openai"}, "OPENAI_API_KEY is not set"),
        ({"kind": "gemini"}, "GEMINI_API_KEY is not set"),
        ({"api_key_env": "MY_KEY"}, "MY_KEY is not set"),
        ({"api_key_file": "/nowhere/key"}, "/nowhere/key cannot be read"),
        ({"kind": "magic"}, "Choose one of: anthropic, openai, gemini, local, simulated"),
        ({"kind": "simulated"}, "its server was not started"),
        ({"model": " "}, "names no model"),
        ({"auth": "basic"}, "Choose: bearer"),
        ({"concurrency": 0}, "concurrency"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds"),
        ({"base_url": "example.com"}, "is not a web address"),
    ],
)
def test_settings_that_cannot_be_used(settings, says):
    with pytest.raises(ConfigError, match=says):
        build({}, **settings)


async def test_a_server_on_this_machine_needs_no_key(server):
    server.will(response(GPT))
    provider = build({}, kind="openai", base_url=server.url)
    assert isinstance(await provider.complete(PROMPT), Answer)
    await provider.aclose()
    assert "authorization" not in server.requests[0].headers
    assert "no-key" in provider.pool


async def test_without_a_key_a_server_that_wants_one_says_which(server):
    server.will(response({"error": "login first"}, 401))
    provider = build({}, kind="openai", base_url=server.url)
    failure = await provider.complete(PROMPT)
    await provider.aclose()
    assert "No key was sent: set OPENAI_API_KEY" in failure.reason


async def test_a_key_from_a_file(server, tmp_path):
    (tmp_path / "key").write_text("filed-key\n")
    server.will(response(CLAUDE))
    provider = build({}, base_url=server.url, api_key_file=str(tmp_path / "key"))
    await provider.complete(PROMPT)
    await provider.aclose()
    assert server.requests[0].headers["x-api-key"] == "filed-key"


async def test_the_simulated_kind_speaks_anthropic_and_needs_no_key(server):
    server.will(response(CLAUDE))
    provider = build({}, kind="simulated", base_url=server.url)
    assert isinstance(await provider.complete(PROMPT), Answer)
    await provider.aclose()
    assert server.requests[0].headers["x-api-key"] == "simulated"


def test_importing_the_builder_loads_no_http_library():
    code = (
        "import sys, gradeq.providers.build\n"
        "assert not {'httpx', 'aiohttp', 'httpx_aiohttp'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
