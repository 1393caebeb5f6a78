"""Wording that is known to make models grade worse, in English and German."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gradeq.grading.rubric_advice import CRITERION, INSTRUCTIONS, LEVEL, Advice

_ANYWHERE = frozenset({INSTRUCTIONS, CRITERION, LEVEL})
_NUMBER_FOLLOWS = (
    r"(?![^.;\n]{0,30}(?:\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|"
    r"zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn)\b))"
)
"""A number close behind says how many are meant."""


@dataclass(frozen=True, slots=True)
class _Wording:
    """A rule about words: where they harm, and the words in both languages."""

    rule: str
    places: frozenset[str]
    words: re.Pattern[str]


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{one})" for one in patterns), re.IGNORECASE)


_RULES = (
    _Wording(
        "harsh",
        _ANYWHERE,
        _any_of(
            r"\b(?:be|very|extremely|grade|mark|judge)\s+(?:very |extremely )?"
            r"(?:strict|harsh|severe|tough)(?:ly)?\b",
            r"\b(?:no|never|not|without)\b[^.\n]{0,30}\bpartial (?:credit|marks|points)\b",
            r"\b(?:sei|bewerte|korrigiere|benote|urteile|sehr|äußerst|möglichst)\s+(?:sehr )?"
            r"(?:streng|hart|penibel)\b",
            r"\b(?:keine|nie|niemals|ohne)\b[^.\n]{0,30}\bTeilpunkte?\b",
        ),
    ),
    _Wording(
        "threshold",
        _ANYWHERE,
        _any_of(
            r"\bminimum (?:requirements?|standards?|of|score|level|number)\b"
            r"(?! (?:a|the) (?:function|curve|parabola))",
            r"\b(?:the|bare) minimum\b(?! (?:wage|temperature|value|price|energy|point|of))",
            r"\bMindest(?:anforderung|standard|maß|punktzahl|leistung)\w*",
            r"\b(?:das|ein) Minimum\b(?! (?:der|einer) (?:Funktion|Kurve|Parabel))",
        ),
    ),
    _Wording(
        "quantifier",
        frozenset({CRITERION, LEVEL}),
        _any_of(
            r"(?<!\bhow )(?<!\bas )\b(?:several|many|numerous|various|some|a few|very few|a lot of|"
            r"lots of|plenty of|a number of|a couple of|sufficient(?:ly)?|enough|"
            r"adequate(?:ly)?|appropriate(?:ly)?|reasonabl[ey])\b" + _NUMBER_FOLLOWS,
            r"(?<!\bwie )(?<!\bso )\b(?:(?:einige|mehrere|viele|wenige|manche|zahlreiche|etliche)"
            r"[rnsm]?|(?:ausreichend|hinreichend|angemessen)(?:e[rnsm]?)?|genügend|genug)\b"
            + _NUMBER_FOLLOWS,
        ),
    ),
    _Wording(
        "negative",
        frozenset({CRITERION}),
        _any_of(
            r"(?<!\bor )\b(?:not(?! (?:only|just))|no(?! matter)|never|without|neither|nor|"
            r"avoids?|lacks?|fails? to)\b",
            r"n['’]t\b",
            r"(?<!\boder )\b(?:nicht(?! nur)|keine?[nrsm]?|nie|niemals|ohne|weder|vermeidet|"
            r"verzichtet|fehl(?:t|en))\b",
        ),
    ),
    _Wording(
        "comparison",
        _ANYWHERE,
        _any_of(
            r"\b(?:better|worse|weaker|stronger|more \w+|less \w+) than (?:the |their |his |her )?"
            r"(?:\w+ )?(?:others?|most|average|class(?:mates)?|peers|rest|students?)\b",
            r"\b(?:compared|relative|in comparison) (?:to|with) (?:the |their |other )+"
            r"(?:\w+ )?(?:class(?:mates)?|peers|students|papers|essays|submissions|average)\b",
            r"\b(?:best|worst|top|weakest|strongest)\b[^.\n]{0,15}"
            r"\b(?:of|in) (?:the |this )?class\b",
            r"\b(?:above|below)[ -]average\b",
            r"\bon a curve\b",
            r"\b(?:besser|schlechter|schwächer|stärker) als (?:die |der |das )?"
            r"(?:meisten|anderen?|Durchschnitt|Klasse|Mitschüler\w*|übrigen)\b",
            r"\bim Vergleich (?:zu|mit|zur|zum) (?:den |der |dem )?"
            r"(?:anderen|Klasse|übrigen|Mitschüler\w*|Durchschnitt|Rest)\b",
            r"\b(?:über|unter)durchschnittlich\w*",
            r"\bKlassendurchschnitt\w*",
            r"\b(?:beste|schlechteste|schwächste)[rnsm]?\b[^.\n]{0,15}\bder Klasse\b",
        ),
    ),
    _Wording(
        "impression",
        _ANYWHERE,
        _any_of(
            r"\b(?:overall|general|first|personal) impression\b",
            r"\boverall (?:quality|performance|grade|merit)\b",
            r"\bholistic(?:ally)?\b",
            r"\bgut feeling\b",
            r"\b(?:Gesamteindr(?:uck|ücke?)\w*|Gesamtqualität|Gesamtleistung|Bauchgefühl)\b",
            r"\b(?:allgemeine|erste|persönliche)[rnsm]? Eindruck\w*",
            r"\bganzheitlich\w*",
        ),
    ),
    _Wording(
        "score",
        _ANYWHERE,
        _any_of(
            r"\b(?:give|assign|award|add|subtract|deduct|take off|dock)\b[^.\n]{0,25}"
            r"\b(?:points?(?! of view)|marks?|score|grade)\b",
            r"\b(?:score|rate|grade|mark)\b[^.\n]{0,25}\b(?:from|between) \d+ (?:to|and) \d+",
            r"\bon a scale (?:of|from) \d+",
            r"\b(?:out of|of) \d+ points\b",
            r"\b(?:vergib|gib|vergebe|erteile|ziehe?|addiere)\b[^.\n]{0,25}"
            r"\b(?:Punkte?n?|Punktzahl|Noten?)\b",
            r"\bPunkt(?:abzug|abzüge)\w*",
            r"\b(?:Note|Punktzahl|Punkte)\b[^.\n]{0,15}\b(?:von|zwischen) \d+ (?:bis|und) \d+",
            r"\bauf einer Skala (?:von|zwischen) \d+",
        ),
    ),
)


def worded(criterion: str, texts: Sequence[tuple[str, str]]) -> Iterator[Advice]:
    """Each rule's first find in the texts of one criterion, or of the instructions (`criterion`
    empty). Each text comes with the name of its level, empty for the description."""
    for rule in _RULES:
        for level, text in texts:
            where = (LEVEL if level else CRITERION) if criterion else INSTRUCTIONS
            if where in rule.places and (found := rule.words.search(text)):
                yield Advice(rule.rule, where, criterion, found[0], level=level)
                break


# Marks ------------------------------------------------------------------------------------------

_MARKS = """
    excellent good poor weak bad fair average satisfactory unsatisfactory sufficient insufficient
    adequate inadequate ok okay perfect outstanding acceptable unacceptable great exceeds meets
    below expectations gut gute guter gutes schlecht schlechte mangelhaft befriedigend ausreichend
    ungenügend hervorragend hervorragende ausgezeichnet schwach schwache durchschnittlich
    zufriedenstellend
