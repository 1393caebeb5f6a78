"""What a model finds probable, read where it wrote the digits of its answer."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from itertools import accumulate

from gradeq.grading.lexical.judge import Heard, value_of
from gradeq.grading.lexical.telling import Telling
from gradeq.grading.rubric import Level
from gradeq.providers.logprobs import SpokenToken

TRUST = 0.5
"""What the model's log-odds count, beside 1 for those of the words. Chosen and not fitted: no model
larger than 135M was at hand. Models say what they think too surely, so that they count half."""

SUREST = 0.95
"""A surer opinion of the model, either way, counts as this: then it moves the log-odds by 1.5 and
the words, which move them by 4.5 from end to end, still have their say."""

_LEAST = 1e-6
"""No level is less probable: a token that a server forbids is told as all but impossible."""

_VALUE = re.compile(r':\s*"?\s*([1-9])(?=\s*"?\s*[,}])')
_DIGIT = re.compile(r'[\s":]*([1-9])[\s",}]*')


def level_chances(
    tokens: Sequence[SpokenToken], asked: Mapping[str, Mapping[str, Level]]
) -> dict[str, dict[str, float]] | None:
    """For each criterion the probability of each of its digits; together they are 1.

    None where the tokens are no answer to what was asked. Tokens may be cut anywhere, as long as
    each digit is whole.
    """
    text = "".join(token.text for token in tokens)
    start, end = text.find("{"), text.rfind("}") + 1
    try:
        said = {key: str(value) for key, value in json.loads(text[start:end]).items()}
    except (ValueError, AttributeError, RecursionError):
        return None
    places = [start + match.start(1) for match in _VALUE.finditer(text[start:end])]
    if said.keys() != asked.keys() or len(places) != len(said):
        return None
    if any(said[id] not in levels for id, levels in asked.items()):
        return None
    return {
        id: _normalised(_at(tokens, place), asked[id])
        for id, place in zip(said, places, strict=True)
    }


def heard(
    chances: Mapping[str, float], levels: Mapping[str, Level], model: str, telling: Telling
) -> Heard:
    """The expected share of the best level's points as log-odds, half believed."""
    steps = list(levels.values())
    share = math.fsum(chances[digit] * value_of(one, steps) for digit, one in levels.items())
    share = min(max(share, 1 - SUREST), SUREST)
    told = ", ".join(f"{one.name} {chances[digit]:.0%}" for digit, one in levels.items())
    return Heard(
        TRUST * math.log(share / (1 - share)), telling.model.format(model=model, told=told)
    )


def _at(tokens: Sequence[SpokenToken], place: int) -> Mapping[str, float]:
    """The probabilities of the token that covers this character; it is in one of them."""
    ends = accumulate(len(token.text) for token in tokens)
    return next(token.chances for token, end in zip(tokens, ends, strict=True) if place < end)


def _normalised(chances: Mapping[str, float], levels: Mapping[str, Level]) -> dict[str, float]:
    """Of the digits alone: it does not matter how probable anything else was.

    A digit that is not told may be as probable as the least probable token that is. So where a
    grammar forced a digit that the model hardly thought of, it says nothing, and not "certainly".
    """
    found = dict.fromkeys(levels, 0.0)
    for token, chance in chances.items():
        match = _DIGIT.fullmatch(token)
        if match and match[1] in found:
            found[match[1]] += chance
    least = min(chances.values())
    found = {digit: max(_LEAST, chance or least) for digit, chance in found.items()}
    total = math.fsum(found.values())
    return {digit: chance / total for digit, chance in found.items()}
