"""Every signal of every provider and gateway, and what must follow from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

import pytest
from scripted_server import Exchange, Step, response

from gradeq.outcome import ErrorClass

NOW_S = 1_800_000_000  # 2027-01-15 08:00 UTC, midnight in California
DAY = 86_400.0
FOR_EVER = (math.inf, math.inf)
AT_ONCE = (0.0, 0.0)

GATE, HALVED, LOADING = "gate", "gate, rate halved", "gate of a loading model"
BREAKER, PARKED, STRIKE, NOTHING = "breaker", "parked", "parked after five", "nothing"
COUNTED, FREE, OVER = "an attempt", "no attempt", "given up"


def anthropic(status: int, kind: str, message: str = "No.", **more: Any) -> bytes:
    return response({"type": "error", "error": {"type": kind, "message": message, **more}}, status)


def openai(
    status: int, message: str, kind: str = "requests", code: str | None = None, **headers: str
) -> bytes:
    error = {"message": message, "type": kind, "param": None, "code": code}
    return response({"error": error}, status, named(headers))


def named(headers: Mapping[str, str]) -> dict[str, str]:
    """Header names from Python's: LiteLLM's own have a real underscore in them."""
    dashed = {name.replace("_", "-"): value for name, value in headers.items()}
    return {name.replace("llm-", "llm_"): value for name, value in dashed.items()}


def google(status: int, kind: str, message: str, *details: Mapping[str, Any]) -> dict[str, Any]:
    error = {"code": status, "message": message, "status": kind, "details": list(details)}
    return {"error": error}


def quota(quota_id: str, delay: str) -> tuple[dict[str, Any], dict[str, Any]]:
    kind = "type.googleapis.com/google.rpc."
    return (
        {"@type": f"{kind}QuotaFailure", "violations": [{"quotaId": quota_id}]},
        {"@type": f"{kind}RetryInfo", "retryDelay": delay},
    )


def text(body: bytes, status: int, **headers: str) -> bytes:
    return response(body, status, {"content-type": "text/plain"} | named(headers))


def busy(**headers: str) -> bytes:
    return openai(429, "Too fast.", "requests", "rate_limit_exceeded", **headers)


async def hang(exchange: Exchange) -> None:
    await exchange.closed.wait()


async def cut_in_mid_body(exchange: Exchange) -> None:
    await exchange.send(b'HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{"content": [')
    await exchange.hang_up()


async def drop(exchange: Exchange) -> None:
    await exchange.hang_up()


def date(offset: float) -> str:
    return formatdate(NOW_S + offset, usegmt=True)


@dataclass(frozen=True)
class Row:
    """`reply` as it comes over the wire and all that must follow from it.

    `wait`: how long nothing starts, in seconds, from and to. `job`: what the failure costs it.
    """

    name: str
    reply: Step
    error: ErrorClass
    pool: str
    job: str
    wait: tuple[float, float] = AT_ONCE
    kind: str = "openai"
    settings: dict[str, Any] = field(default_factory=dict)


def gate(name: str, reply: Step, seconds: float, kind: str = "openai") -> Row:
    wait = (seconds, seconds + 0.2)
    return Row(name, reply, ErrorClass.RATE_LIMITED, GATE, FREE, wait, kind)


def strike(name: str, reply: Step, error: ErrorClass, kind: str = "openai") -> Row:
    return Row(name, reply, error, STRIKE, FREE, FOR_EVER, kind)


def final(name: str, reply: Step, error: ErrorClass, kind: str = "openai") -> Row:
    return Row(name, reply, error, NOTHING, OVER, kind=kind)


def overload(name: str, reply: Step, kind: str = "openai") -> Row:
    return Row(name, reply, ErrorClass.OVERLOADED, BREAKER, FREE, (1.0, 2.0), kind)


def failing(name: str, reply: Step, kind: str = "openai") -> Row:
    return Row(name, reply, ErrorClass.SERVER_ERROR, NOTHING, COUNTED, kind=kind)


RATE_LIMITS = [
    gate("Anthropic", anthropic(429, "rate_limit_error", "Slower."), 1.0, "anthropic"),
    gate("retry-after", busy(retry_after="12"), 12),
    gate("a fraction", busy(retry_after="0.5"), 0.5),
    gate("retry-after-ms", busy(retry_after_ms="1500"), 1.5),
    gate("milliseconds win", busy(retry_after_ms="1500", retry_after="30"), 1.5),
    gate("NaN is nothing", busy(retry_after="nan"), 1),
    gate("less than nothing is nothing", busy(retry_after="-7"), 1),
    gate("infinity is nothing", busy(retry_after="Infinity", retry_after_ms="inf"), 1),
    gate("ages are nothing", busy(retry_after="9" * 30), 1),
    gate("zero is no wait, and no leave to hammer", busy(retry_after="0"), 1),
    gate("a date", busy(retry_after=date(90)), 90),
    gate("a date by a clock that is wrong", busy(retry_after=date(3690), date=date(3600)), 90),
    gate("a date that has passed", busy(retry_after=date(-90)), 1),
    gate(
        "a bucket that fills slowly is not the wait",
        busy(
            retry_after="2",
            x_ratelimit_limit_tokens="150000",
            x_ratelimit_remaining_tokens="149984",
            x_ratelimit_reset_tokens="6m0s",
        ),
        2,
    ),
    gate("nothing at all", response(b"", 429), 1),
    gate("words of Envoy", text(b"local_rate_limited", 429), 1),
    gate("words of nginx", text(b"<html><h1>429</h1></html>", 429, retry_after="4"), 4),
    gate("only the message knows", openai(429, "Please try again in 7m12.5s."), 432.5),
    gate("LiteLLM, the window", openai(429, "Limited.", "throttling_error", "429",
                                       retry_after="60"), 60),
    gate("LiteLLM, the deployment", openai(429, "No deployments.", "None", "429",
                                           llm_provider_retry_after="8"), 8),
    gate("LiteLLM to Anthropic", anthropic(429, "throttling_error"), 1, "anthropic"),
    gate("inside a 200", openai(200, "Upstream is limited.", code="429"), 1),
    gate("an error event inside a 200", response(
        b'event: error\ndata: {"type":"error","error":{"type":"rate_limit_error",'
        b'"message":"Slower. Try again in 3s."}}\n\n'), 3, "anthropic"),
    gate("Google, the minute", response(google(
        429, "RESOURCE_EXHAUSTED", "You exceeded your current quota. Please retry in 58.9s.",
        *quota("GenerateRequestsPerMinutePerProjectPerModel", "58s")), 429), 59, "gemini"),
    gate("Google, in an array", response([google(
        429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.",
        *quota("GenerateContentInputTokensPerModelPerMinute-FreeTier", "30.5s"))], 429),
        31.5, "gemini"),
    gate("Google, shared capacity", response(google(
        429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."), 429),
        1, "gemini"),
    Row("slow down", openai(429, "Ramp up slowly.", "requests", "slow_down", retry_after="5"),
        ErrorClass.SLOW_DOWN, HALVED, FREE, (5.0, 5.2)),
    Row("acceleration", anthropic(429, "rate_limit_error", "Your acceleration limit."),
        ErrorClass.SLOW_DOWN, HALVED, FREE, (1.0, 1.2), "anthropic"),
]  # fmt: skip

QUOTAS = [
    strike("no credit", anthropic(402, "billing_error"), ErrorClass.QUOTA, "anthropic"),
    strike("low credit", anthropic(400, "invalid_request_error", "Your credit balance is too low."),
           ErrorClass.QUOTA, "anthropic"),
    strike("a spend cap", anthropic(429, "rate_limit_error", "Cap.", details={
        "error_code": "workspace_spend_limit_reached"}), ErrorClass.QUOTA, "anthropic"),
    Row("usage limits with a date", anthropic(
            400, "invalid_request_error", "You have reached your specified API usage limits. "
            "You will regain access on 2027-01-16 at 00:00 UTC."),
        ErrorClass.QUOTA, PARKED, FREE, (16 * 3600, 16 * 3600), "anthropic"),
    *(
        strike(code, openai(429, "No more.", kind, code), ErrorClass.QUOTA)
        for kind, code in [
            ("insufficient_quota", "insufficient_quota"),
            ("insufficient_quota", "credit_balance_exhausted"),
            ("insufficient_quota", "organization_spend_limit_exceeded"),
            ("insufficient_quota", "project_spend_limit_exceeded"),
            ("insufficient_quota", "organization_usage_limit_exceeded"),
        ]
    ),
    strike("DeepSeek", openai(402, "Insufficient Balance"), ErrorClass.QUOTA),
    Row("a day's requests", openai(
            429, "Rate limit reached on requests per day (RPD): Limit 200, Used 200, Requested 1. "
            "Please try again in 7m12s.", "requests", "rate_limit_exceeded"),
        ErrorClass.QUOTA, PARKED, FREE, (432, 432)),
    Row("Google, the day", response(google(
            429, "RESOURCE_EXHAUSTED", "You exceeded your current quota. Please retry in 20s.",
            *quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "20s")), 429),
        ErrorClass.QUOTA, PARKED, FREE, (DAY, DAY), "gemini"),
    strike("Google, no quota for the model", response(google(
            429, "RESOURCE_EXHAUSTED", "Quota exceeded, limit: 0, model: x. Please retry in 20s.",
            *quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "20s")), 429),
        ErrorClass.QUOTA, "gemini"),
    strike("Google, spent credits", response(google(
            429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."), 429),
        ErrorClass.QUOTA, "gemini"),
]  # fmt: skip

SETTINGS = [
    strike("wrong key", anthropic(401, "authentication_error"), ErrorClass.BAD_KEY, "anthropic"),
    strike("no permission", openai(403, "Not allowed."), ErrorClass.BAD_KEY),
    strike("Google's wrong key", response(google(
        400, "INVALID_ARGUMENT", "API key not valid.", {"reason": "API_KEY_INVALID"}), 400),
        ErrorClass.BAD_KEY, "gemini"),
    strike("unknown model", openai(404, "The model `x` does not exist", code="model_not_found"),
           ErrorClass.UNKNOWN_MODEL),
    strike("wrong address", text(b"404 page not found", 404), ErrorClass.UNKNOWN_MODEL),
    strike("a web site", response(b"<html><body>Welcome</body></html>"),
           ErrorClass.UNKNOWN_MODEL),
]  # fmt: skip

REQUESTS = [
    final("larger than the limit", openai(
        429, "Request too large for x on tokens per min (TPM): Limit 30000, Requested 45000.",
        "tokens", "rate_limit_exceeded"), ErrorClass.TOO_LARGE),
    final("larger than the model", openai(400, "x", code="context_length_exceeded"),
          ErrorClass.TOO_LARGE),
    final("a body too large", text(b"Request Entity Too Large", 413), ErrorClass.TOO_LARGE),
    final("a bad request", anthropic(400, "invalid_request_error"), ErrorClass.BAD_REQUEST,
          "anthropic"),
    final("a field too many", response({"detail": [{"loc": ["body"], "msg": "Extra"}]}, 422),
          ErrorClass.BAD_REQUEST),
]  # fmt: skip

OVERLOADS = [
    overload("529", anthropic(529, "overloaded_error"), "anthropic"),
    overload("529 inside a 200", anthropic(200, "overloaded_error"), "anthropic"),
    overload("an event inside a 200", response(
        b'event: error\r\ndata: {"type": "error", "error": {"type": "overloaded_error", '
        b'"message": "Overloaded"}}\r\n\r\n'), "anthropic"),
    overload("503", openai(503, "The server is overloaded or not ready yet.", "server_error")),
    overload("503 of Envoy", text(b"upstream connect error or disconnect/reset", 503)),
    overload("503 of nobody", response(b"", 503)),
    overload("Google", response(google(503, "UNAVAILABLE", "The model is overloaded."), 503),
             "gemini"),
    overload("a full queue", response(
        {"error": "server busy, please try again.  maximum pending requests exceeded"}, 503)),
    Row("503 that asks for more", text(b"busy", 503, retry_after="40"), ErrorClass.OVERLOADED,
        BREAKER, FREE, (40, 40)),
    Row("loading", response({"error": {"code": 503, "message": "Loading model",
                                       "type": "unavailable_error"}}, 503),
        ErrorClass.LOADING, LOADING, FREE, (1, 5)),
]  # fmt: skip

FAILURES = [
    failing("500", anthropic(500, "api_error"), "anthropic"),
    failing("502 of nginx", text(b"<html><h1>502 Bad Gateway</h1></html>", 502)),
    failing("504 of a gateway", text(b"stream timeout", 504)),
    failing("Google's 504", response(google(504, "DEADLINE_EXCEEDED", "Late."), 504), "gemini"),
    failing("an error object in a 200", openai(200, "Oh.", "server_error")),
    failing("half of an answer in a 200", response(b'{"choices": [{"mess'), "openai"),
    Row("no answer in time", hang, ErrorClass.TIMEOUT, NOTHING, COUNTED,
        settings={"timeout_seconds": 0.05}),
    Row("request timeout", response(b"", 408), ErrorClass.TIMEOUT, NOTHING, COUNTED),
    Row("cut in mid-body", cut_in_mid_body, ErrorClass.CONNECTION_LOST, NOTHING, COUNTED),
    Row("dropped", drop, ErrorClass.CONNECTION_LOST, NOTHING, COUNTED),
]  # fmt: skip

ROWS = [
    pytest.param(row, id=f"{group}: {row.name}")
    for group, rows in {
        "rate limit": RATE_LIMITS,
        "quota": QUOTAS,
        "settings": SETTINGS,
        "request": REQUESTS,
        "overload": OVERLOADS,
        "failure": FAILURES,
    }.items()
    for row in rows
]
