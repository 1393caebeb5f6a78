"""The Gemini dialect, through Google's own client with strict types."""

from __future__ import annotations

import json
import re

import httpx
import pytest
from official import genai_errors, genai_types
from sample_paper import KEY, LEVELS, PAPER, SCHEMA, USER

from gradeq.providers.simulated import Fault


async def refusal_of(call, error="ClientError") -> genai_errors.APIError:
    with pytest.raises(getattr(genai_errors, error)) as caught:
        await call
    return caught.value


def detail(error: genai_errors.APIError, kind: str) -> dict | None:
    details = error.details["error"].get("details", [])
    return next((each for each in details if each["@type"].endswith(kind)), None)


def quota_id(error: genai_errors.APIError) -> str:
    [violation] = detail(error, "QuotaFailure")["violations"]
    return violation["quotaId"]


@pytest.mark.parametrize("version", [None, "v1", "v1beta"])
async def test_a_schema_is_answered_with_json(simulate, gemini, gemini_request, version):
    client = await gemini(await simulate(), version=version)
    answer = await client.models.generate_content(**gemini_request)
    grade = json.loads(answer.text)
    assert grade["criteria"]["evidence"]["level"] in LEVELS
    assert all(quote in PAPER for quote in grade["criteria"]["evidence"]["evidence"])
    assert answer.candidates[0].finish_reason is genai_types.FinishReason.STOP
    assert (answer.model_version, answer.response_id[:3]) == ("some-model", "Sim")
    usage = answer.usage_metadata
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count
    assert (usage.prompt_token_count > 200, usage.candidates_token_count > 50) == (True, True)


async def test_the_older_kind_of_schema_is_understood_too(simulate, gemini, gemini_request):
    config = gemini_request["config"]
    del config["response_json_schema"]
    config["response_schema"] = {
        "type": "OBJECT",
        "properties": {"level": {"type": "STRING", "enum": LEVELS}},
        "required": ["level"],
    }
    client = await gemini(await simulate())
    answer = await client.models.generate_content(**gemini_request)
    assert json.loads(answer.text)["level"] in LEVELS


async def test_any_json_object_will_do_where_no_schema_is_given(simulate, gemini, gemini_request):
    del gemini_request["config"]["response_json_schema"]
    answer = await (await gemini(await simulate())).models.generate_content(**gemini_request)
    assert isinstance(json.loads(answer.text), dict)


async def test_a_plain_question_is_answered_with_prose(simulate, gemini):
    client = await gemini(await simulate())
    answer = await client.models.generate_content(model="some-model", contents=USER)
    assert answer.text.count(".") >= 2


async def test_a_wrong_key_is_a_400_and_none_a_403(simulate, gemini, gemini_request):
    simulator = await simulate(api_keys=("another",))
    generate = (await gemini(simulator)).models.generate_content
    error = await refusal_of(generate(**gemini_request))
    assert (error.code, error.status) == (400, "INVALID_ARGUMENT")
    assert detail(error, "ErrorInfo")["reason"] == "API_KEY_INVALID"
    assert KEY not in str(error)
    url = f"{simulator.url}/v1beta/models/some-model:generateContent"
    async with httpx.AsyncClient() as http:
        assert (await http.post(url, json={})).status_code == 403


async def test_only_known_models_are_found(simulate, gemini, gemini_request):
    client = await gemini(await simulate(models=("marker-1",)))
    error = await refusal_of(client.models.generate_content(**gemini_request))
    assert (error.code, error.status) == (404, "NOT_FOUND")
    assert "models/some-model is not found" in error.message
    assert [model.name async for model in await client.models.list()] == ["models/marker-1"]


