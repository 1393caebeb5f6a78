"""From a criterion and a paper to a judgement: how good, why, and which sentences show it."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from dataclasses import dataclass

from gradeq.providers.simulated.facets import (
    CONTENT,
    LANGUAGE,
    STRUCTURE,
    TOPIC,
    Facet,
    facet_described,
    facet_named,
)
from gradeq.providers.simulated.reading import (
    MAX_QUOTE,
    Reading,
    Sentence,
    content_stems,
    stem,
    word_set,
    words_of,
)

_NEARLY_EMPTY = 8
"""Words up to which there may be nothing to judge by."""
_ABOUT_MARKING = frozenset(
    stem(word)
    for word in word_set(
        "essay criterion criteria level points student paper text answer evidence submission grade "
        "marks describe quote assess reason feedback clear language writing written sentence "
        "position claim argument objection opposing support rubric question json highest lowest"
    )
)
_KEY_STEMS = 14
_QUESTION = re.compile(r"[^.?!:\n]+\?")
_QUESTION_SECTION = re.compile(r"(?ims)^\W*question\b\W*\n(.+?)(?=^#|\Z)")
_LIST_OR_BLANK = re.compile(r"\n[ \t]*(?:\n|[-*])")
_ABOUT_PAPER = re.compile(
    r"^\W*(?:is|does|do|are|has|have) (?:the|there|it)\b|\b(?:essay|paper|text|writer)\b",
    re.IGNORECASE,
)
_NO_TEXT = "There is hardly any text to judge this by."
_NO_FAULT = "Nothing of this kind was found."
_FAULT = "The text does this, as the quoted passage shows."


@dataclass(frozen=True, slots=True)
class Topic:
    """One criterion as the marker understands it."""

    name: str
    facet: Facet
    stems: frozenset[str]
    """Words to look for, where the criterion is about content or topic."""
    is_fault: bool = False
    """The criterion describes something that costs points."""

    @property
    def label(self) -> str:
        if self.facet is TOPIC:
            return "keeping to the question"
        return self.name.replace("_", " ").replace("-", " ").strip().lower() or "the whole"


@dataclass(frozen=True, slots=True)
class Judgement:
    """`score` is from 0 (worst for the student) to 1 (best)."""

    topic: Topic
    score: float
    reason: str
    quotes: tuple[str, ...] = ()
    abstains: bool = False


def topic_of(name: str, description: str, system: str, *, is_fault: bool = False) -> Topic:
    """Understand a criterion by its id, its description, and what `system` says beside its id."""
    told = f"{description} {_beside(name, system)}"
    facet = facet_named(words_of(name.lower().replace("_", " "))) or _described(told, is_fault)
    stems = _key_stems(system) if facet is TOPIC else _own_stems(f"{name} {told}")
    return Topic(name, facet, stems, is_fault)


def judge(topic: Topic, reading: Reading, seed: int) -> Judgement:
    """Mark one criterion. The same paper, criterion and seed give the same judgement."""
    chance = _chance(topic.name, reading, seed)
    if reading.length <= _NEARLY_EMPTY:
        return Judgement(topic, 0.0, _NO_TEXT, abstains=chance < 0.5 or not reading.length)
    if topic.is_fault and topic.facet is CONTENT:
        return _look_for_fault(topic, reading)
    hits = _hits(topic, reading)
    score = min(1.0, max(0.0, _score(topic, reading, hits) + 0.12 * (chance - 0.5)))
    quotes = tuple([hit.quote for hit in hits[: 2 if score >= 0.34 else 1]])
    return _judgement(topic, score, len(hits), quotes)


def _judgement(topic: Topic, score: float, hits: int, quotes: tuple[str, ...]) -> Judgement:
    tier = 0 if score >= 0.67 else 1 if score >= 0.34 else 2
    count = "one sentence" if hits == 1 else f"{hits} sentences"
    return Judgement(topic, score, topic.facet.verdicts[tier].replace("{n}", count), quotes)


class Glance:
    """Marks without reading: scores are drawn from the paper's bytes, its beginning is quoted."""

    def __init__(self, paper: str, seed: int) -> None:
        self._checksum = zlib.crc32(paper.encode(errors="replace"), seed)
        head = paper[: 2 * MAX_QUOTE].lstrip()[:MAX_QUOTE]
        self._quotes = (head.partition("\n")[0].partition(". ")[0],)

    def judge(self, topic: Topic) -> Judgement:
        score = zlib.crc32(topic.name.encode(), self._checksum) / 0xFFFFFFFF
        return _judgement(topic, score, 1, self._quotes)


