"""Anthropic's Messages API, as its documentation and its SDK (2.12) describe it."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from gradeq.providers.simulated import anthropic_wire as wire
from gradeq.providers.simulated.account import (
    Account,
    CacheUse,
    Charge,
    Meter,
    Prefix,
    Shortage,
)
from gradeq.providers.simulated.answers import AnswerPlan, Marker
from gradeq.providers.simulated.call import (
    Call,
    Complaint,
    Form,
    Output,
    Refused,
    find_paper,
    problem_of,
    tokens_in,
)
from gradeq.providers.simulated.dialect import (
    Moment,
    bearer,
    first_of_next_month,
    known_models,
)
from gradeq.providers.simulated.faults import Fault
from gradeq.providers.simulated.http1 import Request
from gradeq.providers.simulated.schema import is_open
from gradeq.providers.simulated.settings import SimulatorSettings

WITH_SAMPLING = "2023-06-01"
WITHOUT_SAMPLING = "2026-10-21"
"""The version that no longer takes temperature, top_p and top_k."""


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all papers of one rubric have in common, worked out once."""

    plan: AnswerPlan
    form: Form
    tool: str
    tokens: int
    prefixes: tuple[Prefix, ...]
    text: bytes


class Anthropic:
    """The dialect of POST /v1/messages."""

    name = "anthropic"

    def __init__(self, marker: Marker) -> None:
        self._marker = marker
        self._ids = itertools.count(1)
        self._decode = msgspec.json.Decoder(wire.Body).decode
        self._shared = functools.lru_cache(maxsize=256)(self._understand)

    # Reading.

    def authenticate(self, request: Request, settings: SimulatorSettings) -> str:
        key, token = request.headers.get(b"x-api-key", ""), bearer(request)
        if not (key or token):
            raise Refused(Complaint(401, "authentication_error", "x-api-key header is required"))
        if settings.api_keys is not None and (key or token) not in settings.api_keys:
            wrong = "invalid x-api-key" if key else "Invalid bearer token"
            raise Refused(Complaint(401, "authentication_error", wrong))
        return key or token

    def read(self, request: Request, settings: SimulatorSettings) -> Call:
        version = version_of(request)
        if request.too_large:
            raise Refused(wire.FAULTS[Fault.TOO_LARGE])
        try:
            body = self._decode(request.body)
            _check(body, version, settings)
            return self._call(body, settings)
        except msgspec.DecodeError as error:
            raise Refused(wire.complaint_about(problem_of(error))) from None

    def _call(self, body: wire.Body, settings: SimulatorSettings) -> Call:
        choice = body.tool_choice
        shared = self._shared(
            bytes(body.tools),
            bytes(body.system),
            bytes(body.output_config),
            (choice.type, choice.name) if choice else ("auto", ""),
        )
        texts = [wire.text_of(turn.content) for turn in body.messages]
        last = max(i for i, turn in enumerate(body.messages) if turn.role == "user")
        said = sum(tokens_in(text, wire.MESSAGE_TOKENS) for text in texts)
        return Call(
            model=body.model,
            paper=find_paper(texts[last]),
            plan=shared.plan,
            form=shared.form,
            input_tokens=shared.tokens + said,
            max_tokens=body.max_tokens,
            tool=shared.tool,
            prefixes=shared.prefixes + wire.message_prefixes(shared.text, shared.tokens, body),
            reserved_output=body.max_tokens if settings.output_accounting == "reserved" else 0,
        )

    def _understand(
        self, tools: bytes, system: bytes, output_config: bytes, choice: tuple[str, str]
    ) -> _Shared:
        toolbox = _decoded(tools, "tools", list[wire.Tool]) or []
        blocks = _decoded(system, "system", str | list[wire.Block]) or ""
        config = _decoded(output_config, "output_config", wire.OutputConfig)
        tool = _chosen(toolbox, choice)
        wanted = config.format if config else None
        if wanted is not None and tool is None:
            _check_closed(wanted.schema)
        parts = list(wire.head_parts(toolbox, blocks))
        schema = tool.input_schema if tool else wanted.schema if wanted else None
        return _Shared(
            plan=self._marker.plan(schema, wire.text_of(blocks)),
            form=Form.TOOL if tool else Form.JSON if wanted else Form.TEXT,
            tool=tool.name if tool else "",
            tokens=sum(tokens for _, tokens, _ in parts) + tokens_in(output_config),
            prefixes=tuple(wire.prefixes(b"", 0, parts)),
            text=b"\0".join(data for data, _, _ in parts),
        )

    # Charging.

    def limits(self, settings: SimulatorSettings) -> Mapping[Meter, float | None]:
        return {
            Meter.REQUESTS: settings.requests_per_minute,
            Meter.INPUT: settings.input_tokens_per_minute,
            Meter.OUTPUT: settings.output_tokens_per_minute,
        }

    def charges(self, call: Call, cache: CacheUse) -> tuple[Charge, ...]:
        fresh, reserved = call.input_tokens - cache.read, call.reserved_output
        return (
            Charge(Meter.REQUESTS, 1, 1),
            Charge(Meter.SECOND, 1, 1),
            Charge(Meter.INPUT, fresh, fresh),
            # Output is charged as it is produced: a call is let in while any is left.
            Charge(Meter.OUTPUT, max(1, reserved), reserved),
        )

    def limit_headers(self, account: Account, moment: Moment) -> bytes:
        return wire.limit_lines(account, moment)

    # Answering.

    def id_header(self) -> tuple[bytes, str]:
        request_id = f"req_011Sim{next(self._ids):018d}"
        return b"request-id: %b\r\n" % request_id.encode(), request_id

    def told_to_wait(self, seconds: float) -> float:
        return float(max(1, math.ceil(round(seconds, 6))))

    def retry_headers(self, seconds: float) -> bytes:
        return b"retry-after: %d\r\n" % round(seconds)

    def body(self, call: Call, output: Output, cache: CacheUse, _moment: Moment, /) -> bytes:
        number = next(self._ids)
        return msgspec.json.encode(
            {
                "id": f"msg_01Sim{number:018d}",
                "type": "message",
                "role": "assistant",
                "model": call.model,
                "content": wire.content(output, call.tool, number),
                "stop_reason": wire.stop_reason(output),
                "stop_sequence": None,
                "stop_details": wire.stop_details(output),
                "usage": {
                    "input_tokens": call.input_tokens - cache.read - cache.written,
                    "cache_creation_input_tokens": cache.written,
                    "cache_read_input_tokens": cache.read,
                    "output_tokens": output.tokens,
                    "service_tier": "standard",
                },
            }
        )

    def models(self, settings: SimulatorSettings) -> bytes:
        names = known_models(settings)
        about = {"type": "model", "created_at": "2026-01-01T00:00:00Z", "lifecycle": "active"}
        listed = [{**about, "id": name, "display_name": name} for name in names]
        page = {"data": listed, "has_more": False, "first_id": names[0], "last_id": names[-1]}
        return msgspec.json.encode(page)

    # Complaining.

    def shortage(self, shortage: Shortage, account: Account, model: str) -> Complaint:
        meter = Meter.REQUESTS if shortage.meter is Meter.SECOND else shortage.meter
        message = (
            f"This request would exceed your organization's rate limit of "
            f"{account.limits[meter]:,.0f} {meter.value} per minute (org: "
            f"00000000-0000-4000-8000-000000000000, model: {model}). You can see the response "
            "headers for current usage. Please reduce the prompt length or the maximum tokens "
            "requested, or try again later."
        )
        # What never fits is not told apart by the real API either: a whole minute, again and again.
        wait = shortage.wait if math.isfinite(shortage.wait) else 60.0
        return Complaint(429, "rate_limit_error", message, retry_after=wait)

    def too_many(self, seconds: float) -> Complaint:
        message = (
            "Number of concurrent connections has exceeded your rate limit. Please try again later."
        )
        return Complaint(429, "rate_limit_error", message, retry_after=seconds)

    def fault(self, fault: Fault, seconds: float, model: str, moment: Moment) -> Complaint:
        complaint = wire.FAULTS[fault]
        month = first_of_next_month(moment.wall_ms)
        message = complaint.message.replace("{model}", model).replace("{next_month}", month)
        waits = fault in (Fault.RATE_LIMITED, Fault.SLOW_DOWN)
        return replace(complaint, message=message, retry_after=seconds if waits else None)

    def error_body(self, complaint: Complaint, request_id: str) -> bytes:
        return wire.error_body(complaint, request_id)


