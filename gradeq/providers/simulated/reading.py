"""A paper as the simulated marker reads it: sentences, words, and a few plain measures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from math import sqrt


def word_set(text: str) -> frozenset[str]:
    """The words of a list written as text."""
    return frozenset(text.split())


_END = re.compile(r"([.!?]+[\"'”’»)]*)\s")
_MARKS = ".,;:!?()[]{}<>\"'“”‘’«»„-–—…*_/&"
_ADDRESSES_MARKER = re.compile(
    r"\b(?:ignore|disregard)\b.{0,40}\b(?:instruction|rubric|above|previous)"
    r"|\b(?:full|maximum|top) (?:marks|points|score)\b|\bsystem prompt\b|\bgrade[dr]?\s*:"
    r"|\bscore\s*:|\b(?:dear|note to the) (?:grader|marker|ai[:,!])"
    r"|</?\w+>|\[/?\w+\]|[{}]"
)
_SUSPICIOUS = word_set(
    "< [ { } instruction rubric ignore disregard marks points score grade marker prompt ai: ai, ai!"
)
"""Without one of these in it, a paper need not be searched for words to the marker."""
_SLIPS = word_set(
    "u ur coz cuz becuase becouse beacuse recieve definately wich thier teh seperate occured "
    "untill beleive goverment enviroment bc idk lol dont cant isnt wont doesnt didnt im ive alot "
    "shoud woud coud wen wat tho gonna wanna gotta kinda yea tierd freinds happyer lern opinon "
    "dosent cofee moring wierd truely arguement tommorow realy allways alway finaly"
)
_SMALL_I = re.compile(r"\bi\b")
_STOP = word_set(
    "about above after again against also although always another because been before being below "
    "between both cannot could does doing down during each even every from further have having "
    "here hers into itself just like made make many more most much must myself never nothing only "
    "other ours over rather same shall should some something still such than that their theirs "
    "them then there these they thing things this those through under until upon very want were "
    "what when where which while whom whose will with without would your yours"
)
STEM = 5
MAX_QUOTE = 160
"""Characters of a quote."""


def stem(word: str) -> str:
    """What counts as the same word: the first letters of it."""
    return word[:STEM]


def content_stems(text: str) -> list[str]:
    """Stems of the words that carry meaning, in order, repeated as they are."""
    return [stem(word) for word in words_of(text.lower()) if len(word) > 3 and word not in _STOP]


def words_of(lowered: str) -> list[str]:
    """The words of a text in lower case, without the marks around them."""
    return [word.strip(_MARKS) for word in lowered.split()]


class Sentence:
    """A stretch of the paper, to the letter, and the words in it."""

    __slots__ = ("bag", "length", "lowered", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.lowered = text.lower()
        words = words_of(self.lowered)
        self.length = len(words)
        self.bag = frozenset(words)

    @property
    def quote(self) -> str:
        """The sentence or as much of its beginning as makes a quote, cut at a comma or a space."""
        if len(self.text) <= MAX_QUOTE:
            return self.text
        head = self.text[:MAX_QUOTE]
        comma = head.rfind(",")
        end = comma if comma > MAX_QUOTE // 2 else head.rfind(" ")
        return head[:end] if end > 0 else head


class Reading:
    """One paper, read once. Sentences that speak to the marker are left out of everything."""

    def __init__(self, text: str) -> None:
        self.lowered = text.lower()
        self._text = text
        self._found: dict[frozenset[str], frozenset[str]] = {}
        suspicious = any(mark in self.lowered for mark in _SUSPICIOUS)
        read = [Sentence(part) for part in _split(text)]
        self.sentences = [s for s in read if not (suspicious and _speaks_to_marker(s))]
        self.length = sum(each.length for each in self.sentences)

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        return frozenset().union(*[each.bag for each in self.sentences])

    @cached_property
    def quality(self) -> float:
        """0 to 1 from length, vocabulary and the variety of sentences."""
        if self.length == 0:
            return 0.0
        length = self.length / (self.length + 60)
        richness = min(1.0, len(self.vocabulary) / sqrt(2 * self.length) / 6.5)
        return 0.5 * length + 0.3 * richness + 0.2 * self._variety()

    def _variety(self) -> float:
        mean = self.length / len(self.sentences)
        spread = sum(abs(each.length - mean) for each in self.sentences) / len(self.sentences)
        return min(1.0, 2 * spread / mean)

    @cached_property
    def paragraphs(self) -> int:
        return sum(1 for part in self._text.split("\n") if part and not part.isspace())

    @cached_property
    def slips(self) -> float:
        """Things that look like mistakes, for every hundred words."""
        noisy = len(self.vocabulary & _SLIPS) + len(self._small_starts())
        noisy += sum(self._text.count(mark) for mark in ("!!", "??", " ,", " ."))
        if "i" in self.vocabulary:
            noisy += len(_SMALL_I.findall(self._text))
        return 100 * noisy / max(20, self.length)

    def _small_starts(self) -> list[Sentence]:
        return [each for each in self.sentences if each.text[0].islower()]

    def with_slips(self) -> list[Sentence]:
        """Sentences in which something looks like a mistake."""
        slips = self.vocabulary & _SLIPS
        misspelt = [each for each in self.sentences if slips & each.bag] if slips else []
        return misspelt or self._small_starts()

    def share_of(self, stems: frozenset[str]) -> float:
        """How many of `stems` occur anywhere, from 0 to 1."""
        return len({stem(word) for word in self._words_with(stems)}) / max(1, len(stems))

    def holding(self, stems: frozenset[str], least: int) -> list[Sentence]:
        """Sentences with `least` or more of `stems`, the richest first."""
        words = self._words_with(stems)
        found = [(words & each.bag, each) for each in self.sentences]
        counted = [(len({stem(word) for word in held}), each) for held, each in found if held]
        return richest([pair for pair in counted if pair[0] >= least])

    def _words_with(self, stems: frozenset[str]) -> frozenset[str]:
        found = self._found.get(stems)
        if found is None:
            found = frozenset({word for word in self.vocabulary if word[:STEM] in stems})
            self._found[stems] = found
        return found


def richest(counted: list[tuple[int, Sentence]]) -> list[Sentence]:
    """Sentences that count for something, those that count for most first."""
    found = [pair for pair in counted if pair[0]]
    return [sentence for _, sentence in sorted(found, key=lambda pair: -pair[0])]


def _split(text: str) -> Iterator[str]:
    """The sentences of `text`, to the letter."""
    for line in text.split("\n"):
        pieces = _END.split(line)
        for number in range(0, len(pieces), 2):
            sentence = "".join(pieces[number : number + 2]).strip()
            if sentence:
                yield sentence


def _speaks_to_marker(sentence: Sentence) -> bool:
    return _ADDRESSES_MARKER.search(sentence.lowered) is not None
