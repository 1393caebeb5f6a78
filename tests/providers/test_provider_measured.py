"""What answers teach about the most that the next call can cost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scripted_server import PROMPT, response
from test_provider_clients import CLAUDE, GPT
from test_provider_gemini import ANSWER

from gradeq.limiter.base import Usage
from gradeq.providers.gemini import THOUGHT_TOKENS
from gradeq.providers.measured import Measured

PRICES = {"price_input": 3.0, "price_output": 15.0}
USUAL = Usage(input_tokens=300, output_tokens=90)


def claude(**usage: int) -> bytes:
    return response(CLAUDE | {"usage": usage})


@pytest.mark.parametrize("kind", ["anthropic", "openai"])
async def test_the_shared_part_is_bounded_by_what_it_was_counted_as(server, provider_at, kind):
    provider = provider_at(server.url, kind, **PRICES)
    at_first = provider.worst_price(PROMPT)
    server.will(response(CLAUDE if kind == "anthropic" else GPT))
    came = await provider.complete(PROMPT)
    longer = replace(PROMPT, user=PROMPT.user + "日本" * 10)
    dearest = 3.75 if kind == "anthropic" else 3.0
    most = came.usage.input_tokens + len(longer.user.encode())
    worst = (dearest * most + 15.0 * PROMPT.max_output_tokens) / 1e6
    assert provider.worst_price(longer) == pytest.approx(worst)
    assert provider.worst_price(longer) < at_first
    other = replace(PROMPT, system="Note the paper.")
    assert provider.worst_price(other) == pytest.approx(at_first), "another rubric"


@pytest.mark.parametrize(
    "usage",
    [
        pytest.param({}, id="a guess of ours"),
        pytest.param({"usage": {"input_tokens": 1, "output_tokens": 20}}, id="without the prefix"),
    ],
)
async def test_what_is_no_count_teaches_nothing(server, provider_at, usage):
    provider = provider_at(server.url, **PRICES)
    before = provider.worst_price(PROMPT)
    told = {key: value for key, value in CLAUDE.items() if key != "usage"}
    server.will(response(told | usage))
    await provider.complete(PROMPT)
    assert provider.worst_price(PROMPT) == before


async def test_a_trimmed_prompt_has_room_for_twice_the_longest_answer(server, provider_at):
    provider = provider_at(server.url, **PRICES)
    server.will(*[claude(input_tokens=300, output_tokens=90)] * 4)
    server.will(claude(input_tokens=300, output_tokens=120))
    for _ in range(4):
        await provider.complete(PROMPT)
    assert provider.trimmed(PROMPT) == PROMPT, "a few answers tell little"
    await provider.complete(PROMPT)
    assert provider.trimmed(PROMPT) == replace(PROMPT, max_output_tokens=240)
    short = replace(PROMPT, max_output_tokens=100)
    assert provider.trimmed(short) == short


@pytest.mark.parametrize("thoughts", [THOUGHT_TOKENS, 0])
async def test_thoughts_are_part_of_what_a_call_can_cost(server, provider_at, thoughts):
    provider = provider_at(server.url, "gemini", **PRICES)
    told = {"error": {"code": 400, "message": "maxOutputTokens must be at most 2048"}}
    server.will(*([] if thoughts else [response(told, 400)]), response(ANSWER))
    if not thoughts:
        await provider.complete(PROMPT)
    came = await provider.complete(PROMPT)
    allowed = server.requests[-1].json["generationConfig"]["maxOutputTokens"]
    assert allowed == PROMPT.max_output_tokens + thoughts
    most = came.usage.input_tokens + len(PROMPT.user.encode())
    assert provider.worst_price(PROMPT) == pytest.approx((3.0 * most + 15.0 * allowed) / 1e6)


def test_only_so_many_rubrics_are_remembered():
    measured = Measured()
    for number in range(300):
        measured.learn(replace(PROMPT, system=f"rubric {number}"), None, USUAL)
    assert measured.most_input(replace(PROMPT, system="rubric 0"), None) is None
    newest = replace(PROMPT, system="rubric 299")
    assert measured.most_input(newest, None) == 300 + len(PROMPT.user.encode())
    assert measured.most_input(newest, "another form") is None