def version_of(request: Request) -> str:
    """The version that `request` speaks. Raises Refused (400) for none, or one not known."""
    version = request.headers.get(b"anthropic-version", "")
    if not version:
        raise Refused(wire.invalid("anthropic-version: header is required"))
    if version not in (WITH_SAMPLING, WITHOUT_SAMPLING):
        raise Refused(wire.invalid(f'anthropic-version: "{version}" is not a valid version'))
    return version


def _check(body: wire.Body, version: str, settings: SimulatorSettings) -> None:
    if version == WITHOUT_SAMPLING:
        for name in ("temperature", "top_p", "top_k"):
            if getattr(body, name) is not msgspec.UNSET:
                raise Refused(wire.invalid(f"{name}: Extra inputs are not permitted"))
    if body.stream:
        message = "stream: the simulated provider answers in one piece; send stream=false"
        raise Refused(wire.invalid(message))
    if body.max_tokens < 1:
        raise Refused(wire.invalid("max_tokens: Input should be greater than or equal to 1"))
    if not any(turn.role == "user" for turn in body.messages):
        raise Refused(wire.invalid("messages: at least one message is required"))
    if settings.models is not None and body.model not in settings.models:
        raise Refused(Complaint(404, "not_found_error", f"model: {body.model}"))


def _check_closed(schema: Mapping[str, Any]) -> None:
    if is_open(schema):
        message = (
            "output_config.format.schema: For 'object' type, 'additionalProperties' must be "
            "explicitly set to false"
        )
        raise Refused(wire.invalid(message))


def _decoded(raw: bytes, name: str, kind: Any) -> Any:
    if not raw or raw == b"null":
        return None
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.DecodeError as error:
        problem = problem_of(error)
        path = ".".join(part for part in (name, problem.path) if part)
        raise Refused(wire.complaint_about(replace(problem, path=path))) from None


def _chosen(tools: list[wire.Tool], choice: tuple[str, str]) -> wire.Tool | None:
    """The tool that the answer calls: the one asked for, else the first where any may be called."""
    kind, name = choice
    if kind == "none" or (kind == "auto" and not tools):
        return None
    if kind != "tool" and tools:
        return tools[0]
    named = next((tool for tool in tools if tool.name == name), None)
    if named is None:
        raise Refused(wire.invalid(f"Tool '{name}' not found in provided tools"))
    return named
