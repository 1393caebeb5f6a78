"""From a response that is no answer to what it means for the job and the pool.

Names beat words, words beat the status: providers reuse statuses (a spent budget is a 400, a 402
or a 429), and gateways rewrite them. Where a message must be read, because no name tells the case
apart, the row says whose message it is. docs/explanation/failures.md shows the rows with reasons.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gradeq.limiter.base import Level, Signals
from gradeq.outcome import ErrorClass
from gradeq.providers.base import Failure
from gradeq.providers.complaint import Complaint, read_complaint
from gradeq.providers.credential import redact
from gradeq.providers.parking import NO_QUOTA, PER_DAY, parked_until
from gradeq.providers.reasons import Caller, reason
from gradeq.providers.retry_after import from_headers

MAX_RAW = 2000


@dataclass(frozen=True, slots=True)
class _Row:
    """Words that decide, in answers with one of these statuses."""

    words: re.Pattern[str]
    error: ErrorClass
    statuses: frozenset[int]


def _row(error: ErrorClass, words: str, *statuses: int) -> _Row:
    return _Row(re.compile(words, re.IGNORECASE | re.DOTALL), error, frozenset(statuses))


_REFUSALS = (200, 400, 403, 413, 422, 429)
_FAULTS = (200, 500, 502, 503, 504, 529)

_BY_WORDS = (
    # OpenAI and Groq: "Request too large for … Limit 30000, Requested 45000": waiting is vain.
    _row(ErrorClass.TOO_LARGE, r"request too large", 200, 413, 429),
    # Anthropic: "You have reached your specified API usage limits"; "credit balance is too low".
    _row(ErrorClass.QUOTA, r"specified \w* ?usage limits|credit balance is too low", *_REFUSALS),
    # A gateway that passes the upstream's code on as words only.
    _row(ErrorClass.QUOTA, r"insufficient[ _](quota|balance|credits|funds)", *_REFUSALS),
    _row(ErrorClass.QUOTA, r"_spend_limit_(reached|exceeded)|credit_balance_exhausted", *_REFUSALS),
    # Google says "exceeded your current quota" of a minute's quota too, and then when to retry.
    _row(
        ErrorClass.QUOTA, r"exceeded your current quota(?!.*(retry in|per.?minute))", *_REFUSALS
    ),
    # Google: "Your prepayment credits are depleted", "has exceeded its monthly spending cap".
    _row(ErrorClass.QUOTA, r"credits are depleted|exceeded its \w* ?spend(ing)? cap", *_REFUSALS),
    # Google: "limit: 0" is a model that this project has no quota for.
    _Row(NO_QUOTA, ErrorClass.QUOTA, frozenset({429})),
    # OpenAI and Groq: "on requests per day (RPD)"; Google: a quotaId with PerDay.
    _Row(PER_DAY, ErrorClass.QUOTA, frozenset({429})),
    # Anthropic and OpenAI, of a ramp that is too steep.
    _row(ErrorClass.SLOW_DOWN, r"acceleration|usage increase|slow[ _]down", 429, 503),
    # llama.cpp: "Loading model"; text-generation servers: "is currently loading".
    _row(ErrorClass.LOADING, r"\bloading\b", 503),
    # Anthropic, OpenAI, vLLM, llama.cpp, Google: a prompt longer than the model reads.
    _row(
        ErrorClass.TOO_LARGE,
        r"prompt is too long|input is too long|exceeds? (the )?(available |maximum |model.s )*"
        r"context|context (length|window|limit)|longer than the maximum model length"
        r"|input token count",
        200, 400, 413, 422, 500,
    ),
    # Google answers a bad key with 400.
    _row(ErrorClass.BAD_KEY, r"api[ _]key (not valid|invalid)|(invalid|incorrect) api key", 400),
    # OpenRouter and others answer an unknown model with 400.
    _row(
        ErrorClass.UNKNOWN_MODEL,
        r"model\b.{0,80}(does not exist|not found)|unknown model|not a valid model",
        200, 400, 422,
    ),
    # Azure, Anthropic: the filter stopped the text, and the next answer may pass.
    _row(ErrorClass.REFUSED, r"content[ _](filter|management policy)|flagged", 400),
    # Ollama: "server busy … maximum pending requests exceeded"; Google: "model is overloaded".
    _row(ErrorClass.OVERLOADED, r"overloaded|server busy|pending requests|queue is full", *_FAULTS),
)  # fmt: skip

_CALLS_AT_ONCE = re.compile(r"concurren|simultaneous|in parallel", re.IGNORECASE)
"""Moonshot: "request reached max organization concurrency: 3"; Anthropic: "Number of concurrent
connections has exceeded your rate limit"; GLM: "High concurrency usage of this API"."""

