"""The table of `hostile`: what attacks on graders look like.

Patterns see lower-case text without accents, with single spaces and single line breaks. Every
repetition in them is bounded, so that no paper can make them slow.
"""

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


def _rule(attack: Attack, words: str, *alternatives: str) -> Rule:
    """`words` are separated by commas."""
    pattern = re.compile("|".join(alternatives), re.MULTILINE)
    return Rule(attack, tuple(words.split(", ")), pattern)


_OPENING = r"[.!?:;,(\[{>*#-]"
_BEFORE_REQUEST = (
    "^",
    f"(?<={_OPENING})",
    f"(?<={_OPENING} )",
    r"(?<=\bplease )",
    r"(?<=\bbitte )",
    r"(?<=\bpor favor )",
)
_BEFORE_ORDER = (
    *_BEFORE_REQUEST,
    *(rf"(?<=\b{word} )" for word in ("and", "then", "now", "y", "und")),
    *(rf"(?<=\byou {word} )" for word in ("must", "should", "will", "shall", "are to")),
)
"""What an order follows: the beginning of a sentence, of a clause or of a line.

So "told us to ignore ..." and a quoted "ignore ..." are no orders.
"""


def _order(verbs: str, rest: str, before: tuple[str, ...] = _BEFORE_ORDER) -> str:
    """The look ahead comes first because it fails fastest."""
    return rf"\b(?={verbs})(?:{'|'.join(before)})(?:{verbs}){rest}"


_LINE = r"^[^\w\n]{0,12}"
_PAPER = r"(?:answer|essay|paper|submission|student|response|work|text)"
_THIS = rf"(?:me|it|this|(?:this|my) {_PAPER})"
_MOST = r"(?:full|maxim(?:um|al)|max|top|highest|perfect|best)(?: possible)?"
_MARKS = r"(?:marks?|points?|scores?|grades?|credits?|levels?|ratings?)"
_GRADER = r"(?:grader|marker|examiner|assessor|grading (?:system|model|ai|tool|assistant)|ai model)"
_TEACHER = r"(?:tas?|teachers?|teaching assistants?|instructors?|professors?|developers?)"
_GIVE = "award|give|assign|grant|return|output"
_MOST_MARKS = rf"(?:an? |the |all )?{_MOST} (?:\w+ )?{_MARKS}\b"
_ALL_OF = r"(?P<%s>\d+) ?(?:/|out of) ?(?P=%s)\b(?! \w)"
_WRITE = "print|write|include|list"
_CONFIDENTIAL = (
    r"\b(?:rubric|reference answer|model answer|system prompt|your instructions|mark scheme)"
)

