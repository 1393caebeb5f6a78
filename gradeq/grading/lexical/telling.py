"""How a grade by words is explained, in the rubric's own language: English or German."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradeq.grading.lexical.likeness import Likeness
from gradeq.grading.lexical.words import seems_german
from gradeq.grading.rubric import Rubric

_MOST_NAMED = 6
"""Words that a reason names."""


@dataclass(frozen=True, slots=True)
class Telling:
    """Sentences with places for what is told; `{named}` is empty, or a colon and words."""

    key_words: str
    missing: str
    graded: str
    more: str
    no_fault: str
    model: str

    def reason(self, text: str, likeness: Likeness, key_words: int, graded: int) -> str:
        """Which of `key_words` the text has, and by how many `graded` answers it was judged."""
        words = (text[start:end].casefold() for start, end in likeness.found)
        found, missing = list(dict.fromkeys(words)), likeness.missing
        met = key_words - len(missing)
        told = [self.key_words.format(met=met, count=key_words, named=self._named(found))]
        if missing:
            told.append(self.missing.format(named=self._named(missing)))
        if graded:
            told.append(self.graded.format(count=graded))
        return " ".join(told)

    def _named(self, words: Sequence[str]) -> str:
        if not words:
            return ""
        left = len(words) - _MOST_NAMED
        rest = self.more.format(count=left) if left > 0 else ""
        return f": {', '.join(words[:_MOST_NAMED])}{rest}"


ENGLISH = Telling(
    key_words="It has {met} of the {count} key words of the reference{named}.",
    missing="Not found{named}.",
    graded="{count} answers graded by people were taken into account.",
    more=" and {count} more",
    no_fault="Words alone cannot tell a fault: read the paper and choose a level.",
    model="The model {model} finds probable: {told}.",
)
GERMAN = Telling(
    key_words="{met} der {count} Schlüsselwörter der Musterantwort kommen vor{named}.",
    missing="Nicht gefunden{named}.",
    graded="{count} von Menschen bewertete Antworten wurden berücksichtigt.",
    more=" und {count} weitere",
    no_fault="Wörter allein verraten keinen Fehler: Lesen Sie die Arbeit und wählen Sie eine "
    "Stufe.",
    model="Das Modell {model} hält für wahrscheinlich: {told}.",
)


def telling_of(rubric: Rubric) -> Telling:
    """In the language in which the rubric asks and answers."""
    asked = (rubric.question, rubric.reference, *rubric.key_points)
    described = (one.description for one in rubric.criteria)
    return GERMAN if seems_german(" ".join((*asked, *described))) else ENGLISH
