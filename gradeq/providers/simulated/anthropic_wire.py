"""What Anthropic's Messages API reads and writes: bodies, answers, errors, headers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from gradeq.providers.simulated.account import MIN_CACHED_TOKENS, Account, Meter, Prefix
from gradeq.providers.simulated.call import Complaint, Form, Output, Problem, tokens_in
from gradeq.providers.simulated.dialect import Moment, rfc3339
from gradeq.providers.simulated.faults import Fault

INVALID = "invalid_request_error"
MESSAGE_TOKENS = 4
"""Tokens that a message adds to those of its text."""
_TOOL_PROMPT_TOKENS = 346
"""Tokens that tools add to a prompt before any of them is described."""

_METERS = (
    ("requests", (Meter.REQUESTS,), 1),
    ("input-tokens", (Meter.INPUT,), 1000),
    ("output-tokens", (Meter.OUTPUT,), 1000),
    ("tokens", (Meter.INPUT, Meter.OUTPUT), 1000),
)
"""Names in headers, the buckets they add up, and what `remaining` is rounded to."""


class CacheControl(msgspec.Struct):
    type: str
    ttl: Literal["5m", "1h"] = "5m"

    @property
    def lifetime(self) -> float:
        return 3600.0 if self.ttl == "1h" else 300.0


class Block(msgspec.Struct):
    type: str
    text: str = ""
    cache_control: CacheControl | None = None


class Turn(msgspec.Struct):
    role: Literal["user", "assistant"]
    content: str | list[Block]


class Tool(msgspec.Struct):
    name: str
    input_schema: dict[str, Any]
    cache_control: CacheControl | None = None


class ToolChoice(msgspec.Struct):
    type: Literal["auto", "any", "tool", "none"]
    name: str = ""


class Format(msgspec.Struct):
    type: Literal["json_schema"]
    schema: dict[str, Any]


class OutputConfig(msgspec.Struct):
    format: Format | None = None


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """POST /v1/messages. Parts that papers share stay raw: they are read once and remembered."""

    model: str
    max_tokens: int
    messages: list[Turn]
    system: msgspec.Raw = msgspec.Raw()
    tools: msgspec.Raw = msgspec.Raw()
    output_config: msgspec.Raw = msgspec.Raw()
    tool_choice: ToolChoice | None = None
    cache_control: CacheControl | None = None
    """Marks the last block of the last message."""
    stream: bool | None = None
    temperature: Any = msgspec.UNSET
    top_p: Any = msgspec.UNSET
    top_k: Any = msgspec.UNSET
    container: Any = None
    diagnostics: Any = None
    inference_geo: Any = None
    metadata: Any = None
    service_tier: Any = None
    speed: Any = None
    stop_sequences: Any = None
    thinking: Any = None


def text_of(content: str | list[Block]) -> str:
    return content if isinstance(content, str) else "\n".join(block.text for block in content)


Part = tuple[bytes, int, CacheControl | None]
"""A block's bytes, its tokens and its mark."""


def head_parts(tools: list[Tool], system: str | list[Block]) -> Iterator[Part]:
    """What stands before the messages, in the order in which prefixes grow."""
    for number, tool in enumerate(tools):
        data = msgspec.json.encode([tool.name, tool.input_schema])
        extra = _TOOL_PROMPT_TOKENS if number == 0 else 0
        yield data, tokens_in(data, extra), tool.cache_control
    yield from content_parts(system)


def content_parts(content: str | list[Block]) -> Iterator[Part]:
    """The blocks of a system prompt or a message."""
    if isinstance(content, str):
        yield content.encode(), tokens_in(content), None
        return
    for block in content:
        yield block.text.encode(), tokens_in(block.text), block.cache_control


def prefixes(head: bytes, head_tokens: int, parts: Iterable[Part]) -> Iterator[Prefix]:
    """A prefix for every mark, each named by all that stands before it; short ones are left out."""
    digest, tokens = hashlib.sha256(head), head_tokens
    for data, more, mark in parts:
        digest.update(b"\0" + data)
        tokens += more
        if mark is not None and tokens >= MIN_CACHED_TOKENS:
            yield Prefix(digest.digest(), tokens, mark.lifetime)


def message_prefixes(head: bytes, head_tokens: int, body: Body) -> tuple[Prefix, ...]:
    """Prefixes that end inside the messages; nothing is hashed where no block is marked."""
    contents = [turn.content for turn in body.messages if not isinstance(turn.content, str)]
    marked = any(block.cache_control for content in contents for block in content)
    if not (marked or body.cache_control):
        return ()
    parts = [part for turn in body.messages for part in content_parts(turn.content)]
    if body.cache_control and parts:
        data, tokens, mark = parts[-1]
        parts[-1] = (data, tokens, mark or body.cache_control)
    return tuple(prefixes(head, head_tokens, parts))


