"""Words as they are compared: without case, accents of form and the commonest endings."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_WORD = re.compile(r"[^\W_]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_ENDINGS = re.compile(
    "(?:ations?|ingly|edly|ungen|ments?|ness|ings?|ung|ies|ern|ers|est|es|en|er|em|ed|ly|[seny])$"
)
_SHORTEST_STEM = 3

_ENGLISH = """
    a an the this that these those it its he she they him his her them their we you i me my your
    our us is are was were be been being am do does did done have has had having will would can
    could should may might must shall of to in on at by for from with as into onto than then so
    and or but if because when while where which who whom whose what how why there here also very
    just only each any some such other own about again once s t re ll ve d m
"""
_GERMAN = """
    der die das den dem des ein eine einen einem einer eines es er sie ihn ihm ihr ihre ihren wir
    du ich mich mir mein dein sein seine seinen uns unser ist sind war waren bin bist sei wird
    werden wurde worden hat haben hatte kann können konnte soll muss müssen darf mag von zu zum zur
    im am an auf aus bei beim für mit nach um als in und oder aber wenn weil da dass während wo
    welche welcher welches wer wen was wie warum dort hier auch sehr nur jede jeder jedes etwas
    man sich so dann durch über
"""
"""Function words. Those that may decide an answer (not, no, more, less, same) are not here."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word at text[start:end]; `stem` is what it is compared by."""

    stem: str
    start: int
    end: int


def words_of(text: str) -> list[Word]:
    return [Word(stem_of(found[0]), *found.span()) for found in _WORD.finditer(text)]


def stems_of(text: str) -> list[str]:
    return [stem_of(found) for found in _WORD.findall(text)]


def stem_of(word: str) -> str:
    """The word without case and ending; short words and numbers stay whole."""
    word = unicodedata.normalize("NFKC", word).casefold()
    if len(word) <= _SHORTEST_STEM or word.isdigit():
        return word
    ending = _ENDINGS.search(word, _SHORTEST_STEM)
    stem = word[: ending.start()] if ending else word
    is_doubled = len(stem) > _SHORTEST_STEM and stem[-1] == stem[-2] and stem[-1] not in "aeiou"
    return stem[:-1] if is_doubled else stem


def function_stems() -> frozenset[str]:
    """Words that every text has, whatever it is about."""
    return frozenset(map(stem_of, (_ENGLISH + _GERMAN).split()))


def seems_german(text: str) -> bool:
    """Whether it has more function words that only German has than ones only English has."""
    english, german = set(_ENGLISH.split()), set(_GERMAN.split())
    said = [word.casefold() for word in _WORD.findall(text)]
    return sum(word in german - english for word in said) > sum(
        word in english - german for word in said
    )


def sentences_of(text: str) -> list[str]:
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]
