"""What can be made to go wrong, how often and when: the `--fail` plan."""

from __future__ import annotations

import difflib
import math
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """The kinds of `--fail`. Numbers are HTTP statuses, in the words of each provider."""

    BAD_REQUEST = "400"
    BAD_KEY = "401"
    BILLING = "402"
    FORBIDDEN = "403"
    UNKNOWN_MODEL = "404"
    RATE_LIMITED = "429"
    SERVER_ERROR = "500"
    BAD_GATEWAY = "502"
    UNAVAILABLE = "503"
    GATEWAY_TIMEOUT = "504"
    OVERLOADED = "529"
    DROP = "drop"
    """The connection is closed before any response."""
    HTML = "html"
    """A gateway's 502, as an HTML page or plain text."""
    LOADING = "loading"
    """llama.cpp's 503 while it loads a model."""
    SPEND_CAP = "spend_cap"
    USAGE_LIMITS = "usage_limits"
    QUOTA = "quota"
    SLOW_DOWN = "slow_down"
    TOO_LARGE = "too_large"
    HANG = "hang"
    """The call is let in and charged, and no answer ever comes."""
    DROP_BODY = "drop_body"
    """The connection is closed in the middle of the response's body."""
    GARBAGE = "garbage"
    """A 200 whose text is no JSON."""
    REFUSAL = "refusal"
    CUT = "cut"
    """A 200 that the token limit ended in the middle of its JSON."""
    SCHEMA = "schema"
    """A 200 with JSON that does not fit the schema asked for."""

    @property
    def is_admitted(self) -> bool:
        """True where the call passes the limits, and costs tokens, before it goes wrong."""
        return self in _ADMITTED


_ADMITTED = frozenset(
    {Fault.HANG, Fault.DROP_BODY, Fault.GARBAGE, Fault.REFUSAL, Fault.CUT, Fault.SCHEMA}
)
_FORM = re.compile(
    r"(?P<kind>\w+)(?::(?P<rate>\d*\.?\d+))?(?:@(?P<start>\d+\.?\d*)-(?P<end>\d*\.?\d*))?"
)


@dataclass(frozen=True, slots=True)
class FaultRule:
    """`fault` with probability `rate`, from `start` to `end` seconds after the server started."""

    fault: Fault
    rate: float = 1.0
    start: float = 0.0
    end: float = math.inf

    @classmethod
    def parse(cls, text: str) -> FaultRule:
        """Read KIND[:RATE][@START-END]. Raises ValueError that says what is wrong with `text`."""
        form = _FORM.fullmatch(text.strip())
        if form is None:
            raise ValueError(
                f"failure {text!r} cannot be read: write KIND[:RATE][@START-END], "
                "e.g. 500:0.05, 529@10-40 or hang:0.01@0-60"
            )
        rule = cls(
            _kind(form["kind"]),
            float(form["rate"] or 1.0),
            float(form["start"] or 0.0),
            float(form["end"] or math.inf),
        )
        return rule._checked(text)

    def _checked(self, text: str) -> FaultRule:
        if not 0.0 <= self.rate <= 1.0:
            raise ValueError(f"failure {text!r}: the rate is a probability from 0 to 1")
        if self.end <= self.start:
            raise ValueError(f"failure {text!r}: it ends before it begins")
        return self


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Rules in order; the first one that strikes decides."""

    rules: tuple[FaultRule, ...] = ()

    @classmethod
    def parse(cls, texts: str | Iterable[str]) -> FaultPlan:
        """Read comma-separated rules, from one text or several. Raises ValueError."""
        joined = texts if isinstance(texts, str) else ",".join(texts)
        parts = (part.strip() for part in joined.split(","))
        return cls(tuple(FaultRule.parse(part) for part in parts if part))

    def draw(self, elapsed: float, rng: random.Random) -> Fault | None:
        """What goes wrong with a call that arrives `elapsed` seconds after the start."""
        for rule in self.rules:
            if rule.start <= elapsed < rule.end and _strikes(rule.rate, rng):
                return rule.fault
        return None


def _strikes(rate: float, rng: random.Random) -> bool:
    return rate >= 1.0 or rng.random() < rate


def _kind(text: str) -> Fault:
    try:
        return Fault(text)
    except ValueError:
        kinds = [fault.value for fault in Fault]
        near = difflib.get_close_matches(text, kinds, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        choice = f"{hint}choose from {', '.join(kinds)}"
        raise ValueError(f"no failure is called {text!r}: {choice}") from None
