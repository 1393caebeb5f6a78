"""The OpenAI dialect, through OpenAI's own client with strict types."""

from __future__ import annotations

import copy
import json
import math
import re

import pytest
from official import openai
from sample_paper import KEY, LEVELS, PAPER


async def test_a_strict_schema_is_answered_with_json(simulate, gpt, openai_request):
    simulator = await simulate()
    completion = await gpt(simulator).chat.completions.create(**openai_request)
    [choice] = completion.choices
    grade = json.loads(choice.message.content)
    assert (choice.finish_reason, completion.model) == ("stop", "some-model")
    assert grade["criteria"]["evidence"]["level"] in LEVELS
    assert all(quote in PAPER for quote in grade["criteria"]["evidence"]["evidence"])
    usage = completion.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert (usage.prompt_tokens > 200, 50 < usage.completion_tokens < 1024) == (True, True)


async def test_a_plain_question_is_answered_with_prose(simulate, gpt, openai_request):
    del openai_request["response_format"]
    completion = await gpt(await simulate()).chat.completions.create(**openai_request)
    assert completion.choices[0].message.content.count(".") >= 2


async def test_any_json_object_will_do_where_no_schema_is_given(simulate, gpt, openai_request):
    openai_request["response_format"] = {"type": "json_object"}
    completion = await gpt(await simulate()).chat.completions.create(**openai_request)
    assert isinstance(json.loads(completion.choices[0].message.content), dict)


@pytest.mark.parametrize(
    ("word", "value", "says"),
    [
        ("additionalProperties", True, "additionalProperties"),
        ("required", ["criteria"], "required"),
    ],
)
async def test_a_schema_that_is_not_strict_is_refused(
    simulate, gpt, openai_request, word, value, says
):
    loose = copy.deepcopy(openai_request)
    loose["response_format"]["json_schema"]["schema"][word] = value
    client = gpt(await simulate())
    with pytest.raises(openai.BadRequestError, match=says) as caught:
        await client.chat.completions.create(**loose)
    assert caught.value.param == "response_format"
    loose["response_format"]["json_schema"]["strict"] = False
    assert (await client.chat.completions.create(**loose)).choices


async def test_a_wrong_key_is_refused(simulate, gpt, openai_request):
    simulator = await simulate(api_keys=("another",))
    with pytest.raises(openai.AuthenticationError) as caught:
        await gpt(simulator).chat.completions.create(**openai_request)
    assert (caught.value.code, caught.value.type) == ("invalid_api_key", "invalid_request_error")
    with pytest.raises(openai.AuthenticationError, match="didn't provide an API key"):
        await gpt(simulator, default_headers={"authorization": "none"}).chat.completions.create(
            **openai_request
        )
    assert KEY not in str(caught.value)


async def test_only_known_models_are_found(simulate, gpt, openai_request):
    client = gpt(await simulate(models=("marker-1",)))
    with pytest.raises(openai.NotFoundError, match="`some-model` does not exist") as caught:
        await client.chat.completions.create(**openai_request)
    assert caught.value.code == "model_not_found"
    assert [model.id async for model in client.models.list()] == ["marker-1"]


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"messages": [{"role": "system", "content": "x"}]}, "messages", "invalid_value"),
        ({"messages": "x"}, "messages", "invalid_type"),
        ({"colour": "red"}, "colour", "unknown_parameter"),
        ({"max_tokens": "many"}, "max_tokens", "invalid_type"),
        ({"stream": True}, "stream", "unsupported_value"),
        ({"n": 3}, "n", "unsupported_value"),
    ],
)
async def test_requests_that_cannot_be_answered(simulate, gpt, openai_request, change, param, code):
    with pytest.raises(openai.BadRequestError) as caught:
        await gpt(await simulate()).chat.completions.create(**openai_request, extra_body=change)
    assert (caught.value.param, caught.value.code) == (param, code)
    assert caught.value.type == "invalid_request_error"


async def test_a_missing_field_is_named(simulate, gpt):
    with pytest.raises(openai.BadRequestError, match="Missing required parameter: 'messages'"):
        await gpt(await simulate()).post("/chat/completions", body={}, cast_to=object)


