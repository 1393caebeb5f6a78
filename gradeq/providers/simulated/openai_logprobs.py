"""How probable each token of an answer was: made up, but the same each time."""

from __future__ import annotations

import math
import re
import zlib
from typing import Any

MOST_ALTERNATIVES = 20
_TOKENS = re.compile(r"\d|[^\W\d]+|\s+|[^\w\s]+|_+")
_SURE = -0.0001


def logprobs(text: str, most: int, seed: str) -> list[dict[str, Any]]:
    """For each token of `text`, and for up to `most` that could have stood in its place.

    Only about digits there was any doubt. The digit that was written is always the most probable.
    """
    return [_token(found[0], most, f"{seed} {found.start()}") for found in _TOKENS.finditer(text)]


def _token(token: str, most: int, seed: str) -> dict[str, Any]:
    told = _digits(int(token), seed) if re.fullmatch("[0-9]", token) else {token: _SURE}
    top = [_told(one, chance) for one, chance in list(told.items())[:most]]
    return {**_told(token, told[token]), "top_logprobs": top}


def _digits(written: int, seed: str) -> dict[str, float]:
    """The nearer a digit is to the one that was written, the more probable it is."""
    steepness = 0.8 + 3 * zlib.crc32(seed.encode(errors="replace")) / 0xFFFFFFFF
    weights = {digit: math.exp(-steepness * abs(digit - written)) for digit in range(10)}
    total = math.fsum(weights.values())
    ordered = sorted(weights, key=lambda digit: -weights[digit])
    return {str(digit): math.log(weights[digit] / total) for digit in ordered}


def _told(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}
