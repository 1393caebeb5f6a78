"""The JSON of OpenAI's chat completions: request bodies in, answers and errors out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from gradeq.providers.simulated.call import Complaint, Output, Problem
from gradeq.providers.simulated.faults import Fault

INVALID = "invalid_request_error"
MESSAGE_TOKENS = 4
"""Tokens that a message adds to those of its text."""
LEARN_MORE = "Visit https://platform.openai.com/account/rate-limits to learn more."


class Part(msgspec.Struct):
    type: str
    text: str = ""


class Message(msgspec.Struct):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None


class JsonSchema(msgspec.Struct):
    name: str
    schema: dict[str, Any]
    strict: bool | None = None


class ResponseFormat(msgspec.Struct):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """POST /v1/chat/completions. The schema stays raw: it is read once and remembered."""

    messages: list[Message]
    model: str
    response_format: msgspec.Raw = msgspec.Raw()
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stream: bool | None = None
    n: int | None = None
    tools: list[Any] | None = None
    frequency_penalty: Any = None
    logit_bias: Any = None
    logprobs: bool | None = None
    metadata: Any = None
    modalities: Any = None
    parallel_tool_calls: Any = None
    presence_penalty: Any = None
    prompt_cache_key: Any = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None
    reasoning_effort: Any = None
    safety_identifier: Any = None
    seed: Any = None
    service_tier: Any = None
    stop: Any = None
    store: Any = None
    stream_options: Any = None
    temperature: Any = None
    tool_choice: Any = None
    top_logprobs: int | None = None
    top_p: Any = None
    user: Any = None
    verbosity: Any = None


def text_of(message: Message) -> str:
    if message.content is None or isinstance(message.content, str):
        return message.content or ""
    return "\n".join(part.text for part in message.content)


def message(output: Output) -> dict[str, Any]:
    """The assistant's message; a refusal has no content."""
    text = output.data.decode()
    refused = output.stop == "refusal"
    return {
        "role": "assistant",
        "content": None if refused else text,
        "refusal": text if refused else None,
        "annotations": [],
    }


def usage(prompt_tokens: int, completion_tokens: int, cached_tokens: int) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def go_duration(seconds: float) -> str:
    """`seconds` as Go prints a duration, in whole milliseconds rounded up: 12ms, 1.5s, 6m0s."""
    total = math.ceil(round(seconds * 1000, 6))
    if total == 0:
        return "0s"
    if total < 1000:
        return f"{total}ms"
    hours, rest = divmod(total, 3_600_000)
    minutes, millis = divmod(rest, 60_000)
    text = f"{millis / 1000:g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def error_body(complaint: Complaint) -> bytes:
    error = {
        "message": complaint.message,
        "type": complaint.kind,
        "param": complaint.param,
        "code": complaint.code,
    }
    return msgspec.json.encode({"error": error})


def invalid(text: str, param: str | None = None, code: str | None = None) -> Complaint:
    return Complaint(400, INVALID, text, code, param)


def complaint_about(problem: Problem) -> Complaint:
    """A body that cannot be read, in the words of the API's validation."""
    path = problem.path or None
    if problem.kind == "missing":
        text = f"Missing required parameter: '{path}'."
        return invalid(text, path, "missing_required_parameter")
    if problem.kind == "extra":
        return invalid(f"Unknown parameter: '{path}'.", path, "unknown_parameter")
    if problem.kind == "malformed":
        text = f"We could not parse the JSON body of your request. ({problem.detail})"
        return invalid(text)
    return invalid(f"Invalid type for '{path}': {problem.detail}.", path, "invalid_type")


_QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. For more "
    "information on this error, read the docs: "
    "https://platform.openai.com/docs/guides/error-codes/api-errors."
)

FAULTS: Mapping[Fault, Complaint] = MappingProxyType(
    {
        Fault.BAD_REQUEST: invalid("Invalid value for 'messages'.", "messages", "invalid_value"),
        Fault.BAD_KEY: Complaint(
            401,
            INVALID,
            "Incorrect API key provided: ****. You can find your API key at "
            "https://platform.openai.com/account/api-keys.",
            "invalid_api_key",
        ),
        Fault.BILLING: Complaint(402, "billing_error", "Payment is required.", "billing_error"),
        Fault.FORBIDDEN: Complaint(
            403, INVALID, "You are not allowed to sample from this model.", "permission_denied"
        ),
        Fault.UNKNOWN_MODEL: Complaint(
            404,
            INVALID,
            "The model `{model}` does not exist or you do not have access to it.",
            "model_not_found",
        ),
        Fault.RATE_LIMITED: Complaint(
            429,
            "requests",
            "Rate limit reached for {model} on requests per min (RPM). "
            "Please try again in {wait}. " + LEARN_MORE,
            "rate_limit_exceeded",
        ),
        Fault.SERVER_ERROR: Complaint(
            500, "server_error", "The server had an error while processing your request. Sorry!"
        ),
        Fault.BAD_GATEWAY: Complaint(502, "server_error", "Bad gateway."),
        Fault.UNAVAILABLE: Complaint(
            503, "server_error", "The server is overloaded or not ready yet."
        ),
        Fault.GATEWAY_TIMEOUT: Complaint(504, "server_error", "The request timed out."),
        # OpenAI knows no 529: an overloaded model is a 503 there.
        Fault.OVERLOADED: Complaint(
            503,
            "server_error",
            "That model is currently overloaded with other requests. You can retry your request.",
        ),
        Fault.SPEND_CAP: Complaint(
            429,
            "insufficient_quota",
            "Your organization has reached its spend limit.",
            "organization_spend_limit_exceeded",
        ),
        Fault.USAGE_LIMITS: Complaint(
            429,
            "insufficient_quota",
            "Your organization has reached its monthly usage limit.",
            "organization_usage_limit_exceeded",
        ),
        Fault.QUOTA: Complaint(429, "insufficient_quota", _QUOTA, "insufficient_quota"),
        Fault.SLOW_DOWN: Complaint(
            429,
            "requests",
            "Your request rate has grown too fast. Slow down, then increase it gradually.",
            "slow_down",
        ),
        Fault.TOO_LARGE: Complaint(
            429,
            "tokens",
            "Request too large for {model} on tokens per min (TPM): Limit 1000, Requested 2000. "
            "The input or output tokens must be reduced in order to run successfully. "
            + LEARN_MORE,
            "rate_limit_exceeded",
        ),
    }
)