async def test_the_headers_have_the_exact_form(simulate, gpt, openai_request):
    simulator = await simulate(requests_per_minute=60, tokens_per_minute=60_000)
    create = gpt(simulator).chat.completions.with_raw_response.create
    headers = (await create(**openai_request)).headers
    assert headers["x-ratelimit-limit-requests"] == "60"
    assert headers["x-ratelimit-remaining-requests"] == "59"
    assert headers["x-ratelimit-reset-requests"] == "1s"
    assert headers["x-ratelimit-limit-tokens"] == "60000"
    assert headers["x-ratelimit-remaining-tokens"] == str(60_000 - 1024)
    assert headers["x-ratelimit-reset-tokens"] == "1.024s"
    assert re.fullmatch(r"req_[0-9a-f]{32}", headers["x-request-id"])
    assert "retry-after" not in headers
    headers = (await create(**openai_request)).headers
    assert headers["x-ratelimit-reset-requests"] == "2s"


async def test_max_tokens_is_a_reservation(simulate, gpt, openai_request, clock):
    client = gpt(await simulate(tokens_per_minute=2048))
    for _ in range(2):
        await client.chat.completions.create(**openai_request)
    with pytest.raises(openai.RateLimitError) as caught:
        await client.chat.completions.create(**openai_request)
    assert (caught.value.code, caught.value.type) == ("rate_limit_exceeded", "tokens")
    says = r"Limit 2048, Used 2048, Requested 1024. Please try again in 30s\."
    assert re.search(says, str(caught.value))
    headers = caught.value.response.headers
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("30", "30000")
    clock.advance(30)
    assert (await client.chat.completions.create(**openai_request)).choices


async def test_the_tokens_per_minute_are_by_default_input_and_output(simulate, gpt, openai_request):
    simulator = await simulate(input_tokens_per_minute=9000, output_tokens_per_minute=1000)
    create = gpt(simulator).chat.completions.with_raw_response.create
    assert (await create(**openai_request)).headers["x-ratelimit-limit-tokens"] == "10000"


async def test_what_never_fits_is_too_large(simulate, gpt, openai_request):
    client = gpt(await simulate(tokens_per_minute=1000))
    with pytest.raises(openai.RateLimitError, match="Limit 1000, Requested 1024") as caught:
        await client.chat.completions.create(**openai_request)
    assert "Request too large" in str(caught.value)
    assert "retry-after" not in caught.value.response.headers


async def test_an_answer_longer_than_max_tokens_is_cut(simulate, gpt, openai_request):
    completion = await gpt(await simulate()).chat.completions.create(
        **openai_request | {"max_completion_tokens": 20}
    )
    [choice] = completion.choices
    assert (choice.finish_reason, completion.usage.completion_tokens) == ("length", 20)
    with pytest.raises(json.JSONDecodeError):
        json.loads(choice.message.content)


async def test_probabilities_of_tokens_come_where_they_are_asked_for(simulate, gpt, openai_request):
    asked = {**openai_request, "logprobs": True, "top_logprobs": 5}
    create = gpt(await simulate()).chat.completions.create
    [choice], [again] = [(await create(**asked)).choices for _ in range(2)]
    tokens = choice.logprobs.content
    assert "".join(one.token for one in tokens) == choice.message.content
    assert choice.logprobs == again.logprobs
    for one in tokens:
        assert 1 <= len(one.top_logprobs) <= 5
        assert one.top_logprobs[0].token == one.token
        assert sum(math.exp(each.logprob) for each in one.top_logprobs) <= 1.000001
    [other] = (await gpt(await simulate()).chat.completions.create(**openai_request)).choices
    assert other.logprobs is None


@pytest.mark.parametrize("wrong", [{"top_logprobs": 5}, {"logprobs": True, "top_logprobs": 21}])
async def test_what_openai_refuses_of_probabilities(simulate, gpt, openai_request, wrong):
    with pytest.raises(openai.BadRequestError, match="top_logprobs"):
        await gpt(await simulate()).chat.completions.create(**openai_request, **wrong)


async def test_a_server_may_tell_no_probabilities(simulate, gpt, openai_request):
    client = gpt(await simulate(logprobs=False))
    [choice] = (await client.chat.completions.create(**openai_request, logprobs=True)).choices
    assert choice.logprobs is None