"""
_FILLERS = """
    very not a an the is this work answer answers paper essay text quality performance response
    level overall sehr nicht eine ein die der das ist arbeit antwort leistung aufsatz
"""


def is_only_a_mark(text: str) -> bool:
    """True for "Very good." or "Gute Arbeit": a judgement that describes nothing."""
    words = set(re.findall(r"\w+", text.casefold()))
    marks = frozenset(_MARKS.split())
    return bool(words & marks) and words <= marks | frozenset(_FILLERS.split())


# Two demands in one -----------------------------------------------------------------------------

_AND = r"(?:and|as well as|und|sowie)"
_TWO_CLAUSES = re.compile(
    rf"\b{_AND} (?:also )?(?:is|are|does|do|has|have|can|was|were|ist|sind|hat|haben|wird|werden|"
    r"kann|können)\b",
    re.IGNORECASE,
)
_JOINED = re.compile(rf"\w+,? {_AND} \w+", re.IGNORECASE)
_ONE_THING = re.compile(
    r"\b(?:between|zwischen)\b[^.?]{1,60}\b(?:and|und)\b"
    r"|\b(?:cause and effect|causes and effects|pros and cons|trial and error|supply and demand|"
    r"strengths and weaknesses|advantages and disadvantages|black and white|again and again|"
    r"more and more|Ursachen? und Wirkung(?:en)?|Vor- und Nachteile?|Angebot und Nachfrage|"
    r"Für und Wider|nach und nach|mehr und mehr|hin und wieder)\b",
    re.IGNORECASE,
)
_TWO_NAMES = re.compile(r"(?<!^)\b[A-Z]\w+ and [A-Z]\w+")


def is_double_barrelled(text: str, *, has_halves: bool) -> str:
    """The words that join two demands in a criterion's description; empty where none do.

    With `has_halves` there are levels for a paper that meets one of them, and only two whole
    questions are too much.
    """
    if clauses := _TWO_CLAUSES.search(text):
        return clauses[0]
    if has_halves:
        return ""
    joined = _JOINED.search(_TWO_NAMES.sub("", _ONE_THING.sub("", text)))
    return joined[0] if joined else ""
