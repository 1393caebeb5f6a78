"""What a criterion can be about, and what tells a good paper from a poor one there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gradeq.providers.simulated.reading import Reading, Sentence, richest, word_set


@dataclass(frozen=True, slots=True, eq=False)
class Facet:
    """One side of a text. Cues are counted by sentence."""

    name: str
    stems: tuple[str, ...]
    """Beginnings of words in a criterion's id that speak of this side."""
    clear_stems: tuple[str, ...]
    """Those that speak of nothing else, and are looked for in a description too."""
    verdicts: tuple[str, str, str]
    """What to say of a strong, a middling and a weak paper; {n} is `3 sentences`."""
    advice: str
    cues: frozenset[str] = frozenset()
    phrases: tuple[str, ...] = ()
    figures: bool = False
    """Digits are a cue."""
    enough: int = 0
    """Sentences with cues that are full marks, in a paper of more than twice as many."""

    def share(self, hits: int, sentences: int) -> float:
        """How near `hits` sentences come to being enough, 0 to 1; short papers need fewer."""
        return min(1.0, hits / max(4.0, min(self.enough, 0.5 * sentences)))

    def hits(self, reading: Reading) -> list[Sentence]:
        """Sentences that show this side, the clearest first."""
        cues = self.cues & reading.vocabulary
        phrases = [phrase for phrase in self.phrases if phrase in reading.lowered]
        counted = [(len(cues & each.bag), each) for each in reading.sentences]
        if phrases:
            counted = [(n + sum(p in s.lowered for p in phrases), s) for n, s in counted]
        if self.figures:
            counted = [(n + bool(_DIGIT.search(s.text)), s) for n, s in counted]
        return richest(counted)


_DIGIT = re.compile(r"\d")

COUNTER = Facet(
    name="counter-argument",
    stems=("counter", "objection", "oppos", "rebut", "refut"),
    clear_stems=("counter", "objection", "oppos", "rebut"),
    verdicts=(
        "Presents another view and answers it, weighing the two sides in {n}.",
        "Brings in another view, but answers it only in part.",
        "Hardly any opposing view is presented.",
    ),
    advice="present one real objection and answer it with a reason",
    cues=word_set(
        "however although though opponents critics sceptics skeptics objection admittedly granted "
        "nevertheless nonetheless despite whereas conversely yet counterargument disagree true"
    ),
    phrases=("some people", "on the other hand", "other side", "others say", "may say", "argue"),
    enough=5,
)
EVIDENCE = Facet(
    name="evidence",
    stems=("eviden", "sourc", "citat", "cite", "data", "exampl", "support", "proof", "quot"),
    clear_stems=("eviden", "sourc", "citat", "cite"),
    verdicts=(
        "Backs the point with figures, sources or examples in {n}.",
        "Gives some support, in {n}, without always saying what follows from it.",
        "Mostly claims, with next to nothing to check them by.",
    ),
    advice="add a figure, a source or a worked example and say what it shows",
    cues=word_set(
        "study studies research researchers survey university report reported data percent per "
        "figures statistics example instance evidence experiment measured showed found according "
        "published journal scientists doctors"
    ),
    phrases=("for example", "for instance", "such as"),
    figures=True,
    enough=7,
)
LANGUAGE = Facet(
    name="language",
    stems=("langu", "gramm", "spell", "style", "mechan", "clari", "vocab", "punct", "readab"),
    clear_stems=("gramm", "spell", "punct", "readab"),
    verdicts=(
        "Reads clearly, with varied sentences and hardly a slip.",
        "Can be followed, though slips or repetition slow the reader down.",
        "Slips in spelling and sentence structure get in the way.",
    ),
    advice="read the text aloud once and mend spelling and sentence ends",
)
STRUCTURE = Facet(
    name="structure",
    stems=("struct", "organi", "coher", "paragr", "conclu", "intro", "flow", "order"),
    clear_stems=("organi", "coher", "paragr"),
    verdicts=(
        "Moves in clear steps, with linking words in {n}.",
        "An order can be seen, but the steps are not always marked.",
        "The thoughts follow one another without a visible plan.",
    ),
    advice="give each thought a paragraph and say how it leads to the next",
    cues=word_set(
        "first firstly second secondly third thirdly finally next then lastly overall conclusion "
        "therefore thus furthermore moreover besides another"
    ),
    phrases=("to sum up", "in conclusion", "to begin with", "in addition"),
    enough=5,
)
TOPIC = Facet(
    name="topic",
    stems=("topic", "relev", "task"),
    clear_stems=("topic",),
    verdicts=(
        "Stays with the question that was asked.",
        "Touches the question, with long stretches beside it.",
        "Deals with something other than the question.",
    ),
    advice="come back to the question in every paragraph",
)
ARGUMENT = Facet(
    name="argument",
    stems=("claim", "thes", "posit", "argum", "reaso", "analy", "expla", "logic"),
    clear_stems=("thesis", "argum"),
    verdicts=(
        "Takes a clear position and gives reasons for it in {n}.",
        "A position can be made out; its reasons stay general.",
        "It is hard to tell what is being argued, and why.",
    ),
    advice="state the position in one sentence and follow it with because",
    cues=word_set(
        "because therefore thus hence since so reason reasons believe think opinion should must "
        "means shows proves argue claim why consequently"
    ),
    phrases=("that is why", "in my opinion", "as a result", "i say"),
    enough=8,
)
CONTENT = Facet(
    name="content",
    stems=(),
    clear_stems=(),
    verdicts=(
        "Covers what was asked for, directly so in {n}.",
        "Covers part of what was asked for.",
        "Little of what was asked for can be found.",
    ),
    advice="go through the question again and answer each part of it",
)
FACETS = (COUNTER, TOPIC, EVIDENCE, LANGUAGE, STRUCTURE, ARGUMENT)


def facet_named(words: list[str]) -> Facet | None:
    """The first side that the words of an id speak of."""
    return _first([(facet, facet.stems) for facet in FACETS], words)


def facet_described(words: list[str]) -> Facet | None:
    """The first side that the words of a description speak of, beyond doubt."""
    return _first([(facet, facet.clear_stems) for facet in FACETS], words)


def _first(sides: list[tuple[Facet, tuple[str, ...]]], words: list[str]) -> Facet | None:
    return next((side for side, stems in sides if any(w.startswith(stems) for w in words)), None)
