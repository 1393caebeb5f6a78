"""What an error body says, whatever its shape.

Seen in the field: Anthropic's and OpenAI's objects; Google's, also inside an array; a bare string
as `error` (Ollama); no `error` around it (Mistral, older vLLM); FastAPI's `detail`; an error in a
choice (OpenRouter); codes as numbers or as text; an error event of a stream that nobody asked for;
and plain text or a page from a proxy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from gradeq.limiter.base import Level
from gradeq.providers.levels import google_level
from gradeq.providers.retry_after import duration, from_text

_READ_BYTES = 256 * 1024
_TAG = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_EVENT_DATA = re.compile(rb"^data:[ ]?(\{.*\})\s*$", re.MULTILINE)
_RETRY_DELAY_SHORT_BY = 1.0
"""Google cuts `retryDelay` to whole seconds: its message says 58.9 s where the field says 58."""
_PAGE = re.compile(r"\s*(<!doctype html|<html|<head|<\?xml)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error body's facts. `retry_after` in seconds; `quotas` are Google's ids of the limits
    that were reached, `levels` those that are per minute."""

    message: str = ""
    type: str = ""
    code: str = ""
    param: str = ""
    quotas: tuple[str, ...] = ()
    levels: tuple[Level, ...] = ()
    retry_after: float | None = None
    is_page: bool = False
    """True for HTML: a proxy or a web site answered, not an API."""

    @property
    def names(self) -> tuple[str, ...]:
        """Code and type, lower case, the more exact one first."""
        return tuple(name.lower() for name in (self.code, self.type) if name)

    @property
    def text(self) -> str:
        """All that was said, for finding words in."""
        return " ".join(filter(None, (self.code, self.type, self.param, self.message)))


def read_complaint(body: bytes) -> Complaint:
    """The complaint in `body`; an empty one where nothing in it can be read as one."""
    value = _decoded(body)
    if value is None:
        value = _from_events(body[:_READ_BYTES])
    if value is None:
        return _from_plain_text(body[:_READ_BYTES].decode("utf-8", "replace"))
    return _from_json(value)


def _decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _from_events(body: bytes) -> Any:
    """The last error among the events of a stream (Anthropic: `event: error`, `data: {…}`)."""
    told = (_decoded(data) for data in reversed(_EVENT_DATA.findall(body)))
    return next((each for each in told if isinstance(each, Mapping) and "error" in each), None)


def _from_plain_text(text: str) -> Complaint:
    is_page = bool(_PAGE.match(text))
    message = " ".join((_TAG.sub(" ", text) if is_page else text).split())
    return Complaint(message=message, retry_after=from_text(message), is_page=is_page)


def _from_json(value: Any) -> Complaint:
    if isinstance(value, list):
        return _from_json(value[0]) if value and isinstance(value[0], Mapping) else Complaint()
    if not isinstance(value, Mapping):
        return Complaint(message=value) if isinstance(value, str) else Complaint()
    error = _error_in(value)
    if isinstance(error, Mapping):
        return _from_object(error)
    return Complaint(
        message=_text(error), type=_text(value.get("error_type")), retry_after=from_text(str(error))
    )


def _error_in(value: Mapping[str, Any]) -> Any:
    choices = value.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
        return choices[0].get("error") or value.get("error") or {}
    return value.get("error") or value.get("detail") or value


def _from_object(error: Mapping[str, Any]) -> Complaint:
    details = error.get("details")
    message = _message(error)
    quotas = _quotas(details)
    return Complaint(
        message=message,
        type=_text(error.get("type") or error.get("status")),
        code=_code(details) or _text(error.get("code")),
        param=_text(error.get("param")),
        quotas=tuple(quota for quota, _ in quotas),
        levels=tuple(filter(None, (google_level(*quota) for quota in quotas))),
        retry_after=_retry_after(error, message),
    )


def _message(error: Mapping[str, Any]) -> str:
    message = _text(error.get("message") or error.get("msg") or error.get("detail"))
    metadata = error.get("metadata")
    upstream = _text(metadata.get("raw")) if isinstance(metadata, Mapping) else ""
    return f"{message}: {upstream}" if upstream else message


def _text(value: Any) -> str:
    """A string or number as text; FastAPI's list of problems as its places and messages."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list):
        return "; ".join(filter(None, map(_problem, value)))
    return _text(value.get("message") or value.get("msg")) if isinstance(value, Mapping) else ""


def _problem(item: Any) -> str:
    if not isinstance(item, Mapping):
        return _text(item)
    place = item.get("loc")
    where = ".".join(map(str, place)) + ": " if isinstance(place, list) else ""
    return where + _text(item.get("msg") or item.get("message"))


def _code(details: Any) -> str:
    """Anthropic's `details.error_code`, or the reason in Google's ErrorInfo."""
    if isinstance(details, Mapping):
        return _text(details.get("error_code"))
    reasons = [_text(item.get("reason")) for item in _objects(details)]
    return next(filter(None, reasons), "")


def _quotas(details: Any) -> list[tuple[str, str]]:
    """Google's limits that were reached: id and amount."""
    violations = [_objects(item.get("violations")) for item in _objects(details)]
    return [
        (_text(each.get("quotaId")), _text(each.get("quotaValue")))
        for several in violations
        for each in several
    ]


def _retry_after(error: Mapping[str, Any], message: str) -> float | None:
    for item in _objects(error.get("details")):
        seconds = duration(_text(item.get("retryDelay")))
        if seconds is not None:
            return seconds + _RETRY_DELAY_SHORT_BY
    for name in ("retry_after", "retry_after_seconds"):
        seconds = duration(_text(error.get(name)))
        if seconds is not None:
            return seconds
    return from_text(message)


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