def feedback(judgements: list[Judgement]) -> str:
    """Two or three sentences to the student, from the strongest and the weakest criterion."""
    judged = [each for each in judgements if not each.abstains]
    if not judged:
        return "There is too little text to say much about. Please hand in a longer answer."
    merits = [each for each in judged if each.topic.facet is not TOPIC and not each.topic.is_fault]
    best = max(merits or judged, key=lambda each: each.score)
    worst = min(judged, key=lambda each: each.score)
    mean = sum(each.score for each in judged) / len(judged)
    opening = (
        "A convincing piece of work."
        if mean >= 0.67
        else "A solid piece with room to grow."
        if mean >= 0.4
        else "This is a start that needs more work."
    )
    parts = [opening, f"Its strongest side is {best.topic.label}: {_continued(best.reason)}"]
    if worst is not best and worst.score < 0.9:
        parts.append(f"To improve {worst.topic.label}, {worst.topic.facet.advice}.")
    return " ".join(parts)


def _continued(reason: str) -> str:
    return reason[:1].lower() + reason[1:]


def _described(told: str, is_fault: bool) -> Facet:
    if is_fault:
        return CONTENT
    return facet_described(words_of(told.lower())[:16]) or CONTENT


def _beside(name: str, system: str) -> str:
    """What `system` says of a criterion, after its id: at the start of a line if it stands there.

    Ends at a blank line or a list, which is where levels begin.
    """
    if not name:
        return ""
    word = re.escape(name)
    place = re.search(rf"(?m)^\W*{word}(?!\w)", system) or re.search(
        rf"(?<!\w){word}(?!\w)", system
    )
    said = system[place.end() : place.end() + 240] if place else ""
    return _LIST_OR_BLANK.split(said, maxsplit=1)[0]


def _own_stems(text: str) -> frozenset[str]:
    plain = text.replace("_", " ")
    return frozenset(content_stems(plain)) - _ABOUT_MARKING


def _key_stems(system: str) -> frozenset[str]:
    """The words of the question in `system`, or else those that it comes back to most."""
    section = _QUESTION_SECTION.search(system)
    text = section[1] if section else system
    questions = [each for each in _QUESTION.findall(text) if not _ABOUT_PAPER.search(each)]
    asked = frozenset(content_stems(" ".join(questions)))
    if asked:
        return asked
    counts = Counter(each for each in content_stems(text) if each not in _ABOUT_MARKING)
    return frozenset(each for each, _ in counts.most_common(_KEY_STEMS))


def _hits(topic: Topic, reading: Reading) -> list[Sentence]:
    if topic.facet is LANGUAGE:
        return reading.with_slips() or [max(reading.sentences, key=lambda each: each.length)]
    if topic.facet in (CONTENT, TOPIC):
        return reading.holding(topic.stems, least=2 if len(topic.stems) > 3 else 1)
    return topic.facet.hits(reading)


def _score(topic: Topic, reading: Reading, hits: list[Sentence]) -> float:
    facet = topic.facet
    if facet is LANGUAGE:
        return max(0.0, 1.0 - reading.slips / 12) * (0.5 + 0.5 * reading.quality)
    if facet is TOPIC:
        share = reading.share_of(topic.stems)
        return 0.9 * share + 0.4 * min(1.0, 8 * len(hits) / len(reading.sentences))
    if facet is CONTENT:
        return _coverage(topic, reading)
    share = facet.share(len(hits), len(reading.sentences))
    if facet is STRUCTURE:
        share = 0.5 * share + 0.5 * min(1.0, reading.paragraphs / 4)
    return 0.6 * share + 0.4 * reading.quality**2


def _coverage(topic: Topic, reading: Reading) -> float:
    if not topic.stems:
        return reading.quality
    return 0.8 * min(1.0, 2 * reading.share_of(topic.stems)) + 0.2 * reading.quality


def _look_for_fault(topic: Topic, reading: Reading) -> Judgement:
    least = max(2, round(0.7 * len(topic.stems)))
    found = reading.holding(topic.stems, least)
    if found:
        return Judgement(topic, 0.0, _FAULT, (found[0].quote,))
    return Judgement(topic, 1.0, _NO_FAULT)


def _chance(name: str, reading: Reading, seed: int) -> float:
    """A number from 0 to 1 that hangs on the paper, the criterion and the seed alone."""
    first = reading.sentences[0].text if reading.sentences else ""
    return zlib.crc32(f"{seed} {name} {reading.length} {first}".encode()) / 0xFFFFFFFF
