"""Anthropic's dialect: POST /v1/messages, the answer forced into a tool's input.

Source: Anthropic API reference "Messages", "Versions", "Prompt caching" and "Rate limits". A
forced tool works on every model that has tools, which native structured output does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from gradeq.limiter.base import Level, Signals, Usage
from gradeq.providers.base import Answer, Prompt
from gradeq.providers.complaint import Complaint
from gradeq.providers.levels import anthropic_levels
from gradeq.providers.tokens import guessed_usage
from gradeq.providers.wire import to_json

VERSION = b"2023-06-01"
"""The API version that takes `temperature`; 2026-10-21 answers 400 to it."""

_STOPS = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}


@dataclass(frozen=True, slots=True)
class AnthropicForm:
    """What this model takes, as far as it is known; starts as what most take."""

    temperature: bool = True
    forced_tool: bool = True


class AnthropicDialect:
    """How to ask and how to read, without the network."""

    path = "/messages"
    default_auth = "x-api-key"
    extra_headers = ((b"anthropic-version", VERSION),)
    first_form = AnthropicForm()

    def __init__(self, model: str) -> None:
        self._model = model

    def encode(self, prompt: Prompt, form: AnthropicForm) -> bytes:
        """The request body. The system prompt is marked as a prefix to keep, being the same for
        every paper of a rubric."""
        shared = {"type": "text", "text": prompt.system, "cache_control": {"type": "ephemeral"}}
        tool = {
            "name": prompt.schema_name,
            "description": "Record the answer.",
            "input_schema": prompt.schema,
        }
        choice = {"type": "tool", "name": prompt.schema_name}
        body = {
            "model": self._model,
            "max_tokens": prompt.max_output_tokens,
            "system": [shared],
            "messages": [{"role": "user", "content": prompt.user}],
            "tools": [tool],
            "tool_choice": choice if form.forced_tool else {"type": "auto"},
        }
        return to_json(body | {"temperature": 0} if form.temperature else body)

    def read(
        self, body: bytes, prompt: Prompt, request_id: str | None, signals: Signals
    ) -> Answer | None:
        """The answer in a 200's body; None where there is none. Raises msgspec.DecodeError."""
        message = msgspec.json.decode(body, type=_Message)
        if message.type == "error" or message.content is None:
            return None
        text = _text(message.content)
        return Answer(
            text=text,
            raw=body.decode("utf-8", "replace"),
            model=message.model or self._model,
            usage=_usage(message.usage) if message.usage else guessed_usage(prompt, text),
            is_guessed=not message.usage,
            stop=_STOPS.get(message.stop_reason or "", "end"),
            request_id=request_id,
            signals=signals,
        )

    def most_output(self, prompt: Prompt, _form: AnthropicForm) -> int:
        return prompt.max_output_tokens

    def levels(self, headers: Mapping[str, str]) -> tuple[Level, ...]:
        return anthropic_levels(headers)

    def adapt(self, form: AnthropicForm, complaint: Complaint) -> AnthropicForm | None:
        """A form without what `complaint` refuses, or None where it refuses something else."""
        said = complaint.text
        if form.temperature and "temperature" in said:
            return replace(form, temperature=False)
        if form.forced_tool and "tool_choice" in said:
            return replace(form, forced_tool=False)
        return None


class _Block(msgspec.Struct):
    type: str = ""
    text: str = ""
    input: msgspec.Raw = msgspec.Raw()


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class _Message(msgspec.Struct):
    type: str = ""
    model: str = ""
    content: list[_Block] | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None


def _text(blocks: list[_Block]) -> str:
    """The tool's input as JSON text where there is one, else what was written."""
    for block in blocks:
        if block.type == "tool_use":
            return bytes(block.input).decode("utf-8", "replace")
    return "".join(block.text for block in blocks if block.type == "text")


def _usage(usage: _Usage) -> Usage:
    read = usage.cache_read_input_tokens or 0
    written = usage.cache_creation_input_tokens or 0
    return Usage(
        input_tokens=(usage.input_tokens or 0) + written + read,
        output_tokens=usage.output_tokens or 0,
        cache_read_tokens=read,
        cache_write_tokens=written,
    )
