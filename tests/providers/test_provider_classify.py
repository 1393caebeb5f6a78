"""Row by row: what each answer of each provider and gateway means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradeq.outcome import ErrorClass
from gradeq.providers.classify import classify
from gradeq.providers.credential import Credential
from gradeq.providers.reasons import Caller

KEY = "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWxYz"
CALLER = Caller(
    host="api.example.com",
    base_url="https://api.example.com/v1",
    model="claude-sonnet-4-5",
    key_name="ANTHROPIC_API_KEY",
    credential=Credential(KEY, "ANTHROPIC_API_KEY"),
)
NOW_MS = 1_793_534_400_000  # 2026-11-01 12:00 UTC
MIDNIGHT_PACIFIC_MS = 1_793_606_400_000  # 2026-11-02 08:00 UTC


@dataclass(frozen=True)
class Case:
    name: str
    status: int
    body: Any
    expected: ErrorClass
    says: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    retry_after: float | None = None
    parked_until_ms: int | None = None

    @property
    def bytes(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else msgspec.json.encode(self.body)


def anthropic(kind: str, message: str, **extra: Any) -> dict[str, Any]:
    return {
        "type": "error",
        "error": {"type": kind, "message": message, **extra},
        "request_id": "req_1",
    }


def openai(message: str, kind: str | None = None, code: Any = None, **extra: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code, **extra}}


def google(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def quota_failure(quota: str) -> dict[str, Any]:
    return {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"quotaMetric": "generate_content_requests", "quotaId": quota}],
    }


def retry_info(delay: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


LIMIT = "This request would exceed your organization's rate limit of 30,000 input tokens per minute"
GOOGLE_QUOTA = "You exceeded your current quota, please check your plan and billing details."

ANTHROPIC = [
    Case(
        "rate limit",
        429,
        anthropic("rate_limit_error", LIMIT),
        ErrorClass.RATE_LIMITED,
        "gradeq waits",
        {"retry-after": "12"},
        retry_after=12.0,
    ),
    Case(
        "acceleration limit",
        429,
        anthropic("rate_limit_error", "Your usage exceeded the acceleration limit; ramp up slowly"),
        ErrorClass.SLOW_DOWN,
        "more slowly",
    ),
    Case(
        "spend limit",
        429,
        anthropic(
            "rate_limit_error",
            "Spend limit reached",
            details={"error_code": "workspace_spend_limit_reached"},
        ),
        ErrorClass.QUOTA,
        "ANTHROPIC_API_KEY",
    ),
    Case(
        "usage limits as 400",
        400,
        anthropic(
            "invalid_request_error",
            "You have reached your specified API usage limits. You will regain access on "
            "2026-12-01 at 00:00 UTC.",
        ),
        ErrorClass.QUOTA,
        parked_until_ms=1_796_083_200_000,
    ),
    Case(
        "a date that has passed",
        400,
        anthropic(
            "invalid_request_error",
            "You have reached your specified API usage limits. You will regain access on "
            "2026-10-01 at 00:00 UTC.",
        ),
        ErrorClass.QUOTA,
    ),
    Case(
        "credit as 400",
        400,
        anthropic("invalid_request_error", "Your credit balance is too low to access the API."),
        ErrorClass.QUOTA,
    ),
    Case("billing", 402, anthropic("billing_error", "Payment required"), ErrorClass.QUOTA),
    Case(
        "bad key",
        401,
        anthropic("authentication_error", "invalid x-api-key"),
        ErrorClass.BAD_KEY,
        "Check the key in ANTHROPIC_API_KEY",
    ),
    Case(
        "no permission",
        403,
        anthropic("permission_error", "Your API key may not use this"),
        ErrorClass.BAD_KEY,
        "may use claude-sonnet-4-5",
    ),
    Case(
        "unknown model",
        404,
        anthropic("not_found_error", "model: claude-sonnet-4-5"),
        ErrorClass.UNKNOWN_MODEL,
        "Check the model name 'claude-sonnet-4-5'",
    ),
    Case(
        "too large",
        413,
        anthropic("request_too_large", "Request exceeds the maximum size"),
        ErrorClass.TOO_LARGE,
    ),
    Case(
        "prompt too long",
        400,
        anthropic(
            "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"
        ),
        ErrorClass.TOO_LARGE,
        "Shorten the paper",
    ),
    Case(
        "context limit",
        400,
        anthropic("invalid_request_error", "input length and `max_tokens` exceed context limit"),
        ErrorClass.TOO_LARGE,
    ),
    Case(
        "bad request",
        400,
        anthropic("invalid_request_error", "messages: at least one message is required"),
        ErrorClass.BAD_REQUEST,
    ),
    Case("internal", 500, anthropic("api_error", "Internal server error"), ErrorClass.SERVER_ERROR),
    Case("timed out", 504, anthropic("timeout_error", "Timed out"), ErrorClass.SERVER_ERROR),
    Case("overloaded", 529, anthropic("overloaded_error", "Overloaded"), ErrorClass.OVERLOADED),
    Case(
        "overloaded in a 200", 200, anthropic("overloaded_error", "Overloaded"),
        ErrorClass.OVERLOADED,
    ),
    Case(
        "rate limit in a 200", 200, anthropic("rate_limit_error", "Slower"),
        ErrorClass.RATE_LIMITED,
    ),
    Case("failure in a 200", 200, anthropic("api_error", "Oh"), ErrorClass.SERVER_ERROR),
    Case(
        "bad request in a 200", 200, anthropic("invalid_request_error", "No"),
        ErrorClass.BAD_REQUEST,
    ),
    Case(
        "content filter",
        400,
        anthropic("invalid_request_error", "Output blocked by content filtering policy"),
        ErrorClass.REFUSED,
    ),
]  # fmt: skip

OPENAI = [
    Case(
        "rate limit with a hint in the message",
        429,
        openai(
            "Rate limit reached for gpt-5 in organization org-1 on tokens per min (TPM): "
            "Limit 30000, Used 29000, Requested 2000. Please try again in 1.5s.",
            "tokens",
            "rate_limit_exceeded",
        ),
        ErrorClass.RATE_LIMITED,
        retry_after=1.5,
    ),
    Case(
        "the header wins over the message",
        429,
        openai("Please try again in 6m0s.", "requests", "rate_limit_exceeded"),
        ErrorClass.RATE_LIMITED,
        headers={"retry-after-ms": "2000", "x-ratelimit-reset-tokens": "6m0s"},
        retry_after=2.0,
    ),
    Case(
        "slow down",
        429,
        openai("Reduce your rate", "requests", "slow_down"),
        ErrorClass.SLOW_DOWN,
        headers={"retry-after": "5"},
        retry_after=5.0,
    ),
    Case("slow down as 503", 503, openai("Slow Down", "server_error"), ErrorClass.SLOW_DOWN),
    *(
        Case(code, 429, openai("No more", kind, code), ErrorClass.QUOTA)
        for kind, code in [
            ("insufficient_quota", None),
            ("insufficient_quota", "insufficient_quota"),
            ("billing", "credit_balance_exhausted"),
            ("billing", "organization_spend_limit_exceeded"),
            ("billing", "project_spend_limit_exceeded"),
            ("billing", "organization_usage_limit_exceeded"),
        ]
    ),
    Case(
        "requests per day",
        429,
        openai(
            "Rate limit reached for m on requests per day (RPD): Limit 200, Used 200, "
            "Requested 1. Please try again in 7m12s.",
            "requests",
            "rate_limit_exceeded",
        ),
        ErrorClass.QUOTA,
        retry_after=432.0,
        parked_until_ms=NOW_MS + 432_000,
    ),
    Case(
        "requests per day, which refill one by one",
        429,
        openai("Rate limit reached for m on requests per day (RPD): Limit 10000, Used 10000, "
               "Requested 1. Please try again in 8.64s.", "requests", "rate_limit_exceeded"),
        ErrorClass.QUOTA,
        retry_after=8.64,
        parked_until_ms=NOW_MS + 60_000,
    ),
    Case(
        "larger than the minute's limit",
        429,
        openai(
            "Request too large for gpt-5 in organization org-1 on tokens per min (TPM): "
            "Limit 30000, Requested 45000.",
            "tokens",
            "rate_limit_exceeded",
        ),
        ErrorClass.TOO_LARGE,
        "Limit 30000, Requested 45000",
    ),
    Case(
        "larger than Groq's limit",
        413,
        openai("Request too large for model x: Limit 6000, Requested 9000", "tokens",
               "rate_limit_exceeded"),
        ErrorClass.TOO_LARGE,
    ),
    Case(
        "context length",
        400,
        openai("This model's maximum context length is 8192 tokens.", "invalid_request_error",
               "context_length_exceeded"),
        ErrorClass.TOO_LARGE,
    ),
    Case(
        "bad key",
        401,
        openai("Incorrect API key provided: sk-proj-********wxyz.", "invalid_request_error",
               "invalid_api_key"),
        ErrorClass.BAD_KEY,
    ),
    Case(
        "country",
        403,
        openai("Country not supported", "request_forbidden", "unsupported_country"),
        ErrorClass.BAD_KEY,
    ),
    Case(
        "unknown model",
        404,
        openai("The model `x` does not exist", "invalid_request_error", "model_not_found"),
        ErrorClass.UNKNOWN_MODEL,
        "model name",
    ),
    Case(
        "bad request",
        400,
        openai("Invalid value for 'messages'", "invalid_request_error"),
        ErrorClass.BAD_REQUEST,
    ),
    Case("server error", 500, openai("The server had an error", "server_error"),
         ErrorClass.SERVER_ERROR),
    Case("overloaded", 503, openai("Busy", "server_error"), ErrorClass.OVERLOADED),
]  # fmt: skip

SERVERS = [
    Case(
        "llama.cpp loads",
        503,
        {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
        ErrorClass.LOADING,
        "being loaded",
    ),
    Case(
        "llama.cpp context",
        400,
        {
            "error": {
                "code": 400,
                "message": "the request exceeds the available context size",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 9000,
                "n_ctx": 4096,
            }
        },
        ErrorClass.TOO_LARGE,
    ),
    Case(
        "Ollama queue",
        503,
        {"error": "server busy, please try again.  maximum pending requests exceeded"},
        ErrorClass.OVERLOADED,
    ),
    Case(
        "Ollama unknown model",
        404,
        openai('model "llama9" not found, try pulling it first', "not_found_error"),
        ErrorClass.UNKNOWN_MODEL,
        "model name",
    ),
    Case(
        "vLLM unknown model",
        404,
        {"object": "error", "message": "The model `x` does not exist.", "type": "NotFoundError",
         "code": 404},
        ErrorClass.UNKNOWN_MODEL,
        "model name",
    ),
    Case(
        "vLLM prompt",
        400,
        {"object": "error", "message": "The decoder prompt (length 9000) is longer than the "
         "maximum model length of 4096.", "type": "BadRequestError", "code": 400},
        ErrorClass.TOO_LARGE,
    ),
    Case(
        "Groq's own schema check",
        400,
        openai("Failed to generate JSON.", "invalid_request_error", "json_validate_failed"),
        ErrorClass.UNUSABLE,
    ),
    Case(
        "Mistral validation",
        422,
        {"detail": [{"loc": ["body", "messages"], "msg": "Field required", "input": "secret"}]},
        ErrorClass.BAD_REQUEST,
        "body.messages: Field required",
    ),
    Case("Mistral rate", 429, {"message": "Requests rate limit exceeded", "type": "rate_limited"},
         ErrorClass.RATE_LIMITED),
    Case("DeepSeek balance", 402, openai("Insufficient Balance"), ErrorClass.QUOTA),
    Case("OpenRouter model", 400, openai("x/y is not a valid model ID", code=400),
         ErrorClass.UNKNOWN_MODEL),
    Case(
        "OpenRouter error in a 200",
        200,
        openai("Provider returned error", code=429, metadata={"raw": "upstream is limited"}),
        ErrorClass.RATE_LIMITED,
        "upstream is limited",
    ),
    Case(
        "OpenRouter error in a choice",
        200,
        {"choices": [{"error": {"code": 429, "message": "Upstream is limited"}}]},
        ErrorClass.RATE_LIMITED,
        "Upstream is limited",
    ),
    Case("Moonshot", 429, openai("Busy", "engine_overloaded_error"), ErrorClass.OVERLOADED),
    Case("wrong base URL", 404, {"detail": "Not Found"}, ErrorClass.UNKNOWN_MODEL,
         "no such API at https://api.example.com/v1: check base_url"),
    Case("wrong base URL, page", 404, b"<!DOCTYPE html><html><h1>Our model school</h1></html>",
         ErrorClass.UNKNOWN_MODEL, "check base_url"),
    Case("wrong method", 405, b"Method Not Allowed", ErrorClass.UNKNOWN_MODEL, "check base_url"),
    Case("a redirect", 308, b"", ErrorClass.UNKNOWN_MODEL, "check base_url"),
    Case("a web site", 200, b"<html><body>Welcome</body></html>", ErrorClass.UNKNOWN_MODEL,
         "check base_url"),
]  # fmt: skip

GOOGLE = [
    Case(
        "per minute, in an array",
        429,
        [google(429, "RESOURCE_EXHAUSTED", f"{GOOGLE_QUOTA} Please retry in 58.9s.",
                quota_failure("GenerateRequestsPerMinutePerProject"), retry_info("58.93s"))],
        ErrorClass.RATE_LIMITED,
        retry_after=59.93,
    ),
    Case(
        "per day",
        429,
        google(429, "RESOURCE_EXHAUSTED", f"{GOOGLE_QUOTA} Please retry in 20s.",
               quota_failure("GenerateRequestsPerDayPerProject"), retry_info("20s")),
        ErrorClass.QUOTA,
        "used up until 2026-11-02 08:00 UTC",
        retry_after=21.0,
        parked_until_ms=MIDNIGHT_PACIFIC_MS,
    ),
    Case(
        "per day, passed on by a gateway as words",
        429,
        openai('{"error": {"code": 429, "quotaId": "GenerateRequestsPerDayPerProjectPerModel"}} '
               "Please retry in 20s."),
        ErrorClass.QUOTA,
        retry_after=20.0,
        parked_until_ms=MIDNIGHT_PACIFIC_MS,
    ),
    Case(
        "per minute and per day at once",
        429,
        google(429, "RESOURCE_EXHAUSTED", GOOGLE_QUOTA,
               quota_failure("GenerateContentInputTokensPerModelPerMinute-FreeTier"),
               quota_failure("GenerateRequestsPerDayPerProjectPerModel-FreeTier")),
        ErrorClass.QUOTA,
        parked_until_ms=MIDNIGHT_PACIFIC_MS,
    ),
    Case(
        "no quota for this model",
        429,
        google(429, "RESOURCE_EXHAUSTED", f"{GOOGLE_QUOTA}\n* Quota exceeded, limit: 0\n"
               "Please retry in 20s.", quota_failure("GenerateRequestsPerDayPerProject")),
        ErrorClass.QUOTA,
        retry_after=20.0,
    ),
    Case(
        "shared capacity",
        429,
        google(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
        ErrorClass.RATE_LIMITED,
    ),
    Case(
        "credit",
        429,
        google(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted."),
        ErrorClass.QUOTA,
    ),
    Case(
        "spending cap",
        429,
        google(429, "RESOURCE_EXHAUSTED", "Your project has exceeded its monthly spending cap."),
        ErrorClass.QUOTA,
    ),
    Case(
        "country",
        400,
        google(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
        ErrorClass.BAD_KEY,
        "User location is not supported",
    ),
    Case(
        "leaked key",
        403,
        google(403, "PERMISSION_DENIED", "Your API key was reported as leaked."),
        ErrorClass.BAD_KEY,
    ),
    Case(
        "unknown model",
        404,
        google(404, "NOT_FOUND", "models/x is not found for API version v1beta"),
        ErrorClass.UNKNOWN_MODEL,
        "model name",
    ),
    Case(
        "prompt too long",
        400,
        google(400, "INVALID_ARGUMENT", "The input token count (2000000) exceeds the maximum "
               "number of tokens allowed (1048576)."),
        ErrorClass.TOO_LARGE,
    ),
    Case("cancelled", 499, google(499, "CANCELLED", "The operation was cancelled."),
         ErrorClass.SERVER_ERROR),
    Case("deadline", 504, google(504, "DEADLINE_EXCEEDED", "Deadline expired."),
         ErrorClass.SERVER_ERROR),
    Case(
        "bad key",
        400,
        google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.",
               {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}),
        ErrorClass.BAD_KEY,
    ),
    Case("overloaded", 503, google(503, "UNAVAILABLE", "The model is overloaded."),
         ErrorClass.OVERLOADED),
]  # fmt: skip

GATEWAYS = [
    Case("Envoy 429", 429, b"local_rate_limited", ErrorClass.RATE_LIMITED),
    Case("nginx 429", 429, b"<html><head><title>429</title></head></html>",
         ErrorClass.RATE_LIMITED),
    Case("Envoy 503", 503, b"upstream connect error or disconnect/reset before headers",
         ErrorClass.OVERLOADED),
    Case("nginx 504", 504, b"<html><h1>504 Gateway Time-out</h1></html>", ErrorClass.SERVER_ERROR,
         "504 Gateway Time-out"),
    Case("nginx 502", 502, b"<html><h1>502 Bad Gateway</h1></html>", ErrorClass.SERVER_ERROR),
    Case("nginx 413", 413, b"<html><h1>413 Request Entity Too Large</h1></html>",
         ErrorClass.TOO_LARGE),
    Case("empty 503", 503, b"", ErrorClass.OVERLOADED),
    Case("LiteLLM", 429, openai("Rate limited", "throttling_error", "429"),
         ErrorClass.RATE_LIMITED, headers={"retry-after": "60"}, retry_after=60.0),
    Case("LiteLLM, only the deployment's wait", 429, openai("No deployments", "None", "429"),
         ErrorClass.RATE_LIMITED, headers={"llm_provider-retry-after": "8"}, retry_after=8.0),
    Case("LiteLLM passes the quota on in words", 429,
         openai("RateLimitError: OpenAIException - {'code': 'insufficient_quota'}",
                "throttling_error", "429"),
         ErrorClass.QUOTA),
    Case("the upstream's limit inside a 400", 400, openai("Slow", "rate_limit_error"),
         ErrorClass.RATE_LIMITED),
    Case("an error event in a 200", 200,
         b'event: error\ndata: {"type": "error", "error": {"type": "rate_limit_error", '
         b'"message": "Slower"}}\n\n',
         ErrorClass.RATE_LIMITED, "Slower"),
    Case("an error event after others", 200,
         b'event: ping\r\ndata: {"type": "ping"}\r\n\r\nevent: error\r\n'
         b'data: {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}\r\n',
         ErrorClass.OVERLOADED),
    Case("events without an error", 200, b'data: {"choices": []}\n\ndata: [DONE]\n\n',
         ErrorClass.SERVER_ERROR),
    Case("request timeout", 408, b"", ErrorClass.TIMEOUT),
    Case("conflict", 409, b"", ErrorClass.SERVER_ERROR),
    Case("proxy login", 407, b"", ErrorClass.BAD_KEY, "HTTPS_PROXY"),
    Case("teapot", 418, b"", ErrorClass.BAD_REQUEST),
    Case("unknown server error", 599, b"", ErrorClass.SERVER_ERROR),
    Case("not JSON in a 200", 200, b"\x00\xff\xfe", ErrorClass.SERVER_ERROR,
         "without an answer in it"),
    Case("JSON that says nothing", 200, {}, ErrorClass.SERVER_ERROR),
    Case("an empty array", 200, [], ErrorClass.SERVER_ERROR),
]  # fmt: skip

ALL = [
    pytest.param(case, id=f"{group}: {case.name}")
    for group, cases in {
        "Anthropic": ANTHROPIC,
        "OpenAI": OPENAI,
        "servers": SERVERS,
        "Google": GOOGLE,
        "gateways": GATEWAYS,
    }.items()
    for case in cases
]


@pytest.mark.parametrize("case", ALL)
def test_row(case: Case):
    failure = classify(case.status, case.headers, case.bytes, CALLER, now_ms=NOW_MS)
    assert failure.error is case.expected, failure.reason
    assert failure.status == case.status
    assert case.says in failure.reason
    assert failure.reason.startswith(f"api.example.com answered {case.status}")
    assert failure.signals.retry_after == case.retry_after
    assert failure.parked_until_ms == case.parked_until_ms


def test_what_support_asks_for_is_kept():
    headers = {"request-id": "req_9", "x-should-retry": "false"}
    failure = classify(500, headers, b"oops", CALLER, now_ms=NOW_MS)
    assert failure.request_id == "req_9"
    assert failure.signals.should_retry is False
    assert failure.raw == "oops"


def test_long_messages_are_cut():
    body = msgspec.json.encode(openai("word " * 1000))
    failure = classify(400, {}, body, CALLER, now_ms=NOW_MS)
    assert len(failure.reason) < 600
    assert "…”" in failure.reason
    assert failure.raw is not None
    assert len(failure.raw) == 2000


@pytest.mark.parametrize(
    "leak",
    [
        KEY,
        "sk-proj-1234567890abcdef",
        "Bearer abcdefghijklmnop",
        "gsk_1234567890abcdefgh",
        "AIzaSyA1234567890abcdefghijk",
        "http://user:hunter2@proxy:3128",
        "sk-proj-********************wxyz",
        "0123456789abcdef0123456789abcdef01234567",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0",
    ],
)
def test_nothing_like_a_key_gets_into_reason_or_raw(leak):
    secret = leak.removeprefix("Bearer ").removeprefix("http://").removesuffix("@proxy:3128")
    body = msgspec.json.encode(openai(f"Wrong key: {leak}. Please check."))
    failure = classify(401, {}, body, CALLER, now_ms=NOW_MS)
    assert secret not in failure.reason
    assert secret not in (failure.raw or "")
    assert "[key]" in failure.reason


def test_names_of_models_and_requests_are_not_taken_for_keys():
    message = "model claude-sonnet-4-5-20250929 failed in req_011CSHoEeqs5C35K2UUqR7Fy"
    body = msgspec.json.encode(openai(message))
    assert message in classify(500, {}, body, CALLER, now_ms=NOW_MS).reason


def test_a_paper_quoted_by_the_provider_does_not_get_into_the_reason():
    paper = "My grandmother was born in a village near the sea and never left it."
    body = msgspec.json.encode(
        openai(f"Cannot parse: My grandmother was born in a village! {paper}")
    )
    failure = classify(400, {}, body, CALLER, now_ms=NOW_MS, private=paper)
    assert "grandmother" not in failure.reason
    assert "Cannot parse: […]" in failure.reason


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["error", "message", "type", "code", "details", "detail", "choices",
                         "metadata", "raw", "violations", "loc", "msg", "retryDelay"]) | st.text(),
        inner,
    ),
)  # fmt: skip


@settings(deadline=None)
@given(status=st.integers(200, 599), body=_json.map(msgspec.json.encode) | st.binary())
def test_no_body_is_too_strange(status, body):
    failure = classify(status, {}, body, CALLER, now_ms=NOW_MS)
    assert failure.status == status
    assert KEY not in failure.reason


def test_a_body_nested_too_deep():
    body = b"[" * 100_000
    assert classify(500, {}, body, CALLER, now_ms=NOW_MS).error is ErrorClass.SERVER_ERROR


@pytest.mark.parametrize(
    ("message", "names_calls_at_once"),
    [
        ("Your account request reached max organization concurrency: 3, try again", True),
        ("Number of concurrent connections has exceeded your rate limit.", True),
        ("Rate limit reached for requests per min (RPM): Limit 3, Used 3, Requested 1.", False),
    ],
)
def test_a_refusal_may_name_calls_at_once(message: str, names_calls_at_once: bool):
    body = msgspec.json.encode(openai(message, "rate_limit_error"))
    failure = classify(429, {}, body, CALLER, now_ms=NOW_MS)
    assert failure.error is ErrorClass.RATE_LIMITED
    assert failure.signals.names_calls_at_once is names_calls_at_once
