"""OpenAI's dialect, which most other servers speak too: POST /v1/chat/completions.

Source: OpenAI API reference "Chat", "Structured outputs", "Rate limits". Compatible servers and
newer models leave out parts of it; which parts is learned from their first refusal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import msgspec

from gradeq.limiter.base import Level, Signals, Usage
from gradeq.providers.address import host_of
from gradeq.providers.base import Answer, Prompt
from gradeq.providers.complaint import Complaint
from gradeq.providers.levels import openai_levels
from gradeq.providers.tokens import guessed_usage
from gradeq.providers.wire import schema_in_words, to_json

OPENAI_HOST = "api.openai.com"
_AZURE = (".openai.azure.com", ".services.ai.azure.com")
_STOPS = {"length": "length", "content_filter": "refusal"}


class ResponseFormat(StrEnum):
    """How the answer is held to the schema, from the strictest to the loosest."""

    SCHEMA = "json_schema"
    OBJECT = "json_object"
    TEXT = "text"


class TokenField(StrEnum):
    """What a server calls the bound on its answer."""

    NEW = "max_completion_tokens"
    OLD = "max_tokens"


@dataclass(frozen=True, slots=True)
class OpenAIForm:
    """What this server and model take, as far as it is known."""

    response_format: ResponseFormat = ResponseFormat.SCHEMA
    token_field: TokenField = TokenField.OLD
    temperature: bool = True


def is_openai(base_url: str) -> bool:
    """True for OpenAI itself and Azure's copy: they reserve the whole of the answer's bound."""
    host = host_of(base_url).partition(":")[0]
    return host == OPENAI_HOST or host.endswith(_AZURE)


class OpenAIDialect:
    """How to ask and how to read, without the network."""

    path = "/chat/completions"
    default_auth = "bearer"
    extra_headers: tuple[tuple[bytes, bytes], ...] = ()

    def __init__(self, model: str, base_url: str) -> None:
        self._model = model
        field = TokenField.NEW if is_openai(base_url) else TokenField.OLD
        self.first_form = OpenAIForm(token_field=field)

    def encode(self, prompt: Prompt, form: OpenAIForm) -> bytes:
        """The request body; with a looser format the schema stands in the prompt instead."""
        system = prompt.system
        if form.response_format is not ResponseFormat.SCHEMA:
            system = f"{system}\n\n{schema_in_words(prompt)}"
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": prompt.user},
            ],
            form.token_field.value: prompt.max_output_tokens,
        }
        if form.response_format is not ResponseFormat.TEXT:
            body["response_format"] = _response_format(prompt, form.response_format)
        if form.temperature:
            body["temperature"] = 0
        if prompt.top_logprobs:
            body |= {"logprobs": True, "top_logprobs": prompt.top_logprobs}
        return to_json(body)

    def read(
        self, body: bytes, prompt: Prompt, request_id: str | None, signals: Signals
    ) -> Answer | None:
        """The answer in a 200's body; None where there is none. Raises msgspec.DecodeError."""
        completion = msgspec.json.decode(body, type=_Completion)
        if not completion.choices or completion.choices[0].finish_reason == "error":
            return None
        choice = completion.choices[0]
        refusal = choice.message.refusal
        text = refusal or _text(choice.message.content)
        usage = completion.usage
        return Answer(
            text=text,
            raw=body.decode("utf-8", "replace"),
            model=completion.model or self._model,
            usage=_usage(usage) if usage else guessed_usage(prompt, text),
            is_guessed=not usage,
            stop="refusal" if refusal else _STOPS.get(choice.finish_reason or "", "end"),
            request_id=request_id,
            signals=signals,
        )

    def most_output(self, prompt: Prompt, _form: OpenAIForm) -> int:
        return prompt.max_output_tokens

    def levels(self, headers: Mapping[str, str]) -> tuple[Level, ...]:
        return openai_levels(headers)

    def adapt(self, form: OpenAIForm, complaint: Complaint) -> OpenAIForm | None:
        """A form without what `complaint` refuses, or None where it refuses something else."""
        said = complaint.text
        if "response_format" in said or "json_schema" in said or "response format" in said:
            return _looser(form)
        if form.token_field is TokenField.OLD and TokenField.NEW in said:
            return replace(form, token_field=TokenField.NEW)
        if form.temperature and "temperature" in said:
            return replace(form, temperature=False)
        return None


def _looser(form: OpenAIForm) -> OpenAIForm | None:
    looser = {
        ResponseFormat.SCHEMA: ResponseFormat.OBJECT,
        ResponseFormat.OBJECT: ResponseFormat.TEXT,
    }.get(form.response_format)
    return replace(form, response_format=looser) if looser else None


def _response_format(prompt: Prompt, wanted: ResponseFormat) -> dict[str, Any]:
    if wanted is ResponseFormat.OBJECT:
        return {"type": "json_object"}
    schema = {"name": prompt.schema_name, "strict": True, "schema": prompt.schema}
    return {"type": "json_schema", "json_schema": schema}


class _Part(msgspec.Struct):
    text: str = ""


class _Reply(msgspec.Struct):
    content: str | list[_Part] | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Reply = msgspec.field(default_factory=_Reply)
    finish_reason: str | None = None


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class _Completion(msgspec.Struct):
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None


def _text(content: str | list[_Part] | None) -> str:
    if isinstance(content, list):
        return "".join(part.text for part in content)
    return content or ""


def _usage(usage: _Usage) -> Usage:
    details = usage.prompt_tokens_details
    return Usage(
        input_tokens=usage.prompt_tokens or 0,
        output_tokens=usage.completion_tokens or 0,
        cache_read_tokens=(details.cached_tokens or 0) if details else 0,
    )
