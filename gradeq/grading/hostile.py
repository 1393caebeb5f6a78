"""Marks of a paper that speaks to its grader instead of answering.

A mark is a reason for a person to look, never a reason to take points: honest papers can carry one,
and attacks in a wording that the rules were not written from mostly carry none. What holds an
attack off is elsewhere: the fence around the paper, levels instead of points, quotes that are
checked.

The rules of `hostile_rules` are tried on the text as it reads, and on what it says once decoded:
tag characters, reversed writing, base64, rot13 and s p a c e d  letters.
"""

from __future__ import annotations

import base64
import codecs
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress

from gradeq.grading.hostile_rules import RULES
from gradeq.grading.hostile_words import Attack
from gradeq.grading.normalise import normalise

_TAGGED = re.compile(r"[\U000e0020-\U000e007e]+")
_REVERSED = re.compile(r"\u202e([^\u202c\n]{1,500})")
_SPACED = re.compile(r"(?<!\w)\w(?: {1,4}+\w(?!\w)){7,}+")
_ROT13_WORDS = ("znexf", "tenqr", "vtaber", "ehoevp", "fpber")
"""marks, grade, ignore, rubric, score"""
_MOST_DECODED = 20

_LONG_WORDS = 1_000
_FEWEST_DIFFERENT = 0.08
"""Different words per word. Prose of 1,000 words has about 0.35, a novel of 100,000 about 0.08."""


def attacks(text: str) -> frozenset[Attack]:
    """The kinds of attack that `text`, as it was handed in, shows marks of."""
    found = {attack for view in _views(text) for attack in _marks(view)}
    return frozenset(found | {Attack.PADDING} if _is_padded(text) else found)


def _marks(view: str) -> Iterator[Attack]:
    for rule in RULES:
        if any(word in view for word in rule.words) and rule.pattern.search(view):
            yield rule.attack


def _views(text: str) -> Iterator[str]:
    """The text as rules expect it, then each text that is hidden in it."""
    visible = normalise(text).text
    yield (plain := _plain(visible))
    hidden = (*_tagged(text), *_reversed(text), *_base64(visible), *_spaced(visible))
    for decoded in (*hidden, *_rot13(plain)):
        yield _plain(decoded)


def _plain(text: str) -> str:
    """Lower case, no accents, single spaces and line breaks."""
    text = text.lower()
    if not text.isascii():
        for character in set(text):
            if (bare := _bare(character)) != character:
                text = text.replace(character, bare)
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _bare(character: str) -> str:
    if character in "‘’ʼ":
        return "'"
    parts = unicodedata.normalize("NFKD", character).lower()
    return "".join(part for part in parts if not unicodedata.combining(part))


def _tagged(text: str) -> Iterator[str]:
    if not text.isascii():
        for run in _TAGGED.findall(text)[:_MOST_DECODED]:
            yield "".join(chr(ord(tag) - 0xE0000) for tag in run)


def _reversed(text: str) -> Iterator[str]:
    if "\u202e" in text:
        for run in _REVERSED.findall(text)[:_MOST_DECODED]:
            yield run[::-1]


def _base64(text: str) -> Iterator[str]:
    long_words = [word for word in text.split() if len(word) >= 16]
    for word in long_words[:_MOST_DECODED]:
        with suppress(ValueError):
            yield base64.b64decode(word.strip(".,;:\"'()"), validate=True).decode()


def _spaced(text: str) -> Iterator[str]:
    if list(map(len, text.split())).count(1) >= 8:
        for run in _SPACED.findall(text)[:_MOST_DECODED]:
            yield " ".join(word.replace(" ", "") for word in re.split(" {2,}", run))


def _rot13(plain: str) -> Iterator[str]:
    if any(word in plain for word in _ROT13_WORDS):
        yield codecs.encode(plain, "rot13")


def _is_padded(text: str) -> bool:
    """Whether a long text says the same few words over and over."""
    if len(text) < 2 * _LONG_WORDS:
        return False
    words = text.lower().split()
    return len(words) >= _LONG_WORDS and len(set(words)) < _FEWEST_DIFFERENT * len(words)
