"""The JSON of Gemini's generateContent: request bodies in, answers and errors out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from gradeq.providers.simulated.account import Meter
from gradeq.providers.simulated.call import Complaint, Output, Problem
from gradeq.providers.simulated.faults import Fault
from gradeq.providers.simulated.schema import Schema

INVALID = "INVALID_ARGUMENT"
EXHAUSTED = "RESOURCE_EXHAUSTED"
CONTENT_TOKENS = 4
"""Tokens that a turn adds to those of its text."""
_SERVICE = "generativelanguage.googleapis.com"
_TYPE = "type.googleapis.com/google.rpc."


class Part(msgspec.Struct):
    text: str = ""


class Content(msgspec.Struct):
    parts: list[Part] = msgspec.field(default_factory=list)
    role: Literal["user", "model"] = "user"


class GenerationConfig(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The schemas stay raw: they are read once and remembered."""

    response_mime_type: str | None = None
    response_json_schema: msgspec.Raw = msgspec.Raw()
    response_schema: msgspec.Raw = msgspec.Raw()
    max_output_tokens: int | None = None
    candidate_count: int | None = None
    temperature: Any = None
    top_p: Any = None
    top_k: Any = None
    seed: Any = None
    stop_sequences: Any = None
    presence_penalty: Any = None
    frequency_penalty: Any = None
    response_logprobs: Any = None
    logprobs: Any = None
    response_modalities: Any = None
    media_resolution: Any = None
    thinking_config: Any = None


class Body(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """POST /v1beta/models/{model}:generateContent."""

    contents: list[Content]
    system_instruction: Content = msgspec.field(default_factory=Content)
    generation_config: GenerationConfig = msgspec.field(default_factory=GenerationConfig)
    tools: list[Any] | None = None
    tool_config: Any = None
    safety_settings: Any = None
    cached_content: Any = None
    service_tier: Any = None
    labels: Any = None
    store: Any = None


def text_of(content: Content) -> str:
    return "\n".join(part.text for part in content.parts)


def plain_schema(schema: Schema) -> Schema:
    """An OpenAPI schema as JSON schema: types are small letters there."""
    return {word: _plain(word, value) for word, value in schema.items()}


def _plain(word: str, value: Any) -> Any:
    if word == "type" and isinstance(value, str):
        return value.lower()
    if word == "properties" and isinstance(value, Mapping):
        return {name: plain_schema(part) for name, part in value.items()}
    if word == "items" and isinstance(value, Mapping):
        return plain_schema(value)
    return [plain_schema(each) for each in value] if word == "anyOf" else value


def candidate(output: Output) -> dict[str, Any]:
    """What the model said; a refusal has no content."""
    if output.stop == "refusal":
        return {"finishReason": "SAFETY", "index": 0}
    return {
        "content": {"parts": [{"text": output.data.decode()}], "role": "model"},
        "finishReason": "MAX_TOKENS" if output.stop == "length" else "STOP",
        "index": 0,
    }


def usage(prompt_tokens: int, output_tokens: int) -> dict[str, Any]:
    return {
        "promptTokenCount": prompt_tokens,
        "candidatesTokenCount": output_tokens,
        "totalTokenCount": prompt_tokens + output_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt_tokens}],
    }


def error_body(complaint: Complaint) -> bytes:
    """With a RetryInfo where it tells to wait, cut to whole seconds as Google cuts it."""
    error: dict[str, Any] = {
        "code": complaint.status,
        "message": complaint.message,
        "status": complaint.kind,
    }
    details = [*_reason(complaint)]
    if complaint.retry_after is not None:
        delay = f"{int(complaint.retry_after)}s"
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": delay})
    return msgspec.json.encode({"error": error | ({"details": details} if details else {})})


def _reason(complaint: Complaint) -> list[dict[str, Any]]:
    """For a limit its id and metric, else why in one word, where the complaint has them."""
    if complaint.code is None:
        return []
    if complaint.kind != EXHAUSTED:
        about = {"reason": complaint.code, "domain": "googleapis.com"}
        return [{"@type": f"{_TYPE}ErrorInfo", **about, "metadata": {"service": _SERVICE}}]
    violation = {
        "quotaMetric": f"{_SERVICE}/{complaint.param}",
        "quotaId": complaint.code,
        "quotaDimensions": {"location": "global"},
    }
    if complaint.limit is not None:
        violation["quotaValue"] = str(complaint.limit)
    return [{"@type": f"{_TYPE}QuotaFailure", "violations": [violation]}]


def invalid(text: str) -> Complaint:
    return Complaint(400, INVALID, text)


