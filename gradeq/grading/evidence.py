"""Finding a model's quotes in the paper, and quotes that only repeat the rubric."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from gradeq.grading.mapped import Mapped
from gradeq.grading.normalise import UNREADABLE, normalise
from gradeq.grading.rubric import Criterion, Rubric

MOST_PARTS = 20
"""A quote with more gaps than this is not a quote."""

_ELLIPSIS = re.compile(r"\s*(?:[\[(]\s*(?:\.{3,}|…)\s*[\])]|\.{3,}|…)\s*")
_DROPPED = frozenset("\"'`´‘’‚‛“”„‟‹›«»′″＂＇「」『』" + UNREADABLE)
_DASHES = frozenset("‐‑‒–—―−﹘﹣－")
_TRIMMED = " .,;:!?-"

PARROTED_CHARACTERS = 20
"""A quote shorter than this may well stand in the rubric, too."""

PARROTED_SENTENCE = 30
"""A rubric's sentence shorter than this may well stand in an honest paper, too."""


class QuoteFinder:
    """Looks quotes up in one paper. Linear in the paper's length for each quote.

    A quote may differ from the paper in letter case, white space, kind of dash, quotation marks
    and compatibility forms (NFKC: "ﬁ" and "fi"), and may leave out parts with "...".
    """

    def __init__(self, sent: Mapped) -> None:
        self._sent = sent

    def find(self, quote: str) -> tuple[int, int] | None:
        """Offsets into the original text, end exclusive; None where the quote is not there."""
        quote = normalise(quote).text.strip()
        if not quote:
            return None
        if (start := _find(self._sent.text, quote)) >= 0:
            return self._sent.origin(start, start + len(quote))
        found = self._find_folded(quote) or self._find_parts(quote)
        return found and self._sent.origin(*found)

    def _find_folded(self, quote: str) -> tuple[int, int] | None:
        wanted = _comparable(quote)
        start = _find(self._folded.text, wanted) if wanted else -1
        return None if start < 0 else self._folded.span(start, start + len(wanted))

    def _find_parts(self, quote: str) -> tuple[int, int] | None:
        """From the beginning of the first part to the end of the last, in this order."""
        parts = [part for part in map(_comparable, _ELLIPSIS.split(quote)) if part]
        if not 1 <= len(parts) <= MOST_PARTS:
            return None
        starts, end = [], 0
        for part in parts:
            start = self._folded.text.find(part, end)
            if start < 0:
                return None
            starts.append(start)
            end = start + len(part)
        return self._folded.span(starts[0], end)

    @cached_property
    def _folded(self) -> _Folded:
        return _fold(self._sent.text)


class Parrots:
    """Knows a rubric's wording, and who repeats it instead of answering."""

    def __init__(self, rubric: Rubric) -> None:
        sentences = [_plain(text) for criterion in rubric.criteria for text in _wording(criterion)]
        self._sentences = [text for text in sentences if len(text) >= PARROTED_SENTENCE]
        self._wording = "\n".join([*sentences, _plain(rubric.question)])

    def quote_repeats(self, quote: str) -> bool:
        """Whether a quote of some length stands in the question or the criteria word for word."""
        plain = _plain(quote).strip(_TRIMMED)
        return len(plain) >= PARROTED_CHARACTERS and plain in self._wording

    def paper_repeats(self, text: str) -> bool:
        """Whether a paper holds a criterion's or a level's whole description."""
        plain = _plain(text)
        return any(sentence in plain for sentence in self._sentences)


@dataclass(frozen=True, slots=True)
class _Folded:
    """A text made comparable; its character i comes from character at[i] of the text."""

    text: str
    at: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        return self.at[start], self.at[end - 1] + 1


def _fold(text: str) -> _Folded:
    forms = {character: _fold_character(character) for character in set(text)}
    pieces: list[str] = []
    at: list[int] = []
    after_space = False
    for index, character in enumerate(text):
        form = forms[character]
        if form == " " and after_space:
            continue
        if form:
            after_space = form == " "
            pieces.append(form)
            at.extend([index] * len(form))
    return _Folded("".join(pieces), at)


def _fold_character(character: str) -> str:
    if character in _DROPPED:
        return ""
    if character in _DASHES:
        return "-"
    if character.isspace():
        return " "
    return unicodedata.normalize("NFKC", character).casefold()


def _comparable(quote: str) -> str:
    return _fold(quote).text.strip(_TRIMMED)


def _find(text: str, wanted: str) -> int:
    """Where `wanted` begins, if possible as whole words ("no" rather than in "know"); else -1."""
    first = start = text.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        if not (_joined(text, start) or _joined(text, end)):
            return start
        start = text.find(wanted, end)
    return first


def _joined(text: str, index: int) -> bool:
    """Whether a word runs across the place before text[index]."""
    return 0 < index < len(text) and text[index - 1].isalnum() and text[index].isalnum()


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _wording(criterion: Criterion) -> Iterator[str]:
    yield criterion.description
    for level in criterion.levels:
        yield level.description
