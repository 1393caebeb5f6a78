"""How probable the tokens of an answer were, as OpenAI's dialect tells it.

Source: OpenAI API reference "Chat", `choices[].logprobs`; llama.cpp and vLLM answer alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

MOST_ALTERNATIVES = 20
"""What the API returns for each place, at most."""


@dataclass(frozen=True, slots=True)
class SpokenToken:
    """A token of an answer, and the probability of each that could have stood in its place."""

    text: str
    chances: Mapping[str, float]


class _Alternative(msgspec.Struct):
    token: str
    logprob: float


class _Token(msgspec.Struct):
    token: str
    logprob: float
    top_logprobs: list[_Alternative] | None = None


class _Logprobs(msgspec.Struct):
    content: list[_Token] | None = None


class _Choice(msgspec.Struct):
    logprobs: _Logprobs | None = None


class _Body(msgspec.Struct):
    choices: list[_Choice] | None = None


def spoken_tokens(raw: str) -> tuple[SpokenToken, ...]:
    """Of a whole response body; empty where it tells nothing of them."""
    try:
        body = msgspec.json.decode(raw, type=_Body)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return ()
    told = body.choices[0].logprobs if body.choices else None
    return tuple(map(_spoken, (told and told.content) or ()))


def _spoken(token: _Token) -> SpokenToken:
    """The one that was chosen may be none of the most probable: a grammar can forbid those."""
    chances = {token.token: _chance(token.logprob)}
    for one in token.top_logprobs or ():
        chances[one.token] = max(_chance(one.logprob), chances.get(one.token, 0.0))
    return SpokenToken(token.token, chances)


def _chance(logprob: float) -> float:
    return math.exp(min(0.0, logprob))
