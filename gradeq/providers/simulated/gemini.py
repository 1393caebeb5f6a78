"""Gemini's generateContent, as its documentation and Google's SDK (3.4) describe it.

Google sends no header about limits. A refusal tells in its body which limit it was, and how long
to wait; of a limit per day it tells a wait that is far too short.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

import msgspec

from gradeq.providers.simulated import gemini_wire as wire
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
from gradeq.providers.simulated.dialect import Moment, known_models
from gradeq.providers.simulated.faults import Fault
from gradeq.providers.simulated.http1 import Request
from gradeq.providers.simulated.settings import SimulatorSettings

GENERATE = re.compile(rb"/v1(?:beta)?/models/([^/:]+):(\w+)")
"""The path of a call: the model, and what it shall do."""
_SECONDS_TOLD_OF_A_DAY = 20.0
_SECONDS_TOLD_IN_VAIN = 60.0


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all papers of one rubric have in common, worked out once."""

    plan: AnswerPlan
    form: Form
    tokens: int


class Gemini:
    """The dialect of POST /v1beta/models/{model}:generateContent; v1 is the same."""

    name = "gemini"

    def __init__(self, marker: Marker) -> None:
        self._marker = marker
        self._ids = itertools.count(1)
        self._decode = msgspec.json.Decoder(wire.Body).decode
        self._shared = functools.lru_cache(maxsize=256)(self._understand)

    # Reading.

    def authenticate(self, request: Request, settings: SimulatorSettings) -> str:
        key = request.headers.get(b"x-goog-api-key", "")
        if not key:
            raise Refused(wire.UNREGISTERED)
        if settings.api_keys is not None and key not in settings.api_keys:
            raise Refused(wire.FAULTS[Fault.BAD_KEY])
        return key

    def read(self, request: Request, settings: SimulatorSettings) -> Call:
        model = _model(request, settings)
        if request.too_large:
            raise Refused(wire.invalid("Request payload size exceeds the limit: 20971520 bytes."))
        try:
            body = self._decode(request.body)
            _check(body)
            return self._call(model, body)
        except msgspec.DecodeError as error:
            raise Refused(wire.complaint_about(problem_of(error))) from None

    def _call(self, model: str, body: wire.Body) -> Call:
        config = body.generation_config
        shared = self._shared(
            config.response_mime_type or "",
            bytes(config.response_json_schema),
            bytes(config.response_schema),
            wire.text_of(body.system_instruction),
        )
        texts = [(turn.role, wire.text_of(turn)) for turn in body.contents]
        return Call(
            model=model,
            paper=find_paper(next(text for role, text in reversed(texts) if role == "user")),
            plan=shared.plan,
            form=shared.form,
            input_tokens=shared.tokens
            + sum(tokens_in(text, wire.CONTENT_TOKENS) for _, text in texts),
            max_tokens=config.max_output_tokens,
        )

    def _understand(
        self, mime_type: str, json_schema: bytes, openapi_schema: bytes, system: str
    ) -> _Shared:
        schema = _schema(mime_type, _decoded(json_schema), _decoded(openapi_schema))
        return _Shared(
            plan=self._marker.plan(schema, system),
            form=Form.TEXT if schema is None else Form.JSON,
            tokens=tokens_in(json_schema or openapi_schema) + tokens_in(system),
        )

    # Charging.

    def limits(self, settings: SimulatorSettings) -> Mapping[Meter, float | None]:
        return {
            Meter.REQUESTS: settings.requests_per_minute,
            Meter.INPUT: settings.input_tokens_per_minute,
            Meter.DAY: settings.requests_per_day,
        }

    def charges(self, call: Call, _cache: CacheUse, /) -> tuple[Charge, ...]:
        return (
            Charge(Meter.DAY, 1, 1),
            Charge(Meter.REQUESTS, 1, 1),
            Charge(Meter.SECOND, 1, 1),
            Charge(Meter.INPUT, call.input_tokens, call.input_tokens),
        )

    def limit_headers(self, _account: Account, _moment: Moment) -> bytes:
        return b""

    # Answering.

    def id_header(self) -> tuple[bytes, str]:
        return b"", ""

    def told_to_wait(self, seconds: float) -> float:
        return seconds

    def retry_headers(self, _seconds: float) -> bytes:
        return b""

    def body(self, call: Call, output: Output, _cache: CacheUse, _moment: Moment, /) -> bytes:
        return msgspec.json.encode(
            {
                "candidates": [wire.candidate(output)],
                "usageMetadata": wire.usage(call.input_tokens, output.tokens),
                "modelVersion": call.model,
                "responseId": f"Sim{next(self._ids):018d}",
            }
        )

    def models(self, settings: SimulatorSettings) -> bytes:
        about = {
            "version": "001",
            "inputTokenLimit": 1_048_576,
            "outputTokenLimit": 65_536,
            "supportedGenerationMethods": ["generateContent"],
        }
        listed = [
            {**about, "name": f"models/{name}", "displayName": name}
            for name in known_models(settings)
        ]
        return msgspec.json.encode({"models": listed})

    # Complaining.

    def shortage(self, shortage: Shortage, account: Account, model: str) -> Complaint:
        meter = Meter.REQUESTS if shortage.meter is Meter.SECOND else shortage.meter
        wait = shortage.wait if math.isfinite(shortage.wait) else _SECONDS_TOLD_IN_VAIN
        if meter is Meter.DAY:
            wait = _SECONDS_TOLD_OF_A_DAY
        return wire.exceeded(meter, account.limits[meter], model, wait)

    def too_many(self, seconds: float) -> Complaint:
        return replace(wire.FAULTS[Fault.SLOW_DOWN], retry_after=seconds)

    def fault(self, fault: Fault, seconds: float, model: str, _moment: Moment, /) -> Complaint:
        if fault is Fault.RATE_LIMITED:
            return wire.exceeded(Meter.REQUESTS, 10, model, seconds)
        if fault is Fault.USAGE_LIMITS:
            return wire.exceeded(Meter.DAY, 100, model, _SECONDS_TOLD_OF_A_DAY)
        complaint = wire.FAULTS[fault]
        return replace(complaint, message=complaint.message.replace("{model}", model))

    def error_body(self, complaint: Complaint, _request_id: str, /) -> bytes:
        return wire.error_body(complaint)


