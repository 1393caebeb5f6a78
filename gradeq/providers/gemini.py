"""Google's dialect: POST /v1beta/models/{model}:generateContent.

Source: Gemini API reference "Generating content" and guides "Structured outputs", "Thinking" and
"Gemini 3". Older API versions and the open models behind the same API take only parts of it;
which parts they refuse is learned from their first refusal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import msgspec

from gradeq.limiter.base import Level, Signals, Usage
from gradeq.providers.base import Answer, Prompt
from gradeq.providers.complaint import Complaint
from gradeq.providers.openapi import openapi_schema
from gradeq.providers.tokens import guessed_usage
from gradeq.providers.wire import schema_in_words, to_json

THOUGHT_TOKENS = 8192
"""Room for thoughts: most models think before they answer, and `maxOutputTokens` counts both."""

_COOLED = re.compile(r"gemini-[12]\b|gemma")
"""Models that may be asked at temperature 0. From Gemini 3 on Google strongly advises against any
but the default, because a lower one can make them loop ("Gemini 3": temperature)."""

_CUT = frozenset({"MAX_TOKENS", "CONTINUATION"})
_REFUSED = frozenset(
    {
        "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII",
        "ESCALATION", "MODEL_ARMOR",
    }
)  # fmt: skip


class ResponseFormat(StrEnum):
    """How the answer is held to the schema, from the strictest to the loosest."""

    JSON_SCHEMA = "responseJsonSchema"
    OPENAPI = "responseSchema"
    JSON = "application/json"
    TEXT = "text"


_LOOSER: Mapping[ResponseFormat, ResponseFormat] = MappingProxyType(
    {
        ResponseFormat.JSON_SCHEMA: ResponseFormat.OPENAPI,
        ResponseFormat.OPENAPI: ResponseFormat.JSON,
        ResponseFormat.JSON: ResponseFormat.TEXT,
    }
)


@dataclass(frozen=True, slots=True)
class GeminiForm:
    """What this model takes, as far as it is known."""

    response_format: ResponseFormat = ResponseFormat.JSON_SCHEMA
    system_instruction: bool = True
    room_for_thoughts: bool = True
    temperature: bool = False


class GeminiDialect:
    """How to ask and how to read, without the network."""

    default_auth = "x-goog-api-key"
    extra_headers: tuple[tuple[bytes, bytes], ...] = ()

    def __init__(self, model: str) -> None:
        self._model = model.removeprefix("models/")
        self.path = f"/{quote(_resource(self._model))}:generateContent"
        self.first_form = GeminiForm(temperature=bool(_COOLED.match(self._model)))

    def encode(self, prompt: Prompt, form: GeminiForm) -> bytes:
        """The request body. What the model takes nowhere else stands before the paper."""
        system = prompt.system
        if form.response_format in (ResponseFormat.JSON, ResponseFormat.TEXT):
            system = f"{system}\n\n{schema_in_words(prompt)}"
        parts = [{"text": prompt.user}]
        if not form.system_instruction:
            parts.insert(0, {"text": system})
        body: dict[str, Any] = {
            "contents": [{"role": "user", "parts": parts}],
            "generationConfig": _generation_config(prompt, form, self.most_output(prompt, form)),
        }
        if form.system_instruction:
            body["systemInstruction"] = {"parts": [{"text": system}]}
        return to_json(body)

    def read(
        self, body: bytes, prompt: Prompt, request_id: str | None, signals: Signals
    ) -> Answer | None:
        """The answer in a 200's body; None where there is none. Raises msgspec.DecodeError."""
        reply = msgspec.json.decode(body, type=_Reply)
        stop = _stop(reply)
        if stop is None:
            return None
        text = _text(reply)
        usage = reply.usage_metadata
        return Answer(
            text=text,
            raw=body.decode("utf-8", "replace"),
            model=reply.model_version or self._model,
            usage=_usage(usage) if usage else guessed_usage(prompt, text),
            is_guessed=not usage,
            stop=stop,
            request_id=request_id or reply.response_id,
            signals=signals,
        )

    def most_output(self, prompt: Prompt, form: GeminiForm) -> int:
        """Thoughts are charged like the answer."""
        return prompt.max_output_tokens + (THOUGHT_TOKENS if form.room_for_thoughts else 0)

    def levels(self, _headers: Mapping[str, str]) -> tuple[Level, ...]:
        """None: Google tells no limit in a response."""
        return ()

    def adapt(self, form: GeminiForm, complaint: Complaint) -> GeminiForm | None:
        """A form without what `complaint` refuses, or None where it refuses something else.

        Complaints name a field as it was sent or in Google's own spelling, with underscores.
        """
        said = complaint.text.lower().replace("_", "")
        if form.system_instruction and ("systeminstruction" in said or "developer inst" in said):
            return replace(form, system_instruction=False)
        if form.room_for_thoughts and "maxoutputtokens" in said:
            return replace(form, room_for_thoughts=False)
        if form.temperature and "temperature" in said:
            return replace(form, temperature=False)
        looser = _looser(form.response_format, said)
        return replace(form, response_format=looser) if looser else None


def _resource(model: str) -> str:
    """`models/NAME`, or the name as it is where it tells its own kind (tunedModels/NAME)."""
    return model if "/" in model else f"models/{model}"


def _generation_config(prompt: Prompt, form: GeminiForm, most_output: int) -> dict[str, Any]:
    config: dict[str, Any] = {"maxOutputTokens": most_output}
    if form.temperature:
        config["temperature"] = 0
    if form.response_format is not ResponseFormat.TEXT:
        config["responseMimeType"] = "application/json"
    if form.response_format is ResponseFormat.JSON_SCHEMA:
        config["responseJsonSchema"] = prompt.schema
    elif form.response_format is ResponseFormat.OPENAPI:
        config["responseSchema"] = openapi_schema(prompt.schema)
    return config


def _looser(wanted: ResponseFormat, said: str) -> ResponseFormat | None:
    """The next format to try. "JSON mode is not enabled for models/gemma-…": none with JSON."""
    if "responsemimetype" in said or "json mode" in said:
        return ResponseFormat.TEXT if wanted is not ResponseFormat.TEXT else None
    return _LOOSER.get(wanted) if "schema" in said else None


class _Part(msgspec.Struct):
    text: str = ""
    thought: bool = False


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Usage(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None


class _Reply(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: _Usage | None = None
    model_version: str | None = None
    response_id: str | None = None


def _stop(reply: _Reply) -> str | None:
    """Why it stopped; None where there is neither an answer nor a refusal to give one."""
    if reply.candidates:
        reason = reply.candidates[0].finish_reason
        return "length" if reason in _CUT else "refusal" if reason in _REFUSED else "end"
    blocked = reply.prompt_feedback is not None and reply.prompt_feedback.block_reason
    return "refusal" if blocked else None


def _text(reply: _Reply) -> str:
    """What was written, without the thoughts before it."""
    content = reply.candidates[0].content if reply.candidates else None
    parts = (content.parts if content else None) or []
    return "".join(part.text for part in parts if not part.thought)


def _usage(usage: _Usage) -> Usage:
    """Thoughts are charged as output and not part of `candidatesTokenCount`."""
    return Usage(
        input_tokens=usage.prompt_token_count or 0,
        output_tokens=(usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        cache_read_tokens=usage.cached_content_token_count or 0,
    )