def content(output: Output, tool: str, number: int) -> list[dict[str, Any]]:
    """The blocks of an answer; a refusal has none."""
    if output.stop == "refusal":
        return []
    if output.form is not Form.TOOL:
        return [{"type": "text", "text": output.data.decode()}]
    call_id = f"toolu_01Sim{number:018d}"
    return [{"type": "tool_use", "id": call_id, "name": tool, "input": msgspec.Raw(output.data)}]


def stop_reason(output: Output) -> str:
    if output.stop == "end":
        return "tool_use" if output.form is Form.TOOL else "end_turn"
    return "max_tokens" if output.stop == "length" else "refusal"


def stop_details(output: Output) -> dict[str, Any] | None:
    if output.stop != "refusal":
        return None
    return {"type": "refusal", "category": None, "explanation": output.data.decode()}


def error_body(complaint: Complaint, request_id: str) -> bytes:
    """The body of an error; `complaint.code` becomes `details.error_code`."""
    error: dict[str, Any] = {"type": complaint.kind, "message": complaint.message}
    if complaint.code is not None:
        error["details"] = {"error_code": complaint.code}
    return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id})


def invalid(message: str) -> Complaint:
    return Complaint(400, INVALID, message)


def complaint_about(problem: Problem) -> Complaint:
    """A body that cannot be read, in the words of the API's validation."""
    if problem.kind == "missing":
        return invalid(f"{problem.path}: Field required")
    if problem.kind == "extra":
        return invalid(f"{problem.path}: Extra inputs are not permitted")
    if problem.kind == "malformed":
        return invalid(f"The request body is not valid JSON: {problem.detail}")
    return invalid(f"{problem.path or 'body'}: Input should be valid: {problem.detail}")


def limit_lines(account: Account, moment: Moment) -> bytes:
    """The headers about limits. `reset` is when a bucket is full, not when to come back."""
    lines = []
    for name, meters, rounding in _METERS:
        buckets = [account.buckets[meter] for meter in meters if meter in account.limits]
        if buckets:
            limit = sum(account.limits[meter] for meter in meters if meter in account.limits)
            level = sum(max(0.0, bucket.level(moment.monotonic)) for bucket in buckets)
            full = max(bucket.until_full(moment.monotonic) for bucket in buckets)
            start = f"anthropic-ratelimit-{name}"
            lines.append(
                f"{start}-limit: {limit:.0f}\r\n"
                f"{start}-remaining: {_rounded(level, rounding)}\r\n"
                f"{start}-reset: {rfc3339(moment.wall_ms + full * 1000)}\r\n"
            )
    return "".join(lines).encode()


def _rounded(level: float, rounding: int) -> int:
    return int(level) if rounding == 1 else round(level / rounding) * rounding


FAULTS: Mapping[Fault, Complaint] = MappingProxyType(
    {
        Fault.BAD_REQUEST: invalid("messages: Input should be a valid list"),
        Fault.BAD_KEY: Complaint(401, "authentication_error", "invalid x-api-key"),
        Fault.BILLING: Complaint(
            402, "billing_error", "There is a problem with your organization's payment details."
        ),
        Fault.FORBIDDEN: Complaint(
            403, "permission_error", "Your API key does not have permission to use this resource."
        ),
        Fault.UNKNOWN_MODEL: Complaint(404, "not_found_error", "model: {model}"),
        Fault.RATE_LIMITED: Complaint(
            429,
            "rate_limit_error",
            "This request would exceed your account's rate limit. Please try again later.",
        ),
        Fault.SERVER_ERROR: Complaint(500, "api_error", "Internal server error"),
        Fault.BAD_GATEWAY: Complaint(502, "api_error", "Bad gateway"),
        Fault.UNAVAILABLE: Complaint(503, "api_error", "Service unavailable"),
        Fault.GATEWAY_TIMEOUT: Complaint(504, "timeout_error", "Request timed out"),
        Fault.OVERLOADED: Complaint(529, "overloaded_error", "Overloaded"),
        Fault.SPEND_CAP: Complaint(
            429,
            "rate_limit_error",
            "Your organization has crossed the monthly API usage threshold of its tier.",
            "enforced_spend_limit_reached",
        ),
        Fault.USAGE_LIMITS: invalid(
            "You have reached your specified API usage limits. "
            "You will regain access on {next_month} at 00:00 UTC."
        ),
        Fault.QUOTA: invalid(
            "Your credit balance is too low to access the Anthropic API. "
            "Please go to Plans & Billing to upgrade or purchase credits."
        ),
        Fault.SLOW_DOWN: Complaint(
            429,
            "rate_limit_error",
            "This request would exceed your organization's maximum usage increase rate. "
            "Please scale up your usage more gradually.",
            "ramp_limit_exceeded",
        ),
        Fault.TOO_LARGE: Complaint(413, "request_too_large", "Request exceeds the maximum size"),
    }
)