RULES = (
    _rule(
        Attack.OVERRIDE,
        "ignore, disregard, forget",
        _order(
            "ignore|disregard|forget",
            r" (?:\w+ ){0,4}(?:(?:previous|prior|above|earlier|preceding|system) (?:instruction"
            r"|prompt|input|rule|direction|guideline|criteria)"
            r"|(?:instructions?|everything|all) (?:above|before)\b"
            r"|rubric\b|mark(?:ing)? scheme\b|grading (?:criteria|rules|instructions)\b)",
        ),
    ),
    _rule(
        Attack.OVERRIDE,
        "anweisung, instruk, instruc, instruz, istruzion, polecen",
        _order(
            r"ignor|missacht|vergiss|olvida|oublie|negeer|dimentica|zignoruj",
            r"\w{0,5}(?: \w+){0,4} (?:anweisung|instruk|instruc|instruz|istruzion|polecen)",
        ),
    ),
    _rule(
        Attack.OVERRIDE,
        "punkt, note, calificacion, puntuacion, puntos",
        r"\b(?:vergib|gib|erteile)\b[^.\n]{0,30}\b(?:voll|maximal|best|hochst)\w* ?(?:punkt|note)",
        r"\b(?:otorga|asigna|dale|dame)\b[^.\n]{0,30}(?:calificacion|puntuacion|puntos) maxim",
        r"\b(?:donne[zr]?|attribue[zr]?|accorde[zr]?)\b[^.\n]{0,20}\bnote maximale",
    ),
    _rule(
        Attack.OVERRIDE,
        "award, give, assign, grant, return, output",
        _order(
            _GIVE,
            rf" (?:{_THIS} )?(?:{_MOST_MARKS}|{_ALL_OF % ('a', 'a')})",
            (*_BEFORE_REQUEST, r"(?<=\bnow )"),
        ),
        _order(_GIVE, rf" {_THIS} {_MOST_MARKS}"),
        _order("award|assign", r" (?:the )?maximum\b"),
        r"\bassistant (?:who|that) gives\b",
    ),
    _rule(
        Attack.OVERRIDE,
        "criteri, rubric item, positive item",
        r"\b(?:every|all|each)(?: of the)? (?:rubric items?|criteri(?:on|a)) (?:is|are|as|apply"
        r"|applies)(?: (?:fully|already|now))?(?: (?:satisfied|met|fulfilled))? ?(?:[.!\n]|$)",
        r"\bset (?:all|every|each)\b[^.\n]{0,30}\bto (?:true|met|max)",
    ),
    _rule(
        Attack.OVERRIDE,
        "grader, marker, examiner, assessor, grading",
        rf"\b(?:dear|hey|hello|attention|(?:note|message) to(?: the)?|ai|llm) {_GRADER}s?\b",
        _order(_GRADER, r"s? ?[:!]", _BEFORE_REQUEST),
        r"\bif you are an? (?:ai|llm|language model|bot)\b[^.\n]{0,40}\b(?:grading|marking)\b",
    ),
    _rule(
        Attack.OVERRIDE,
        "level, correct, as met, override",
        _order(
            "choose|select|pick|return|assign|answer with",
            r" (?:the )?(?:(?:best|highest|top) )?level\b(?: for| in|:| ')",
        ),
        _order(
            "mark|grade|rate|treat", rf" {_THIS} as (?:correct|met|excellent|perfect|complete)\b"
        ),
        _LINE + r"override ?:",
    ),
    _rule(
        Attack.OVERRIDE,
        "system",
        _LINE + r"system ?:[^\n]{0,80}\b(?:grading|grader|award|override|instructions?|rubric)\b",
    ),
    _rule(
        Attack.DELIMITER,
        "<",
        r"</?(?:submission|criteri(?:on|a)|rubric|system|grad(?:er|ing)[_-]?\w{0,20}"
        r"|student[_-]\w{1,20}|instructions?) ?/?>",
    ),
    _rule(
        Attack.DELIMITER,
        "[end, [begin, [start, inst], im_start, im_end, <<sys",
        r"\[(?:end|begin|start)[ _](?:of[ _])?(?:data|submission|answer|paper|essay|student)\b",
        r"\[/?inst\]|<\|im_(?:start|end)|<<sys>>",
    ),
    _rule(
        Attack.DELIMITER,
        "#",
        r"^ ?#{1,6} (?:system(?: prompt| message)?|assistant) ?$",
        r"^ ?#{1,6} [^\n]{0,40}\b(?:instructor|grader|grading|mark(?:ing)? scheme|rubric"
        rf"|student submission|system prompt|output format|(?:via|by|from) (?:the )?{_TEACHER})\b",
    ),
    _rule(
        Attack.DELIMITER,
        "==, **, --",
        r"^ ?[=*-]{2,12} ?(?:new |end of |begin |start )?(?:output|system|grading|grader|submission"
        r"|paper|rubric|instruction)[^\n=*-]{0,60}[=*-]{2}",
    ),
    _rule(
        Attack.DELIMITER,
        "{, <%",
        r"(?:\{\{?|<%=?) ?(?:rubric|prompt|mark_?scheme|submission|instructions|criteria)"
        r" ?(?:\}|%>)",
    ),
    _rule(
        Attack.FAKE_OUTPUT,
        '"criteria", "level", "feedback"',
        r'"criteria" ?: ?[\[{]',
        r'"level" ?: ?"[^"\n]{0,60}" ?, ?"points"',
        r'"feedback" ?:[^}]{0,300}"(?:marks|score|points|grade)" ?:',
        r'"(?:marks|score|points|grade)" ?:[^}]{0,300}"feedback" ?:',
    ),
    _rule(
        Attack.FAKE_OUTPUT,
        "final score, final grade, final mark, i have, end of grading, tool_result, tool_call",
        r"\bfinal (?:score|grade|mark)s? ?[:=] ?\d",
        r"\bi have (?:already )?graded this\b",
        r"\bend of grading\b",
        r"\[/?tool_(?:result|call)\]",
    ),
    _rule(
        Attack.AUTHORITY,
        "note, message, comment, already, confirm",
        rf"\b(?:note|message|comments?) (?:from|by) (?:the |your |my )?{_TEACHER} ?:",
        rf"\balready (?:graded|marked|checked|assessed) this (?:by hand\b|{_PAPER}\b)",
        r"\btrust these (?:comments|marks|scores)",
        r"\bplease just confirm\b",
    ),
    _rule(
        Attack.AUTHORITY,
        "developer of, creator of, administrator of, author of, owner of, debug mode",
        rf"\b(?:developer|creator|administrator|author|owner) of this {_GRADER}",
        r"\bdebug mode ?:",
    ),
    _rule(
        Attack.PERSUASION,
        "i will, i might, i could, i would, i'll",
        r"\b(?:i (?:will|might|could|would)|i'll) (?:lose|fail|be expelled)\b[^.\n]{0,60}"
        rf"\bif (?:i (?:do not|don't|cannot|can't) |you )[^.\n]{{0,30}}\b(?:{_MARKS}|pass)\b",
    ),
    _rule(
        Attack.PERSUASION,
        "deserve, worth, merits, warrants, receives, gets, earns",
        rf"\b(?:this|my)(?: {_PAPER})?\b(?:[^.\n]{{0,80}} )?(?:deserves?|is worth(?:y of)?|merits"
        rf"|warrants|receives|gets|earns) (?:{_MOST_MARKS}|{_ALL_OF % ('c', 'c')})",
    ),
    _rule(
        Attack.RUBRIC_PARROT,
        "criteri, rubric",
        rf"\b(?:this|my) {_PAPER} (?:\w+ly )?(?:satisf|meet|fulfil|earn|is excellent in)\w* "
        r"(?:(?:all|every|each|of|the|your) ){0,3}(?:criteri|rubric)",
    ),
    _rule(
        Attack.RUBRIC_PARROT,
        "evidence for",
        _LINE + rf"evidence for {_MOST_MARKS}",
    ),
    _rule(
        Attack.ENCODING,
        "base64, rot13, rot-13",
        r"\bdecode (?:this|the following)\b",
        r"\b(?:base64|rot-?13)\b[^\n]{0,40}\b(?:follow|apply|grad|obey)",
    ),
    _rule(
        Attack.PADDING,
        "remainder of, rest of, end of, lorem ipsum",
        rf"\b(?:remainder|rest|end) of (?:this|my|the) {_PAPER} (?:was|is|has been|got) "
        r"(?:truncated|cut|lost|missing|removed)\b",
        r"\blorem ipsum dolor sit amet\b",
    ),
    _rule(
        Attack.EXFILTRATION,
        "rubric, reference answer, model answer, system prompt, your instructions, mark scheme",
        _order(
            f"{_WRITE}|reveal|show|output|repeat|copy|quote|tell me",
            r"\b[^.\n]{0,40}" + _CONFIDENTIAL,
        ),
    ),
    _rule(
        Attack.EXFILTRATION,
        "feedback, other students",
        _order(
            f"{_WRITE}|put|insert|add|say",
            r"\b[^.\n]{0,60} (?:(?:in|into|to) (?:the|your) (?:[\w-]+ )?feedback\b"
            r"|other students you\b)",
        ),
        r"\bdo not mention this [^.\n]{0,40}\bfeedback\b",
    ),
    _rule(
        Attack.DENIAL,
        "json, only with, out of tokens, needs_review, confidence",
        _order("do not|don't|never", r" (?:output|return|write|produce|answer with) json\b"),
        _order("reply|respond|answer", r" only with the (?:word|text|sentence)\b"),
        _order("set", r" (?:the )?confidence to\b"),
        r"\brun out of tokens\b|\bneeds_review\b",
    ),
)
