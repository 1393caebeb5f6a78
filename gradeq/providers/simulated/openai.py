"""OpenAI's chat completions, as its documentation and its SDK (3.54) describe them."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from gradeq.providers.simulated import openai_wire as wire
from gradeq.providers.simulated.account import Account, CacheUse, Charge, Meter, Shortage
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
from gradeq.providers.simulated.dialect import Moment, bearer, known_models
from gradeq.providers.simulated.faults import Fault
from gradeq.providers.simulated.http1 import Request
from gradeq.providers.simulated.openai_logprobs import MOST_ALTERNATIVES, logprobs
from gradeq.providers.simulated.schema import has_optional_properties, is_open
from gradeq.providers.simulated.settings import SimulatorSettings

_METERS = (("requests", Meter.REQUESTS), ("tokens", Meter.TOKENS))


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all papers of one rubric have in common, worked out once."""

    plan: AnswerPlan
    form: Form
    tokens: int


class OpenAI:
    """The dialect of POST /v1/chat/completions."""

    name = "openai"

    def __init__(self, marker: Marker, seed: int = 0) -> None:
        self._marker = marker
        self._seed = seed
        self._ids = itertools.count(1)
        self._decode = msgspec.json.Decoder(wire.Body).decode
        self._shared = functools.lru_cache(maxsize=256)(self._understand)

    # Reading.

    def authenticate(self, request: Request, settings: SimulatorSettings) -> str:
        key = bearer(request)
        if not key:
            message = (
                "You didn't provide an API key. You need to provide your API key in an "
                "Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
            )
            raise Refused(Complaint(401, wire.INVALID, message))
        if settings.api_keys is not None and key not in settings.api_keys:
            raise Refused(wire.FAULTS[Fault.BAD_KEY])
        return key

    def read(self, request: Request, settings: SimulatorSettings) -> Call:
        if request.too_large:
            raise Refused(replace(wire.invalid("Request body is too large."), status=413))
        try:
            body = self._decode(request.body)
            _check(body, settings)
            return self._call(body, tells_chances=settings.logprobs)
        except msgspec.DecodeError as error:
            raise Refused(wire.complaint_about(problem_of(error))) from None

    def _call(self, body: wire.Body, *, tells_chances: bool) -> Call:
        texts = [(message.role, wire.text_of(message)) for message in body.messages]
        system = "\n".join(text for role, text in texts if role in ("system", "developer"))
        shared = self._shared(bytes(body.response_format), system)
        said = sum(tokens_in(text, wire.MESSAGE_TOKENS) for _, text in texts)
        return Call(
            model=body.model,
            paper=find_paper(next(text for role, text in reversed(texts) if role == "user")),
            plan=shared.plan,
            form=shared.form,
            input_tokens=shared.tokens + said,
            max_tokens=body.max_completion_tokens or body.max_tokens,
            top_logprobs=(body.top_logprobs or 0) if body.logprobs and tells_chances else None,
        )

    def _understand(self, response_format: bytes, system: str) -> _Shared:
        schema = _schema(_decoded(response_format))
        return _Shared(
            plan=self._marker.plan(schema, system),
            form=Form.TEXT if schema is None else Form.JSON,
            tokens=tokens_in(response_format),
        )

    # Charging.

    def limits(self, settings: SimulatorSettings) -> Mapping[Meter, float | None]:
        return {
            Meter.REQUESTS: settings.requests_per_minute,
            Meter.TOKENS: settings.openai_tokens_per_minute,
        }

    def charges(self, call: Call, _cache: CacheUse, /) -> tuple[Charge, ...]:
        # max_tokens is a reservation, and nothing of it comes back.
        tokens = max(call.max_tokens or 0, call.input_tokens)
        return (
            Charge(Meter.REQUESTS, 1, 1),
            Charge(Meter.SECOND, 1, 1),
            Charge(Meter.TOKENS, tokens, tokens),
        )

    def limit_headers(self, account: Account, moment: Moment) -> bytes:
        lines = []
        for name, meter in _METERS:
            if meter in account.limits:
                bucket = account.buckets[meter]
                left = max(0, int(bucket.level(moment.monotonic)))
                full = wire.go_duration(bucket.until_full(moment.monotonic))
                lines.append(
                    f"x-ratelimit-limit-{name}: {account.limits[meter]:.0f}\r\n"
                    f"x-ratelimit-remaining-{name}: {left}\r\n"
                    f"x-ratelimit-reset-{name}: {full}\r\n"
                )
        return "".join(lines).encode()

    # Answering.

    def id_header(self) -> tuple[bytes, str]:
        request_id = f"req_{next(self._ids):032x}"
        return b"x-request-id: %b\r\n" % request_id.encode(), request_id

    def told_to_wait(self, seconds: float) -> float:
        return max(1, math.ceil(round(seconds * 1000, 6))) / 1000

    def retry_headers(self, seconds: float) -> bytes:
        millis = round(seconds * 1000)
        return b"retry-after: %d\r\nretry-after-ms: %d\r\n" % (-(-millis // 1000), millis)

    def body(self, call: Call, output: Output, cache: CacheUse, moment: Moment) -> bytes:
        choice = {
            "index": 0,
            "message": wire.message(output),
            "logprobs": self._logprobs(call, output),
            "finish_reason": "length" if output.stop == "length" else "stop",
        }
        return msgspec.json.encode(
            {
                "id": f"chatcmpl-Sim{next(self._ids):018d}",
                "object": "chat.completion",
                "created": moment.wall_ms // 1000,
                "model": call.model,
                "choices": [choice],
                "usage": wire.usage(call.input_tokens, output.tokens, cache.read),
                "service_tier": "default",
                "system_fingerprint": "fp_simulated",
            }
        )

    def _logprobs(self, call: Call, output: Output) -> Mapping[str, Any] | None:
        if call.top_logprobs is None or output.stop == "refusal":
            return None
        told = logprobs(output.data.decode(), call.top_logprobs, f"{self._seed} {call.paper}")
        return {"content": told, "refusal": None}

    def models(self, settings: SimulatorSettings) -> bytes:
        about = {"object": "model", "created": 1_767_225_600, "owned_by": "gradeq"}
        listed = [{**about, "id": name} for name in known_models(settings)]
        return msgspec.json.encode({"object": "list", "data": listed})

    # Complaining.

    def shortage(self, shortage: Shortage, account: Account, model: str) -> Complaint:
        if math.isinf(shortage.wait):
            limit = account.buckets[shortage.meter].capacity
            message = (
                f"Request too large for {model} on tokens per min (TPM): Limit {limit:.0f}, "
                f"Requested {shortage.need:.0f}. The input or output tokens must be reduced in "
                f"order to run successfully. {wire.LEARN_MORE}"
            )
            return Complaint(429, "tokens", message, "rate_limit_exceeded")
        return self._rate_limited(shortage, account, model)

    def _rate_limited(self, shortage: Shortage, account: Account, model: str) -> Complaint:
        tokens = shortage.meter is Meter.TOKENS
        limit = account.limits[Meter.TOKENS if tokens else Meter.REQUESTS]
        what = "tokens per min (TPM)" if tokens else "requests per min (RPM)"
        message = (
            f"Rate limit reached for {model} in organization org-simulated on {what}: "
            f"Limit {limit:.0f}, Used {max(0.0, limit - shortage.level):.0f}, "
            f"Requested {shortage.need:.0f}. Please try again in "
            f"{wire.go_duration(shortage.wait)}. {wire.LEARN_MORE}"
        )
        kind = "tokens" if tokens else "requests"
        return Complaint(429, kind, message, "rate_limit_exceeded", retry_after=shortage.wait)

    def too_many(self, seconds: float) -> Complaint:
        message = "Too many concurrent requests. Please try again later."
        return Complaint(429, "requests", message, "rate_limit_exceeded", retry_after=seconds)

    def fault(self, fault: Fault, seconds: float, model: str, _moment: Moment, /) -> Complaint:
        complaint = wire.FAULTS[fault]
        wait = wire.go_duration(seconds)
        message = complaint.message.replace("{model}", model).replace("{wait}", wait)
        waits = fault in (Fault.RATE_LIMITED, Fault.SLOW_DOWN)
        return replace(complaint, message=message, retry_after=seconds if waits else None)

    def error_body(self, complaint: Complaint, _request_id: str, /) -> bytes:
        return wire.error_body(complaint)


def _check(body: wire.Body, settings: SimulatorSettings) -> None:
    if body.stream:
        raise Refused(_unsupported("stream", "answers in one piece; send stream=false"))
    if body.tools:
        raise Refused(_unsupported("tools", "calls no tools here; use response_format"))
    if any(
        limit is not None and limit < 1 for limit in (body.max_tokens, body.max_completion_tokens)
    ):
        raise Refused(wire.invalid("Invalid 'max_tokens': below the minimum of 1.", "max_tokens"))
    if body.n not in (None, 1):
        raise Refused(_unsupported("n", "gives one answer; send n=1"))
    if body.top_logprobs is not None and not body.logprobs:
        text = "Invalid 'top_logprobs': 'logprobs' must be true."
        raise Refused(wire.invalid(text, "top_logprobs", "invalid_value"))
    if not 0 <= (body.top_logprobs or 0) <= MOST_ALTERNATIVES:
        text = f"Invalid 'top_logprobs': not from 0 to {MOST_ALTERNATIVES}."
        raise Refused(wire.invalid(text, "top_logprobs", "invalid_value"))
    if not any(message.role == "user" for message in body.messages):
        text = "Invalid 'messages': a message with the role 'user' is needed."
        raise Refused(wire.invalid(text, "messages", "invalid_value"))
    if settings.models is not None and body.model not in settings.models:
        unknown = wire.FAULTS[Fault.UNKNOWN_MODEL]
        raise Refused(replace(unknown, message=unknown.message.replace("{model}", body.model)))


def _unsupported(param: str, why: str) -> Complaint:
    text = f"Unsupported value: '{param}': the simulated provider {why}."
    return wire.invalid(text, param, "unsupported_value")


def _decoded(raw: bytes) -> wire.ResponseFormat | None:
    if not raw:
        return None
    try:
        return msgspec.json.decode(raw, type=wire.ResponseFormat | None)
    except msgspec.DecodeError as error:
        problem = problem_of(error)
        path = ".".join(part for part in ("response_format", problem.path) if part)
        raise Refused(wire.complaint_about(replace(problem, path=path))) from None


def _schema(wanted: wire.ResponseFormat | None) -> Mapping[str, Any] | None:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.json_schema is None:
        return {"type": "object", "properties": {"feedback": {"type": "string"}}}
    named = wanted.json_schema
    if named.strict and is_open(named.schema):
        raise Refused(_not_strict(named.name, "'additionalProperties' must be set to false"))
    if named.strict and has_optional_properties(named.schema):
        raise Refused(_not_strict(named.name, "'required' must list every key in properties"))
    return named.schema


def _not_strict(name: str, why: str) -> Complaint:
    text = f"Invalid schema for response_format '{name}': {why} in every object."
    return wire.invalid(text, "response_format")