async def test_other_methods_of_a_model_are_not_found(simulate, gemini):
    client = await gemini(await simulate())
    error = await refusal_of(client.models.count_tokens(model="some-model", contents="Hello."))
    assert error.code == 404
    assert "is not supported for generateContent" in error.message


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"candidate_count": 3}, "candidate_count"),
        ({"max_output_tokens": 0}, "must be positive"),
        ({"response_mime_type": "text/plain"}, "response_mime_type"),
        ({"response_schema": {"type": "OBJECT"}}, "response_schema must not be set"),
        ({"tools": [{"google_search": {}}]}, "calls no tools"),
        ({"speech_config": {"language_code": "de-DE"}}, 'Unknown name "speechConfig" at'),
    ],
)
async def test_requests_that_cannot_be_answered(simulate, gemini, gemini_request, config, says):
    gemini_request["config"] |= config
    client = await gemini(await simulate())
    error = await refusal_of(client.models.generate_content(**gemini_request))
    assert (error.code, error.status) == (400, "INVALID_ARGUMENT")
    assert says in error.message


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "Invalid JSON payload received"),
        (b"{}", "contents is not specified"),
        (b'{"contents": []}', "contents is not specified"),
        (b'{"contents": "x"}', "Invalid value at 'contents'"),
        (b'{"contents": [], "colour": 1}', 'Unknown name "colour": Cannot find field.'),
        (
            b'{"contents": [], "generationConfig": {"maxOutputTokens": "x"}}',
            "Invalid value at 'generation_config.max_output_tokens'",
        ),
    ],
)
async def test_bodies_that_cannot_be_read(simulate, body, says):
    simulator = await simulate()
    url = f"{simulator.url}/v1/models/m:generateContent"
    async with httpx.AsyncClient() as http:
        answer = await http.post(url, content=body, headers={"x-goog-api-key": KEY})
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]
    assert simulator.stats.bad_requests == 1


# Limits -----------------------------------------------------------------------------------------


async def test_a_refusal_tells_its_limit_in_the_body_alone(simulate, gemini, gemini_request, clock):
    simulator = await simulate(requests_per_minute=7)
    generate = (await gemini(simulator)).models.generate_content
    for _ in range(7):
        await generate(**gemini_request)
    error = await refusal_of(generate(**gemini_request))
    assert (error.code, error.status) == (429, "RESOURCE_EXHAUSTED")
    assert quota_id(error) == "GenerateRequestsPerMinutePerProjectPerModel"
    assert "limit: 7, model: some-model" in error.message
    assert "Please retry in 8.57142857s." in error.message
    assert detail(error, "RetryInfo")["retryDelay"] == "8s"
    assert not [name for name in error.response.headers if "ratelimit" in name or "retry" in name]
    clock.advance(8.6)
    await generate(**gemini_request)


async def test_only_input_is_counted(simulate, gemini, gemini_request, clock):
    usage = await (await gemini(await simulate())).models.generate_content(**gemini_request)
    asked = usage.usage_metadata.prompt_token_count
    simulator = await simulate(input_tokens_per_minute=2 * asked, output_tokens_per_minute=1)
    generate = (await gemini(simulator)).models.generate_content
    for _ in range(2):
        await generate(**gemini_request)
    error = await refusal_of(generate(**gemini_request))
    assert quota_id(error) == "GenerateContentInputTokensPerModelPerMinute"
    clock.advance(31)
    await generate(**gemini_request)


async def test_what_never_fits_is_told_to_wait_again_and_again(simulate, gemini, gemini_request):
    generate = (await gemini(await simulate(input_tokens_per_minute=9))).models.generate_content
    error = await refusal_of(generate(**gemini_request))
    assert detail(error, "RetryInfo")["retryDelay"] == "60s"


async def test_a_day_lasts_until_midnight_pacific(simulate, gemini, gemini_request, clock):
    """The clock stands at 2027-01-15 00:00 Pacific time; the wait that is told is no help."""
    simulator = await simulate(requests_per_day=2)
    generate = (await gemini(simulator)).models.generate_content
    clock.advance(6 * 3600)
    for _ in range(2):
        await generate(**gemini_request)
    error = await refusal_of(generate(**gemini_request))
    assert quota_id(error) == "GenerateRequestsPerDayPerProjectPerModel"
    assert detail(error, "RetryInfo")["retryDelay"] == "20s"
    clock.advance(18 * 3600 - 1)
    await refusal_of(generate(**gemini_request))
    clock.advance(1)
    for _ in range(2):
        await generate(**gemini_request)
    await refusal_of(generate(**gemini_request))


async def test_the_limit_of_a_day_can_change_in_mid_day(simulate, gemini, gemini_request):
    simulator = await simulate(requests_per_day=3)
    generate = (await gemini(simulator)).models.generate_content
    await generate(**gemini_request)
    simulator.change(requests_per_day=1)
    await generate(**gemini_request)
    error = await refusal_of(generate(**gemini_request))
    assert "limit: 1," in error.message