def _model(request: Request, settings: SimulatorSettings) -> str:
    """The model in the path. Raises Refused for an unknown one and for another method."""
    found = GENERATE.fullmatch(request.path)
    name = unquote(found[1].decode()) if found else ""
    known = settings.models is None or name in settings.models
    if found is None or found[2] != b"generateContent" or not known:
        unknown = wire.FAULTS[Fault.UNKNOWN_MODEL]
        raise Refused(replace(unknown, message=unknown.message.replace("{model}", name)))
    return name


def _check(body: wire.Body) -> None:
    config = body.generation_config
    where = "* GenerateContentRequest"
    if not any(turn.role == "user" for turn in body.contents):
        raise Refused(wire.invalid(f"{where}.contents: contents is not specified\n"))
    if body.tools:
        raise Refused(wire.invalid(f"{where}.tools: the simulated provider calls no tools\n"))
    if config.candidate_count not in (None, 1):
        text = f"{where}.generation_config.candidate_count: send one or leave it out\n"
        raise Refused(wire.invalid(text))
    if config.max_output_tokens is not None and config.max_output_tokens < 1:
        raise Refused(wire.invalid("max_output_tokens must be positive."))


def _decoded(raw: bytes) -> dict[str, Any] | None:
    return msgspec.json.decode(raw, type=dict[str, Any] | None) if raw else None


def _schema(
    mime_type: str, json_schema: dict[str, Any] | None, openapi_schema: dict[str, Any] | None
) -> Mapping[str, Any] | None:
    if json_schema is not None and openapi_schema is not None:
        text = "response_schema must not be set when response_json_schema is set."
        raise Refused(wire.invalid(text))
    if mime_type != "application/json":
        if json_schema is not None or openapi_schema is not None:
            text = (
                "* GenerateContentRequest.generation_config.response_schema: only allowed when "
                "response_mime_type is application/json\n"
            )
            raise Refused(wire.invalid(text))
        return None
    if openapi_schema is not None:
        return wire.plain_schema(openapi_schema)
    return json_schema or {"type": "object", "properties": {"feedback": {"type": "string"}}}
