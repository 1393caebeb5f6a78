"""A paper's text in pieces: what a grade quotes is marked, what nobody would see is shown."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gradeq.grading.normalise import UNREADABLE, unseen
from gradeq.model import CriterionGrade

_MOST_CODES = 3
_MOST_UNSEEN = 1_000
"""So many places get a piece of their own. A paper made of nothing else must not hold up others."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the text. `criteria` are the numbers, from 1, of those whose quotes hold it."""

    text: str
    criteria: tuple[int, ...] = ()
    is_unseen: bool = False

    @property
    def codes(self) -> str:
        """The code points of characters that cannot be seen, and how many these are."""
        different = [f"U+{ord(one):04X}" for one in dict.fromkeys(self.text)]
        told = " ".join(different[:_MOST_CODES]) + (" …" if len(different) > _MOST_CODES else "")
        return told if len(self.text) == 1 else f"{told} ×{len(self.text)}"


@dataclass(frozen=True, slots=True)
class Highlighted:
    """`places` tells the piece with which a quote begins, by criterion and quote, each from 1."""

    pieces: Sequence[Piece]
    places: Mapping[tuple[int, int], int]


@dataclass(frozen=True, slots=True)
class _Quote:
    start: int
    end: int
    criterion: int
    number: int


def highlighted(text: str, criteria: Sequence[CriterionGrade]) -> Highlighted:
    """Pieces that make up `text` again. Quotes may overlap; those outside the text mark nothing.

    From the 1,001st place on, U+FFFD stands for what cannot be seen.
    """
    hidden = list(unseen(text))
    if len(hidden) > _MOST_UNSEEN:
        text = _covered(text, hidden[_MOST_UNSEEN:])
        hidden = hidden[:_MOST_UNSEEN]
    quotes = list(_quotes(criteria, len(text)))
    cuts = sorted({0, len(text), *_edges(quotes), *(edge for span in hidden for edge in span)})
    pieces = list(_pieces(text, cuts, quotes, hidden))
    number_at = {start: number for number, start in enumerate(cuts)}
    places = {(one.criterion, one.number): number_at[one.start] for one in quotes}
    return Highlighted(pieces, places)


def _covered(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """As long as before, so that quotes stay where they are."""
    parts, at = [], 0
    for start, end in spans:
        parts += [text[at:start], UNREADABLE * (end - start)]
        at = end
    return "".join([*parts, text[at:]])


def _quotes(criteria: Sequence[CriterionGrade], length: int) -> Iterator[_Quote]:
    for criterion, one in enumerate(criteria, start=1):
        for number, quote in enumerate(one.evidence, start=1):
            if quote.start is not None and quote.end is not None:
                start, end = max(0, quote.start), min(length, quote.end)
                if start < end:
                    yield _Quote(start, end, criterion, number)


def _edges(quotes: Iterable[_Quote]) -> Iterator[int]:
    for one in quotes:
        yield from (one.start, one.end)


def _pieces(
    text: str, cuts: Sequence[int], quotes: Iterable[_Quote], hidden: Iterable[tuple[int, int]]
) -> Iterator[Piece]:
    turns: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for one in quotes:
        turns[one.start][one.criterion] += 1
        turns[one.end][one.criterion] -= 1
    ends = dict(hidden)
    holding: Counter[int] = Counter()
    hidden_until = 0
    for start, end in pairwise(cuts):
        if start in turns:
            holding.update(turns[start])
        hidden_until = ends.get(start, hidden_until)
        criteria = tuple(sorted(one for one, count in holding.items() if count))
        yield Piece(text[start:end], criteria, start < hidden_until)