def complaint_about(problem: Problem) -> Complaint:
    """A body that cannot be read, in the words of Google's JSON gateway."""
    parent, _, name = problem.path.rpartition(".")
    if problem.kind == "missing":
        return invalid(f"* GenerateContentRequest.{problem.path}: {name} is not specified\n")
    if problem.kind == "extra":
        where = f" at '{_snake(parent)}'" if parent else ""
        text = f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.'
        return invalid(text)
    if problem.kind == "malformed":
        return invalid(f"Invalid JSON payload received. {problem.detail}")
    return invalid(f"Invalid value at '{_snake(problem.path)}': {problem.detail}")


def _snake(path: str) -> str:
    return re.sub("([A-Z])", lambda found: f"_{found[1].lower()}", path)


UNREGISTERED = Complaint(
    403,
    "PERMISSION_DENIED",
    "Method doesn't allow unregistered callers (callers without established identity). Please use "
    "API Key or other form of API consumer identity to call this API.",
)

_QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. For more "
    "information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits."
)
_QUOTAS: Mapping[Meter, tuple[str, str]] = MappingProxyType(
    {
        Meter.REQUESTS: (
            "GenerateRequestsPerMinutePerProjectPerModel",
            "generate_requests_per_model",
        ),
        Meter.INPUT: (
            "GenerateContentInputTokensPerModelPerMinute",
            "generate_content_input_token_count",
        ),
        Meter.DAY: (
            "GenerateRequestsPerDayPerProjectPerModel",
            "generate_requests_per_model_per_day",
        ),
    }
)
"""Google's id and metric of each limit."""


def exceeded(meter: Meter, limit: float, model: str, seconds: float) -> Complaint:
    """A limit that is reached."""
    quota_id, metric = _QUOTAS[meter]
    amount = math.ceil(limit)
    message = (
        f"{_QUOTA}\n* Quota exceeded for metric: {_SERVICE}/{metric}, limit: {amount}, "
        f"model: {model}\nPlease retry in {seconds:.9g}s."
    )
    return Complaint(429, EXHAUSTED, message, quota_id, metric, seconds, amount)


FAULTS: Mapping[Fault, Complaint] = MappingProxyType(
    {
        Fault.BAD_REQUEST: invalid("Request contains an invalid argument."),
        # Google answers 400 to a wrong key, and knows no 402.
        Fault.BAD_KEY: Complaint(
            400, INVALID, "API key not valid. Please pass a valid API key.", "API_KEY_INVALID"
        ),
        Fault.BILLING: Complaint(
            429,
            EXHAUSTED,
            "Your prepayment credits are depleted. Please go to AI Studio at "
            "https://ai.studio/projects to manage your project and billing.",
        ),
        Fault.FORBIDDEN: Complaint(403, "PERMISSION_DENIED", "The caller does not have permission"),
        Fault.UNKNOWN_MODEL: Complaint(
            404,
            "NOT_FOUND",
            "models/{model} is not found for API version v1beta, or is not supported for "
            "generateContent. Call ListModels to see the list of available models and their "
            "supported methods.",
        ),
        Fault.SERVER_ERROR: Complaint(
            500, "INTERNAL", "An internal error has occurred. Please retry or report it."
        ),
        Fault.BAD_GATEWAY: Complaint(502, "UNKNOWN", "Bad gateway."),
        Fault.UNAVAILABLE: Complaint(503, "UNAVAILABLE", "The service is currently unavailable."),
        Fault.GATEWAY_TIMEOUT: Complaint(
            504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete."
        ),
        Fault.OVERLOADED: Complaint(
            503, "UNAVAILABLE", "The model is overloaded. Please try again later."
        ),
        Fault.SPEND_CAP: Complaint(
            429,
            EXHAUSTED,
            "Your project has exceeded its monthly spending cap. Please go to AI Studio at "
            "https://ai.studio/spend to manage your project spend cap.",
        ),
        Fault.QUOTA: Complaint(
            429,
            EXHAUSTED,
            f"{_QUOTA}\n* Quota exceeded for metric: {_SERVICE}/generate_requests_per_model, "
            "limit: 0, model: {model}\nPlease retry in 20.04466179s.",
            *_QUOTAS[Meter.DAY],
            20.04466179,
        ),
        # Nothing at Google asks to slow down: capacity that is shared by all is refused like this.
        Fault.SLOW_DOWN: Complaint(
            429, EXHAUSTED, "Resource has been exhausted (e.g. check quota)."
        ),
        Fault.TOO_LARGE: invalid(
            "The input token count (2000000) exceeds the maximum number of tokens allowed "
            "(1048576)."
        ),
    }
)
"""Those that are no limit; `429` and `usage_limits` are."""