_BY_NAME: Mapping[str, ErrorClass] = MappingProxyType(
    {
        name: error
        for error, names in {
            ErrorClass.SLOW_DOWN: "slow_down",
            ErrorClass.QUOTA: "insufficient_quota billing_error credit_balance_exhausted"
            " organization_spend_limit_exceeded project_spend_limit_exceeded"
            " organization_usage_limit_exceeded billing_hard_limit_reached billing_not_active"
            " exceeded_current_quota_error insufficient_credits",
            ErrorClass.BAD_KEY: "authentication_error invalid_api_key permission_error"
            " api_key_invalid invalid_authentication_error unauthenticated permission_denied"
            # Google: the free tier is not available in this country.
            " failed_precondition",
            ErrorClass.UNKNOWN_MODEL: "model_not_found model_not_available not_found_error"
            " notfounderror",
            ErrorClass.TOO_LARGE: "request_too_large context_length_exceeded"
            " exceed_context_size_error string_above_max_length",
            ErrorClass.OVERLOADED: "overloaded_error engine_overloaded_error overloaded",
            ErrorClass.RATE_LIMITED: "rate_limit_error rate_limit_exceeded throttling_error"
            " rate_limited resource_exhausted throttlingexception",
            ErrorClass.REFUSED: "content_filter invalid_prompt",
            # Groq: the model's own answer did not fit the schema.
            ErrorClass.UNUSABLE: "json_validate_failed tool_use_failed",
        }.items()
        for name in names.split()
    }
)

_BY_STATUS: Mapping[int, ErrorClass] = MappingProxyType(
    {
        401: ErrorClass.BAD_KEY,
        402: ErrorClass.QUOTA,
        403: ErrorClass.BAD_KEY,
        404: ErrorClass.UNKNOWN_MODEL,
        405: ErrorClass.UNKNOWN_MODEL,
        407: ErrorClass.BAD_KEY,
        408: ErrorClass.TIMEOUT,
        409: ErrorClass.SERVER_ERROR,
        410: ErrorClass.UNKNOWN_MODEL,
        413: ErrorClass.TOO_LARGE,
        429: ErrorClass.RATE_LIMITED,
        499: ErrorClass.SERVER_ERROR,
        503: ErrorClass.OVERLOADED,
        529: ErrorClass.OVERLOADED,
    }
)

_BY_GENERIC_NAME: Mapping[str, ErrorClass] = MappingProxyType(
    {
        "invalid_request_error": ErrorClass.BAD_REQUEST,
        "badrequesterror": ErrorClass.BAD_REQUEST,
        "api_error": ErrorClass.SERVER_ERROR,
    }
)
"""Names that say less than a status does; they count where the status is 200."""


def classify(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    caller: Caller,
    *,
    now_ms: int,
    levels: tuple[Level, ...] = (),
    private: str = "",
) -> Failure:
    """The failure that this response is. `headers` have lower-case names.

    `now_ms` is wall time, used where the response has no `Date`; no longer quote from `private`,
    the student's text, gets into the reason.
    """
    complaint = read_complaint(body)
    error = error_class(status, complaint)
    wait = from_headers(headers, now_ms)
    wait = complaint.retry_after if wait is None else wait
    until = parked_until(complaint, wait, now_ms) if error is ErrorClass.QUOTA else None
    return Failure(
        error=error,
        reason=reason(error, status, complaint, caller, private=private, returns_at_ms=until),
        status=status,
        request_id=request_id(headers),
        signals=Signals(
            (*levels, *complaint.levels),
            wait,
            should_retry(headers),
            names_calls_at_once=bool(_CALLS_AT_ONCE.search(complaint.message)),
        ),
        parked_until_ms=until,
        raw=_raw(body, caller),
    )


def error_class(status: int, complaint: Complaint) -> ErrorClass:
    """What a response with this status and complaint is."""
    if complaint.is_page and status < 400:
        return ErrorClass.UNKNOWN_MODEL
    said = " ".join((complaint.text, *complaint.quotas))
    for row in _BY_WORDS:
        if _effective(status, complaint) in row.statuses and row.words.search(said):
            return row.error
    for name in complaint.names:
        if name in _BY_NAME:
            return _BY_NAME[name]
        if name.endswith("_spend_limit_reached"):
            return ErrorClass.QUOTA
    return _by_status(_effective(status, complaint), complaint)


def request_id(headers: Mapping[str, str]) -> str | None:
    """The provider's own name for the exchange, for whoever asks its support."""
    return headers.get("request-id") or headers.get("x-request-id")


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """`x-should-retry`, where the provider sends it."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").lower())


def _effective(status: int, complaint: Complaint) -> int:
    """An error inside a 200 may carry the status that it should have had."""
    if status == 200 and complaint.code.isdigit() and 400 <= int(complaint.code) <= 599:
        return int(complaint.code)
    return status


def _by_status(status: int, complaint: Complaint) -> ErrorClass:
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if 300 <= status < 400:
        return ErrorClass.UNKNOWN_MODEL
    if 400 <= status < 500:
        return ErrorClass.BAD_REQUEST
    if status < 300:
        known = (_BY_GENERIC_NAME[name] for name in complaint.names if name in _BY_GENERIC_NAME)
        return next(known, ErrorClass.SERVER_ERROR)
    return ErrorClass.SERVER_ERROR


def _raw(body: bytes, caller: Caller) -> str:
    return redact(body[: 4 * MAX_RAW].decode("utf-8", "replace"), caller.credential)[:MAX_RAW]
