"""Google's dialect through a real socket: what goes out, what is read, what is learned."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from scripted_server import KEY, PROMPT, SCHEMA, response

from gradeq.clock import ManualClock
from gradeq.limiter.base import Limits, Usage
from gradeq.outcome import ErrorClass
from gradeq.providers.base import Answer
from gradeq.providers.build import ProviderSettings, build_provider
from gradeq.providers.gemini import THOUGHT_TOKENS
from gradeq.providers.openapi import openapi_schema

ANSWER = {
    "candidates": [
        {
            "content": {
                "parts": [
                    {"text": "Rain, then. It is about rain.", "thought": True},
                    {"text": '{"level":'},
                    {"text": '"good"}', "thoughtSignature": "c2ln"},
                ],
                "role": "model",
            },
            "finishReason": "STOP",
            "index": 0,
        }
    ],
    "usageMetadata": {
        "promptTokenCount": 100,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 300,
        "cachedContentTokenCount": 64,
        "totalTokenCount": 420,
    },
    "modelVersion": "gemini-x-001",
    "responseId": "r-1",
}


def stopped(reason: str | None, *texts: str) -> dict[str, object]:
    parts = [{"text": text} for text in texts]
    return ANSWER | {"candidates": [{"content": {"parts": parts}, "finishReason": reason}]}


def refusal(message: str) -> bytes:
    return response({"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}, 400)


def unknown(name: str, where: str = " at 'generation_config'") -> bytes:
    text = f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.'
    return refusal(text)


async def test_what_gemini_is_sent(server, provider_at):
    server.will(response(ANSWER))
    await provider_at(server.url, "gemini", model="gemini-2.5-flash").complete(PROMPT)
    (seen,) = server.requests
    assert seen.line == "POST /v1beta/models/gemini-2.5-flash:generateContent HTTP/1.1"
    assert seen.headers["x-goog-api-key"] == KEY
    assert "authorization" not in seen.headers
    assert seen.json == {
        "systemInstruction": {"parts": [{"text": "Mark the paper."}]},
        "contents": [{"role": "user", "parts": [{"text": "An essay about rain."}]}],
        "generationConfig": {
            "maxOutputTokens": 1024 + THOUGHT_TOKENS,
            "temperature": 0,
            "responseMimeType": "application/json",
            "responseJsonSchema": SCHEMA,
        },
    }


@pytest.mark.parametrize(
    ("base", "model", "path"),
    [
        ("", "m", "/v1beta/models/m:generateContent"),
        ("/", "models/m", "/v1beta/models/m:generateContent"),
        ("/v1", "m", "/v1/models/m:generateContent"),
        ("/v1beta/", "m", "/v1beta/models/m:generateContent"),
        ("/gateway/gemini", "m", "/gateway/gemini/v1beta/models/m:generateContent"),
        ("/v1/models/m:generateContent", "m", "/v1/models/m:generateContent"),
        ("", "tunedModels/mine-1", "/v1beta/tunedModels/mine-1:generateContent"),
        ("", "odd name?", "/v1beta/models/odd%20name%3F:generateContent"),
    ],
)
async def test_the_model_and_the_version_stand_in_the_path(server, provider_at, base, model, path):
    server.will(response(ANSWER))
    provider = provider_at(server.url + base, "gemini", model=model)
    assert isinstance(await provider.complete(PROMPT), Answer)
    assert server.requests[0].line == f"POST {path} HTTP/1.1"


@pytest.mark.parametrize(
    ("model", "is_cooled"),
    [
        ("gemini-2.5-flash", True),
        ("gemma-3-27b-it", True),
        ("gemini-3-pro", False),
        ("gemini-3.6-flash", False),
        ("gemini-flash-latest", False),
        ("gemini-12-pro", False),
    ],
)
async def test_from_gemini_3_on_the_temperature_is_left_alone(
    server, provider_at, model, is_cooled
):
    server.will(response(ANSWER))
    await provider_at(server.url, "gemini", model=model).complete(PROMPT)
    assert ("temperature" in server.requests[0].json["generationConfig"]) is is_cooled


async def test_what_gemini_answers(server, provider_at):
    server.will(response(ANSWER))
    answer = await provider_at(server.url, "gemini").complete(PROMPT)
    assert answer.text == '{"level":"good"}', "thoughts are no part of the answer"
    assert msgspec.json.decode(answer.raw) == ANSWER
    assert answer.model == "gemini-x-001"
    assert answer.usage == Usage(100, 320, cache_read_tokens=64)
    assert (answer.stop, answer.request_id) == ("end", "r-1")
    assert answer.signals.levels == ()


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("STOP", "end"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "refusal"),
        ("RECITATION", "refusal"),
        ("PROHIBITED_CONTENT", "refusal"),
        ("BLOCKLIST", "refusal"),
        ("SPII", "refusal"),
        ("LANGUAGE", "refusal"),
        ("OTHER", "end"),
        ("MALFORMED_RESPONSE", "end"),
        ("A_REASON_OF_TOMORROW", "end"),
        (None, "end"),
    ],
)
async def test_why_gemini_stopped(server, provider_at, reason, stop):
    server.will(response(stopped(reason, "half")))
    answer = await provider_at(server.url, "gemini").complete(PROMPT)
    assert (answer.text, answer.stop) == ("half", stop)


@pytest.mark.parametrize(
    ("body", "stop"),
    [
        ({"candidates": [{"finishReason": "SAFETY", "index": 0}]}, "refusal"),
        ({"candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}]}, "length"),
        ({"candidates": [{"content": {}, "finishReason": "STOP"}]}, "end"),
        ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, "refusal"),
    ],
)
async def test_answers_without_a_word(server, provider_at, body, stop):
    server.will(response(body))
    answer = await provider_at(server.url, "gemini").complete(PROMPT)
    assert (answer.text, answer.stop) == ("", stop)
    assert answer.model == "some-model"
    assert answer.usage.input_tokens > 0, "what is not counted is guessed"


@pytest.mark.parametrize(
    "body", [{}, {"candidates": []}, {"promptFeedback": {}}, {"usageMetadata": {}}, []]
)
async def test_neither_an_answer_nor_a_refusal(server, provider_at, body):
    server.will(response(body))
    failure = await provider_at(server.url, "gemini").complete(PROMPT)
    assert failure.error is ErrorClass.SERVER_ERROR


# What is learned from a refusal -----------------------------------------------------------------


async def learns(server, provider, *refusals: bytes) -> dict[str, object]:
    """The body that is sent after `refusals`, each of which costs a call and no attempt."""
    server.will(*refusals, response(ANSWER))
    for _ in refusals:
        assert (await provider.complete(PROMPT)).error is ErrorClass.SNOOZED
    assert isinstance(await provider.complete(PROMPT), Answer)
    return server.requests[-1].json


async def test_an_older_server_gets_an_openapi_schema(server, provider_at):
    provider = provider_at(server.url, "gemini")
    sent = (await learns(server, provider, unknown("responseJsonSchema")))["generationConfig"]
    assert "responseJsonSchema" not in sent
    assert sent["responseSchema"] == {
        "type": "OBJECT",
        "properties": {"level": {"type": "STRING", "enum": ["good", "poor"]}},
        "propertyOrdering": ["level"],
        "required": ["level"],
    }


async def test_a_schema_with_too_many_states_moves_into_the_prompt(server, provider_at):
    no = refusal("The specified schema produces a constraint that has too many states for serving.")
    sent = await learns(server, provider_at(server.url, "gemini"), no, no)
    assert sent["generationConfig"]["responseMimeType"] == "application/json"
    assert "responseSchema" not in sent["generationConfig"]
    told = sent["systemInstruction"]["parts"][0]["text"]
    assert told.startswith("Mark the paper.\n\nAnswer with one JSON object")
    assert '"enum":["good","poor"]' in told


async def test_an_open_model_takes_neither_instruction_nor_json_mode(server, provider_at):
    sent = await learns(
        server,
        provider_at(server.url, "gemini", model="gemma-3-27b-it"),
        refusal("Developer instruction is not enabled for models/gemma-3-27b-it"),
        refusal("JSON mode is not enabled for models/gemma-3-27b-it"),
        refusal("max_output_tokens value 9216 is out of the supported range 1 to 8192."),
        refusal("temperature is not supported"),
    )
    assert "systemInstruction" not in sent
    assert sent["generationConfig"] == {"maxOutputTokens": 1024}
    (content,) = sent["contents"]
    first, second = (part["text"] for part in content["parts"])
    assert first.startswith("Mark the paper.\n\nAnswer with one JSON object")
    assert second == "An essay about rain."


async def test_the_first_version_of_the_api_knew_less(server, provider_at):
    provider = provider_at(f"{server.url}/v1", "gemini")
    sent = await learns(server, provider, unknown("systemInstruction", ""))
    assert "systemInstruction" not in sent
    assert sent["generationConfig"]["responseJsonSchema"] == SCHEMA


async def test_what_is_refused_for_another_reason_is_a_bad_request(server, provider_at):
    server.will(refusal("Request contains an invalid argument."))
    failure = await provider_at(server.url, "gemini").complete(PROMPT)
    assert failure.error is ErrorClass.BAD_REQUEST


def test_openapi_has_its_own_words():
    schema = {
        "type": "object",
        "$defs": {"unused": {}},
        "properties": {
            "b": {"type": ["string", "null"], "maxLength": 9},
            "a": {"type": "array", "items": {"type": "integer"}, "minItems": 1},
            "c": {"anyOf": [{"type": "null"}, {"type": "number"}]},
            "any": {},
        },
        "required": ["b", "a"],
        "additionalProperties": False,
    }
    assert openapi_schema(schema) == {
        "type": "OBJECT",
        "properties": {
            "b": {"type": "STRING", "nullable": True, "maxLength": 9},
            "a": {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": 1},
            "c": {"anyOf": [{"nullable": True}, {"type": "NUMBER"}]},
            "any": {},
        },
        "propertyOrdering": ["b", "a", "c", "any"],
        "required": ["b", "a"],
    }


# Settings ---------------------------------------------------------------------------------------


def build(environ: dict[str, str], **settings: object):
    chosen = {"name": "school", "kind": "gemini", "model": "gemini-2.5-flash"} | settings
    return build_provider(ProviderSettings(**chosen), ManualClock(), environ)


async def test_defaults():
    provider = build({"GEMINI_API_KEY": KEY}, price_input=0.3, price_output=2.5)
    assert provider.pool.startswith("generativelanguage.googleapis.com/v1beta ")
    assert provider.limits == Limits(counts_cache_reads=True)
    usage = Usage(1_000_000, 100_000, cache_read_tokens=1_000_000)
    assert provider.price(usage) == pytest.approx(0.25 * 0.3 + 0.25)


@pytest.mark.parametrize(
    ("environ", "settings", "key"),
    [
        ({"GEMINI_API_KEY": "one", "GOOGLE_API_KEY": "two"}, {}, "one"),
        ({"GOOGLE_API_KEY": "two"}, {}, "two"),
        ({"GEMINI_API_KEY": " ", "GOOGLE_API_KEY": "two"}, {}, "two"),
        ({"GOOGLE_API_KEY": "two", "MINE": "three"}, {"api_key_env": "MINE"}, "three"),
    ],
)
async def test_the_key_of_googles_other_tools_will_do(server, environ, settings, key):
    server.will(response({"error": {"code": 403, "message": "no"}}, 403))
    provider = build(environ, base_url=server.url, **settings)
    failure = await provider.complete(PROMPT)
    await provider.aclose()
    assert server.requests[0].headers["x-goog-api-key"] == key
    name = next(name for name, value in environ.items() if value == key)
    assert f"Check the key in {name}" in failure.reason


async def test_a_gateway_may_want_the_key_in_another_way(server, provider_at):
    server.will(response(ANSWER))
    await provider_at(server.url, "gemini", auth="bearer").complete(PROMPT)
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert "x-goog-api-key" not in server.requests[0].headers


async def test_a_longer_answer_gets_more_room(server, provider_at):
    server.will(response(ANSWER))
    await provider_at(server.url, "gemini").complete(replace(PROMPT, max_output_tokens=4096))
    sent = server.requests[0].json["generationConfig"]
    assert sent["maxOutputTokens"] == 4096 + THOUGHT_TOKENS
