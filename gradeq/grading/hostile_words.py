"""The vocabulary that the rules of `hostile_rules` are written in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Attack(StrEnum):
    """The kind of an attack."""

    OVERRIDE = "override"
    DELIMITER = "delimiter"
    FAKE_OUTPUT = "fake_output"
    AUTHORITY = "authority"
    PERSUASION = "persuasion"
    RUBRIC_PARROT = "rubric_parrot"
    ENCODING = "encoding"
    PADDING = "padding"
    EXFILTRATION = "exfiltration"
    DENIAL = "denial"


@dataclass(frozen=True, slots=True)
class Rule:
    """One mark. `pattern` is tried only where one of `words` occurs, which keeps this fast."""

    attack: Attack
    words: tuple[str, ...]
    pattern: re.Pattern[str]


def rule(attack: Attack, words: str, *alternatives: str) -> Rule:
    """`words` are separated by commas."""
    pattern = re.compile("|".join(alternatives), re.MULTILINE)
    return Rule(attack, tuple(words.split(", ")), pattern)


_OPENING = r"[.!?:;,(\[{>*#-]"
BEFORE_REQUEST = (
    "^",
    f"(?<={_OPENING})",
    f"(?<={_OPENING} )",
    r"(?<=\bplease )",
    r"(?<=\bbitte )",
    r"(?<=\bpor favor )",
    r"(?<=\balways )",
)
BEFORE_ORDER = (
    *BEFORE_REQUEST,
    *(rf"(?<=\b{word} )" for word in ("and", "then", "now", "y", "und")),
    *(rf"(?<=\byou {word} )" for word in ("must", "should", "will", "shall", "are to")),
)
"""What an order follows: the beginning of a sentence, of a clause or of a line.

So "told us to ignore ..." and a quoted "ignore ..." are no orders.
"""


def order(verbs: str, rest: str, before: tuple[str, ...] = BEFORE_ORDER) -> str:
    """The look ahead comes first because it fails fastest."""
    return rf"\b(?={verbs})(?:{'|'.join(before)})(?:{verbs}){rest}"


def sentence(*kinds: str) -> str:
    """A sentence that holds a word of each kind, in any order."""
    ahead = "".join(rf"(?=[^.!?\n]{{0,300}}\b(?:{kind}))" for kind in kinds)
    return rf"(?:^|(?<=[.!?])){ahead}"


LINE = r"^[^\w\n]{0,12}"
PAPER = r"(?:answer|essay|paper|submission|student|response|work|text)"
THIS = rf"(?:me|it|this|(?:this|my) {PAPER})"
MOST = r"(?:full|maxim(?:um|al)|max|top|highest|perfect|best)(?: possible)?"
MARKS = r"(?:marks?|points?|scores?|grades?|credits?|levels?|ratings?)"
GRADER = r"(?:grader|marker|examiner|assessor|grading (?:system|model|ai|tool|assistant)|ai model)"
TEACHER = r"(?:tas?|teachers?|teaching assistants?|instructors?|professors?|developers?)"
GIVE = "award|give|assign|grant|return|output"
MOST_MARKS = rf"(?:an? |the |all )?{MOST} (?:\w+ )?{MARKS}\b"
ALL_OF = r"(?P<%s>\d+) ?(?:/|out of|von|sur|de) ?(?P=%s)\b(?! \w)"
ROLE = r"(?:\w+ )?(?:grader|marker|examiner|evaluator|assessor|assistant|language model|ai|teacher)"
EXCELLENT = r"(?:correct|met|excellent|perfect|complete|flawless|full)"
GRADING = (
    r"grad(?:e|es|ed|ing)\b|mark(?:s|ed|ing)?\b|scor(?:e|es|ed|ing)\b|points?\b|evaluat|assess"
    r"|criteri|rubric|levels?\b|bewert|bestnote|nota\b|punkte|calific|puntu"
)
PRAISE = (
    r"full\b|maxim|highest|top\b|best|perfect|all (?:points|marks)|every\b|positive\b|generous"
    r"|lenient|excellent|correct\b|met\b|satisfied|exempt|mas alta|\d+ (?:points|marks)"
)
ADDRESS = (
    rf"(?:this|my) (?:{PAPER}|pupil)\b|{PAPER} (?:above|below)\b|whoever (?:reads|grades|marks)"
    r"|evaluator|graders?\b|examiner|your?\b|give me|diesen text|esta respuesta|this (?:is|one)\b"
)
DEMAND = (
    r"instruction|override|system\b|output|respond|confirm|always|choose|disregard|from now on"
    r"|cancel|hidden|exception|please|kindly|beg\b|bitte|automatic|openai|chatgpt|ai\b|must\b"
    r"|has to|should|new task"
)
WRITE = "print|write|include|list"
CONFIDENTIAL = (
    r"\b(?:rubric|reference answer|model answer|system prompt|your instructions|mark scheme)"
)
