"""What the dialects share: a request as understood, an answer as produced, a refusal."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import msgspec

from gradeq.providers.simulated.account import Prefix
from gradeq.providers.simulated.answers import AnswerPlan
from gradeq.providers.simulated.faults import Fault

_CHARACTERS_PER_TOKEN = 3.7
_BEGIN = re.compile(r"^=== PAPER ([0-9a-fA-F]+) BEGIN ===[ \t]*\r?\n", re.MULTILINE)

GARBAGE = "Thanks for sharing this! Overall I would say it is rather good, around a B or so."
REFUSAL = "I can't help with marking this text."
MISFIT = msgspec.json.encode({"grade": "B+", "comment": "Good work, keep it up."})


class Form(Enum):
    """How the answer is wanted."""

    TOOL = auto()
    JSON = auto()
    TEXT = auto()


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error response before it is put into a provider's words.

    `kind` is the provider's error type; `retry_after` is in seconds, None where nothing is told;
    `limit` is the amount of the limit that was reached, where the body names it.
    """

    status: int
    kind: str
    message: str
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None
    limit: int | None = None


class Refused(Exception):
    """The request itself earns an error."""

    def __init__(self, complaint: Complaint) -> None:
        super().__init__(complaint.message)
        self.complaint = complaint


@dataclass(frozen=True, slots=True)
class Call:
    """A valid request. `input_tokens` count the whole prompt, cached parts included."""

    model: str
    paper: str
    plan: AnswerPlan
    form: Form
    input_tokens: int
    max_tokens: int | None
    tool: str = ""
    prefixes: tuple[Prefix, ...] = ()
    reserved_output: int = 0
    top_logprobs: int | None = None
    """For so many tokens at each place, how probable they were; None: not asked for."""


@dataclass(frozen=True, slots=True)
class Output:
    """What the model said. `data` is JSON where a tool is called."""

    data: bytes
    form: Form
    tokens: int
    stop: str = "end"
    """`end`, `length` or `refusal`."""


def tokens_in(text: str | bytes, extra: int = 0) -> int:
    """Simulated tokens: not four characters each, so that a client's own guess is put right."""
    return math.ceil(len(text) / _CHARACTERS_PER_TOKEN) + extra


def find_paper(text: str) -> str:
    """The student's paper between its fences; the whole text where there are none."""
    begin = _BEGIN.search(text)
    if begin is None:
        return text
    # The newline before the closing fence is the fence's own; an empty paper shares the first one.
    end = text.find(f"\n=== PAPER {begin[1]} END ===", begin.end() - 1)
    return text if end < 0 else text[begin.end() : end].removesuffix("\r")


def produce(call: Call, fault: Fault | None) -> Output:
    """The answer to `call`, spoiled by `fault` where it is one that spoils answers."""
    if fault is Fault.GARBAGE:
        return Output(GARBAGE.encode(), Form.TEXT, tokens_in(GARBAGE))
    if fault is Fault.REFUSAL:
        return Output(REFUSAL.encode(), Form.TEXT, tokens_in(REFUSAL), "refusal")
    if fault is Fault.SCHEMA:
        return Output(MISFIT, call.form, tokens_in(MISFIT))
    return _spoken(call, fault)


def _spoken(call: Call, fault: Fault | None) -> Output:
    if call.form is Form.TEXT:
        data = call.plan.text(call.paper).encode()
    else:
        data = msgspec.json.encode(call.plan.fill(call.paper))
    tokens = tokens_in(data)
    if fault is Fault.CUT:
        return _cut(data, call.form, max(1, tokens // 2))
    if call.max_tokens is not None and tokens > call.max_tokens:
        return _cut(data, call.form, call.max_tokens)
    return Output(data, call.form, tokens)


def _cut(data: bytes, form: Form, tokens: int) -> Output:
    """End `data` after `tokens`. A tool's input stays an object: it loses its later half."""
    if form is Form.TOOL:
        return Output(msgspec.json.encode(_half(msgspec.json.decode(data))), form, tokens, "length")
    kept = data[: int(tokens * _CHARACTERS_PER_TOKEN)].decode(errors="ignore").encode()
    return Output(kept, form, tokens, "length")


def _half(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    names = list(value)
    kept = names[: len(names) // 2]
    if kept or not names:
        return {name: value[name] for name in kept}
    return {names[0]: _half(value[names[0]])} if isinstance(value[names[0]], dict) else {}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a request body. `kind` is missing, extra, type or malformed."""

    kind: str
    path: str
    detail: str


_MISSING = re.compile(r"Object missing required field `(\w+)`(?: - at `\$\.?([^`]*)`)?")
_EXTRA = re.compile(r"Object contains unknown field `([^`]+)`(?: - at `\$\.?([^`]*)`)?")
_TYPE = re.compile(r"(.*?)(?: - at `\$\.?([^`]*)`)?", re.DOTALL)


def problem_of(error: msgspec.DecodeError) -> Problem:
    """Read msgspec's complaint; `path` is dotted, with `0` for any index."""
    text = str(error)
    if not isinstance(error, msgspec.ValidationError):
        return Problem("malformed", "", text)
    for kind, form in (("missing", _MISSING), ("extra", _EXTRA)):
        match = form.fullmatch(text)
        if match:
            return Problem(kind, _dotted(match[2], match[1]), "")
    match = _TYPE.fullmatch(text)
    assert match is not None
    return Problem("type", _dotted(match[2]), match[1])


def _dotted(path: str | None, name: str = "") -> str:
    clean = re.sub(r"\[(\.\.\.|\d+)\]", ".0", path or "").strip(".")
    return ".".join(part for part in (clean, name) if part)
