"""What calls have used, as far as it bounds what the next ones can use."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from gradeq.limiter.base import Usage
from gradeq.providers.base import Prompt
from gradeq.providers.wire import to_json

_KEPT = 256
_LONGEST_TOKEN_BYTES = 10
"""Text has more tokens than that: a count with fewer leaves something out, perhaps the cached."""
_ENOUGH_ANSWERS = 5


@dataclass(slots=True)
class _Seen:
    fewest_input: int
    most_output: int = 0
    answers: int = 0


class Measured:
    """Of each shared part of prompts (the system text and the schema, in one `form`) what the
    calls with it were counted as.

    A provider counts the parts of a prompt one by one, so a call with the same shared part has at
    most the tokens of an earlier one, and one for each byte of its own part.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, bytes, object], _Seen] = OrderedDict()

    def learn(self, prompt: Prompt, form: object, usage: Usage) -> None:
        """`usage` is the provider's own count, not a guess."""
        shared = len(prompt.system.encode("utf-8", "replace"))
        if usage.input_tokens * _LONGEST_TOKEN_BYTES < shared:
            return
        seen = self._seen.setdefault(_key(prompt, form), _Seen(usage.input_tokens))
        seen.fewest_input = min(seen.fewest_input, usage.input_tokens)
        seen.most_output = max(seen.most_output, usage.output_tokens)
        seen.answers += 1
        if len(self._seen) > _KEPT:
            self._seen.popitem(last=False)

    def most_input(self, prompt: Prompt, form: object) -> int | None:
        """Tokens; None where no such prompt was answered yet."""
        seen = self._seen.get(_key(prompt, form))
        own = len(prompt.user.encode("utf-8", "replace"))
        return None if seen is None else seen.fewest_input + own

    def usual_output(self, prompt: Prompt, form: object) -> int | None:
        """Twice the longest answer so far, in tokens; None before there are a few."""
        seen = self._seen.get(_key(prompt, form))
        return None if seen is None or seen.answers < _ENOUGH_ANSWERS else 2 * seen.most_output


def _key(prompt: Prompt, form: object) -> tuple[str, bytes, object]:
    return prompt.system, to_json(prompt.schema), form
