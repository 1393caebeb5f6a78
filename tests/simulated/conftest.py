"""Simulators, and the official clients of all dialects, closed after the test."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from official import anthropic, genai, genai_types, openai
from sample_paper import KEY, SCHEMA, SYSTEM, USER

from gradeq.clock import ManualClock
from gradeq.providers.simulated import Simulator, SimulatorSettings


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def simulate(clock: ManualClock) -> AsyncIterator[Callable[..., Any]]:
    """Starts simulators on a clock that stands still; settings by name."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(**settings: Any) -> Simulator:
            simulator = Simulator(SimulatorSettings(**settings), clock=clock)
            return await stack.enter_async_context(simulator)

        yield start


@pytest.fixture
async def claude() -> AsyncIterator[Callable[..., anthropic.AsyncAnthropic]]:
    """Anthropic's own client, which refuses answers that do not fit its types."""
    async with contextlib.AsyncExitStack() as stack:

        def client(simulator: Simulator, **options: Any) -> anthropic.AsyncAnthropic:
            options = {"api_key": KEY, "max_retries": 0, "timeout": 30.0} | options
            made = anthropic.AsyncAnthropic(
                base_url=simulator.url, _strict_response_validation=True, **options
            )
            stack.push_async_callback(made.close)
            return made

        yield client


@pytest.fixture
async def gpt() -> AsyncIterator[Callable[..., openai.AsyncOpenAI]]:
    """OpenAI's own client, which refuses answers that do not fit its types."""
    async with contextlib.AsyncExitStack() as stack:

        def client(simulator: Simulator, **options: Any) -> openai.AsyncOpenAI:
            options = {"api_key": KEY, "max_retries": 0, "timeout": 30.0} | options
            made = openai.AsyncOpenAI(
                base_url=f"{simulator.url}/v1", _strict_response_validation=True, **options
            )
            stack.push_async_callback(made.close)
            return made

        yield client


@pytest.fixture
async def gemini() -> AsyncIterator[Callable[..., genai.client.AsyncClient]]:
    """Google's own client, which refuses answers that do not fit its types.

    It is given an httpx client, because the aiohttp session it makes for itself is deprecated.
    """
    async with contextlib.AsyncExitStack() as stack:

        async def client(
            simulator: Simulator, *, key: str = KEY, version: str | None = None, timeout: float = 30
        ) -> genai.client.AsyncClient:
            http = await stack.enter_async_context(httpx.AsyncClient())
            options = genai_types.HttpOptions(
                base_url=simulator.url,
                api_version=version,
                timeout=round(timeout * 1000),
                httpx_async_client=http,
            )
            return genai.Client(api_key=key, http_options=options).aio

        yield client


@pytest.fixture
def gemini_request() -> dict[str, Any]:
    """A marking with a JSON schema."""
    return {
        "model": "some-model",
        "contents": USER,
        "config": {
            "system_instruction": SYSTEM,
            "max_output_tokens": 1024,
            "response_mime_type": "application/json",
            "response_json_schema": SCHEMA,
        },
    }


@pytest.fixture
def anthropic_request() -> dict[str, Any]:
    """A marking with a forced tool."""
    return {
        "model": "some-model",
        "max_tokens": 1024,
        "system": SYSTEM,
        "messages": [{"role": "user", "content": USER}],
        "tools": [{"name": "grade", "description": "The grade", "input_schema": SCHEMA}],
        "tool_choice": {"type": "tool", "name": "grade"},
    }


@pytest.fixture
def openai_request() -> dict[str, Any]:
    """A marking with a strict schema."""
    return {
        "model": "some-model",
        "max_completion_tokens": 1024,
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "grade", "strict": True, "schema": SCHEMA},
        },
    }


@pytest.fixture(autouse=True)
def _no_keys_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENAI_API_VERSION"):
        monkeypatch.delenv(name, raising=False)
