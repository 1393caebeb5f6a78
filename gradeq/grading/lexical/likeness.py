"""How like an answer is to what a good answer contains."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gradeq.grading.lexical.words import Word, function_stems, stems_of, words_of

Vector = Mapping[str, float]

COMMON = 0.1
"""What a function word counts, and what a word of the question counts: repeating the question must
earn nothing. On the sample 0 to 0.25 made no difference above chance; 1 lost 0.08 of AUC."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """Three measures from 0 (nothing in common) to 1, the key words that the answer has (where
    they stand in it), and those it has not."""

    cosine: float
    recall: float
    trigrams: float
    found: tuple[tuple[int, int], ...] = ()
    missing: tuple[str, ...] = ()


class Weights:
    """What a word counts: TF-IDF over the question and the points of a good answer."""

    def __init__(self, question: str, points: Sequence[str]) -> None:
        self._function = function_stems()
        self._question = frozenset(stems_of(question))
        documents = [*(set(stems_of(point)) for point in points), set(self._question)]
        self._documents = len(documents)
        self._frequency = Counter(stem for one in documents for stem in one)

    def of(self, stem: str) -> float:
        rarity = math.log((1 + self._documents) / (1 + self._frequency[stem])) + 1
        return rarity * self.common(stem)

    def common(self, stem: str) -> float:
        """1 for a word that says something; less for a function word or one of the question."""
        share = COMMON if stem in self._function else 1.0
        return share * COMMON if stem in self._question else share

    def is_function_word(self, stem: str) -> bool:
        return stem in self._function

    def words(self, stems: Sequence[str]) -> Vector:
        counts = Counter(stems)
        return {stem: (1 + math.log(n)) * self.of(stem) for stem, n in counts.items()}

    def trigrams(self, words: Sequence[Word], text: str) -> Vector:
        """Three letters in a row: so misspelt words count, too."""
        found: dict[str, float] = {}
        for word in words:
            share = self.common(word.stem)
            padded = f" {text[word.start : word.end].casefold()} "
            for at in range(len(padded) - 2):
                three = padded[at : at + 3]
                found[three] = found.get(three, 0.0) + share
        return found


class Target:
    """What a good answer contains, ready to be compared with."""

    def __init__(self, points: Sequence[str], weights: Weights) -> None:
        text = "\n".join(points)
        words = words_of(text)
        self._weights = weights
        self._words = weights.words([word.stem for word in words])
        self._trigrams = weights.trigrams(words, text)
        self._shown: dict[str, str] = {}
        for word in words:
            self._shown.setdefault(word.stem, text[word.start : word.end])
        self._needed = {stem: weights.of(stem) for stem in self._shown}
        self._key = {stem for stem in self._shown if weights.common(stem) == 1}

    @property
    def key_words(self) -> int:
        return len(self._key)

    def likeness(self, text: str) -> Likeness:
        words = words_of(text)
        stems = [word.stem for word in words]
        has = frozenset(stems)
        recalled = math.fsum(value for stem, value in self._needed.items() if stem in has)
        needed = math.fsum(self._needed.values())
        return Likeness(
            cosine=cosine(self._weights.words(stems), self._words),
            recall=min(1.0, recalled / needed) if needed else 0.0,
            trigrams=cosine(self._weights.trigrams(words, text), self._trigrams),
            found=tuple((word.start, word.end) for word in words if word.stem in self._key),
            missing=tuple(shown for stem, shown in self._shown.items() if stem in self._key - has),
        )


def cosine(one: Vector, other: Vector) -> float:
    """Between 0 (nothing in common) and 1 (the same, but for length)."""
    lengths = math.hypot(*one.values()) * math.hypot(*other.values())
    if not lengths:
        return 0.0
    shared = math.fsum(value * other[key] for key, value in one.items() if key in other)
    return min(1.0, shared / lengths)
