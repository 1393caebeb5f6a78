"""What can be said of a paper before anybody grades it: reasons for a person to look."""

from __future__ import annotations

from gradeq.grading.evidence import Parrots
from gradeq.grading.hostile import attacks
from gradeq.grading.normalise import hides_text
from gradeq.model import Flag


def suspicions(text: str, sent: str, parrots: Parrots) -> frozenset[Flag]:
    """Of `text` as it was handed in, `sent` being the same normalised."""
    marks = {
        Flag.HIDDEN_TEXT: hides_text(text),
        Flag.HOSTILE_TEXT: bool(attacks(text)),
        Flag.PARROTED_RUBRIC: parrots.paper_repeats(sent),
    }
    return frozenset(flag for flag, is_set in marks.items() if is_set)
