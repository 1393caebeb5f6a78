"""A raw guess at how many tokens a text is, without the model's own tokenizer.

Only the order matters: the limiter learns the ratio of what the provider counts to this guess.
"""

from __future__ import annotations

import zlib

from gradeq.limiter.base import Cost, Usage
from gradeq.providers.base import Prompt
from gradeq.providers.wire import to_json

CHARACTERS_PER_TOKEN = 3.6
"""English and other Latin text; a Chinese, Japanese or Korean character is about one token."""

OVERHEAD_TOKENS = 40
"""Roles, separators and the frame that providers put around a structured answer."""


def guess_tokens(text: str) -> float:
    """About how many tokens `text` is.

    Counting bytes tells wide characters apart without looking at each: UTF-8 gives a CJK
    character two bytes more than a Latin one, an accented or Cyrillic letter one.
    """
    if text.isascii():
        return len(text) / CHARACTERS_PER_TOKEN
    wide = (len(text.encode("utf-8", "replace")) - len(text)) / 2
    return max(0.0, len(text) - wide) / CHARACTERS_PER_TOKEN + wide


def guess_cost(prompt: Prompt) -> Cost:
    """The raw cost of `prompt`; prompts with the same system text are alike."""
    schema = len(to_json(prompt.schema)) / CHARACTERS_PER_TOKEN
    prefix = guess_tokens(prompt.system) + schema
    return Cost(
        input_tokens=round(prefix + guess_tokens(prompt.user)) + OVERHEAD_TOKENS,
        output_tokens=min(prompt.expected_output_tokens, prompt.max_output_tokens),
        max_output_tokens=prompt.max_output_tokens,
        like=f"{zlib.crc32(prompt.system.encode('utf-8', 'replace')):08x}",
        prefix_tokens=round(prefix),
    )


def guessed_usage(prompt: Prompt, text: str) -> Usage:
    """For servers that count no tokens: what the call must have used, roughly."""
    return Usage(guess_cost(prompt).input_tokens, round(guess_tokens(text)))
