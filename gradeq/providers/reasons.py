"""Reasons for people: who answered what, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from gradeq.outcome import ErrorClass
from gradeq.providers.complaint import Complaint
from gradeq.providers.credential import Credential, redact

MAX_MESSAGE = 300
_AGAIN = "gradeq waits and asks again by itself."


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asked, as far as a reason has to name it; `key_name` as in "the key in KEY_NAME"."""

    host: str
    base_url: str
    model: str
    key_name: str
    credential: Credential | None = None


def reason(
    error: ErrorClass,
    status: int,
    complaint: Complaint,
    caller: Caller,
    *,
    private: str = "",
    returns_at_ms: int | None = None,
) -> str:
    """One or two sentences without a credential and without a longer quote from `private`.

    `returns_at_ms` is the wall time at which a spent quota is back, where that is known.
    """
    named = " ".join(filter(None, (str(status), complaint.type or complaint.code)))
    message = redact(_shortened(complaint.message), caller.credential, private)
    said = f"{caller.host} answered {redact(named, caller.credential)}"
    said += " without an answer in it" if status < 300 else ""
    said += f": “{message}”" if message else ""
    if returns_at_ms is not None:
        return f"{said}. {_quota_returns(caller, returns_at_ms)}"
    return f"{said}. {_ADVICE.get(error, _ask_again)(status, complaint, caller)}"


def _shortened(message: str) -> str:
    flat = " ".join(message.split())
    return flat if len(flat) <= MAX_MESSAGE else flat[: MAX_MESSAGE - 1] + "…"


def _ask_again(*_: object) -> str:
    return _AGAIN


def _slow_down(*_: object) -> str:
    return "gradeq asks more slowly from now on, and speeds up again by itself."


def _quota(_status: int, _complaint: Complaint, caller: Caller) -> str:
    return (
        f"The quota or budget of the key in {caller.key_name} is used up; the papers stay queued. "
        f"Check credit and spending limits at {caller.host}, then resume."
    )


def _quota_returns(caller: Caller, at_ms: int) -> str:
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return (
        f"The quota of the key in {caller.key_name} is used up until {moment:%Y-%m-%d %H:%M} UTC; "
        "the papers stay queued, and gradeq goes on by itself then."
    )


def _bad_key(status: int, _complaint: Complaint, caller: Caller) -> str:
    if status == 407:
        return "The proxy wants a login: check HTTPS_PROXY. The papers stay queued."
    if caller.credential is None:
        return f"No key was sent: set {caller.key_name}. The papers stay queued."
    may = f", and whether it may use {caller.model}" if status == 403 else ""
    return f"Check the key in {caller.key_name}{may}. The papers stay queued."


def _unknown_model(_status: int, complaint: Complaint, caller: Caller) -> str:
    if "model" in complaint.text.lower() and not complaint.is_page:
        return f"Check the model name {caller.model!r}. The papers stay queued."
    return (
        f"There is no such API at {caller.base_url}: check base_url and the provider's kind. "
        "The papers stay queued."
    )


def _too_large(_status: int, _complaint: Complaint, caller: Caller) -> str:
    return (
        f"The rubric and this paper together are more than {caller.model} or the account's limit "
        "takes in one request. Shorten the paper or choose a model that reads more."
    )


def _bad_request(_status: int, _complaint: Complaint, caller: Caller) -> str:
    return (
        f"The provider does not take this request, and would not take it again. Check that the "
        f"provider's kind and base_url fit {caller.model!r}, then retry the paper."
    )


def _overloaded(*_: object) -> str:
    return "The provider is overloaded or down; gradeq asks less and tries again by itself."


def _loading(*_: object) -> str:
    return "The model is being loaded; gradeq asks again until it is ready."


def _server_error(*_: object) -> str:
    return "The provider failed at its own work; gradeq asks again, a limited number of times."


def _asked_once_more(*_: object) -> str:
    return "gradeq asks once or twice more; if that does not help, grade this paper by hand."


_ADVICE: Mapping[ErrorClass, Callable[[int, Complaint, Caller], str]] = MappingProxyType(
    {
        ErrorClass.RATE_LIMITED: _ask_again,
        ErrorClass.SLOW_DOWN: _slow_down,
        ErrorClass.QUOTA: _quota,
        ErrorClass.BAD_KEY: _bad_key,
        ErrorClass.UNKNOWN_MODEL: _unknown_model,
        ErrorClass.TOO_LARGE: _too_large,
        ErrorClass.BAD_REQUEST: _bad_request,
        ErrorClass.OVERLOADED: _overloaded,
        ErrorClass.LOADING: _loading,
        ErrorClass.SERVER_ERROR: _server_error,
        ErrorClass.UNUSABLE: _asked_once_more,
        ErrorClass.REFUSED: _asked_once_more,
    }
)