# Failures ---------------------------------------------------------------------------------------

STATUS = {
    "400": (400, "INVALID_ARGUMENT"),
    "401": (400, "INVALID_ARGUMENT"),
    "402": (429, "RESOURCE_EXHAUSTED"),
    "403": (403, "PERMISSION_DENIED"),
    "404": (404, "NOT_FOUND"),
    "429": (429, "RESOURCE_EXHAUSTED"),
    "500": (500, "INTERNAL"),
    "502": (502, "UNKNOWN"),
    "503": (503, "UNAVAILABLE"),
    "504": (504, "DEADLINE_EXCEEDED"),
    "529": (503, "UNAVAILABLE"),
    "spend_cap": (429, "RESOURCE_EXHAUSTED"),
    "usage_limits": (429, "RESOURCE_EXHAUSTED"),
    "quota": (429, "RESOURCE_EXHAUSTED"),
    "slow_down": (429, "RESOURCE_EXHAUSTED"),
    "too_large": (400, "INVALID_ARGUMENT"),
    "html": (502, None),
    "loading": (503, None),
}
SEVERED = {"drop", "drop_body", "hang"}
SPOILED = {"garbage", "refusal", "cut", "schema"}


def test_no_kind_is_left_out() -> None:
    assert set(STATUS) | SEVERED | SPOILED == {fault.value for fault in Fault}


@pytest.mark.parametrize("kind", STATUS)
async def test_statuses(simulate, gemini, gemini_request, kind):
    simulator = await simulate(fail=kind, retry_after_seconds=7.4)
    client = await gemini(simulator)
    error = await refusal_of(client.models.generate_content(**gemini_request), "APIError")
    code, status = STATUS[kind]
    assert error.code == code
    if status is not None:
        assert error.status == status
        assert error.details["error"]["code"] == code
    assert simulator.stats.failures == {kind: 1}
    assert simulator.stats.refused_429 == (code == 429)


@pytest.mark.parametrize(
    ("kind", "quota", "delay"),
    [
        ("429", "PerMinute", "7s"),
        ("usage_limits", "PerDay", "20s"),
        ("quota", "PerDay", "20s"),
        ("slow_down", None, None),
    ],
)
async def test_the_ways_to_be_refused(simulate, gemini, gemini_request, kind, quota, delay):
    client = await gemini(await simulate(fail=kind, retry_after_seconds=7.4))
    error = await refusal_of(client.models.generate_content(**gemini_request))
    if quota is None:
        assert "details" not in error.details["error"]
        return
    assert quota in quota_id(error)
    assert detail(error, "RetryInfo")["retryDelay"] == delay
    assert bool(re.search(r"limit: 0\b", error.message)) is (kind == "quota")


@pytest.mark.parametrize("kind", sorted(SEVERED))
async def test_severed_connections(simulate, gemini, gemini_request, kind):
    simulator = await simulate(fail=kind)
    client = await gemini(simulator, timeout=0.2)
    with pytest.raises(httpx.TransportError):
        await client.models.generate_content(**gemini_request)
    assert simulator.stats.answered == 0


async def test_answers_that_are_of_no_use(simulate, gemini, gemini_request):
    simulator = await simulate(fail="garbage")
    generate = (await gemini(simulator)).models.generate_content
    with pytest.raises(json.JSONDecodeError):
        json.loads((await generate(**gemini_request)).text)
    simulator.change(fail="schema")
    misfit = json.loads((await generate(**gemini_request)).text)
    assert not set(misfit) & set(SCHEMA["required"])
    simulator.change(fail="refusal")
    [refused] = (await generate(**gemini_request)).candidates
    assert (refused.finish_reason, refused.content) == (genai_types.FinishReason.SAFETY, None)
    simulator.change(fail="cut")
    [cut] = (await generate(**gemini_request)).candidates
    assert cut.finish_reason is genai_types.FinishReason.MAX_TOKENS
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut.content.parts[0].text)


async def test_an_answer_longer_than_its_bound_is_cut(simulate, gemini, gemini_request):
    gemini_request["config"]["max_output_tokens"] = 20
    client = await gemini(await simulate())
    answer = await client.models.generate_content(**gemini_request)
    assert answer.candidates[0].finish_reason is genai_types.FinishReason.MAX_TOKENS
    assert answer.usage_metadata.candidates_token_count == 20
