"""A model's answer, read strictly: it becomes a grade or is unusable, never something between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from gradeq.grading.evidence import QuoteFinder
from gradeq.grading.normalise import clean
from gradeq.grading.prepared import Prepared, Unusable
from gradeq.grading.pseudonyms import restore
from gradeq.grading.rubric import CANNOT_ASSESS, Criterion, Level, Rubric
from gradeq.model import CriterionGrade, Evidence, Flag, Grade

MOST_FEEDBACK = 4_000
"""Characters kept of a feedback."""

MOST_REASON = 2_000
"""Characters kept of a reason and of a quote."""

MOST_QUOTES = 10
"""Quotes kept for each criterion."""


class _Judgement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: str
    evidence: list[str]
    level: str


class _Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    criteria: dict[str, msgspec.Raw]
    feedback: str


class _Fault(Exception):
    """Why the answer cannot be used."""


_T = TypeVar("_T")


def read_reply(text: str, prepared: Prepared) -> Grade | Unusable:
    """Read the text of an answer to `prepared`. Points are added up here, never by the model.

    A code fence or prose around exactly one JSON object is tolerated; whatever else is not of the
    form asked for is Unusable, with the path of the fault.
    """
    try:
        reply = _decoded(_json_object(text), _Reply, "$")
        judgements = _judgements(reply, prepared.question.rubric)
    except _Fault as fault:
        return Unusable(str(fault))
    grading = _Grading(prepared)
    if prepared.question.canary in text:
        grading.flags.add(Flag.CANARY)
    return grading.grade(reply.feedback, judgements)


class _Grading:
    """One answer being turned into a grade, collecting flags on the way."""

    def __init__(self, prepared: Prepared) -> None:
        self.flags = set(prepared.flags)
        self._prepared = prepared
        self._quotes = QuoteFinder(prepared.sent)

    def grade(self, feedback: str, judgements: list[tuple[Criterion, _Judgement]]) -> Grade:
        rubric = self._prepared.question.rubric
        criteria = tuple(self._criterion(*pair) for pair in judgements)
        return Grade(
            score=rubric.score(c.points for c in criteria if c.points is not None),
            max_score=rubric.max_score,
            criteria=criteria,
            feedback=self._text(feedback, MOST_FEEDBACK),
            flags=tuple(flag for flag in Flag if flag in self.flags),
        )

    def _criterion(self, criterion: Criterion, judgement: _Judgement) -> CriterionGrade:
        level = _level(criterion, judgement.level)
        if level is None:
            self.flags.add(Flag.CANNOT_ASSESS)
        return CriterionGrade(
            id=criterion.id,
            level=level.name if level else CANNOT_ASSESS,
            points=level.points if level else None,
            reason=self._text(judgement.reason, MOST_REASON),
            evidence=tuple(self._evidence(judgement.evidence)),
        )

    def _evidence(self, quotes: list[str]) -> Iterator[Evidence]:
        for quote in filter(None, map(clean, quotes[:MOST_QUOTES])):
            found = self._quotes.find(quote)
            if found is None:
                self.flags.add(Flag.UNVERIFIED_EVIDENCE)
            if self._prepared.parrots.quote_repeats(quote):
                self.flags.add(Flag.PARROTED_RUBRIC)
            start, end = found or (None, None)
            yield Evidence(self._text(quote, MOST_REASON), start, end, found is not None)

    def _text(self, text: str, most: int) -> str:
        text = restore(clean(text), self._prepared.alias)
        return text if len(text) <= most else f"{text[: most - 1]}…"


def _json_object(text: str) -> str:
    """From the first brace to the last; two objects in a row are then no valid JSON any more."""
    if text.lstrip().startswith("<think>"):
        text = text.partition("</think>")[2]
    start, end = text.find("{"), text.rfind("}")
    if not 0 <= start < end:
        raise _Fault("the answer holds no JSON object")
    return text[start : end + 1]


def _decoded(source: str | msgspec.Raw, kind: type[_T], path: str) -> _T:
    data = source.encode("utf-8", "replace") if isinstance(source, str) else source
    try:
        return msgspec.json.decode(data, type=kind)
    except RecursionError:
        raise _Fault(f"{path} is nested too deeply") from None
    except msgspec.ValidationError as error:
        text = str(error)
        raise _Fault(
            text.replace("`$", f"`{path}") if "`$" in text else f"{text} - at `{path}`"
        ) from None
    except msgspec.DecodeError as error:
        raise _Fault(f"the answer is not exactly one JSON object: {error}") from None


def _judgements(reply: _Reply, rubric: Rubric) -> list[tuple[Criterion, _Judgement]]:
    """The judgement of each criterion, in the rubric's order; all of them and no others."""
    known = [criterion.id for criterion in rubric.criteria]
    if missing := [name for name in known if name not in reply.criteria]:
        raise _Fault(f"$.criteria has no {', '.join(missing)}")
    if unknown := sorted(reply.criteria.keys() - set(known)):
        raise _Fault(f"$.criteria has unknown keys: {_shown(', '.join(unknown))}")
    judgements = [(criterion, _judgement(reply, criterion)) for criterion in rubric.criteria]
    if all(_level(criterion, judgement.level) is None for criterion, judgement in judgements):
        raise _Fault(f"every criterion is {CANNOT_ASSESS}, which is no grade")
    return judgements


def _judgement(reply: _Reply, criterion: Criterion) -> _Judgement:
    path = f"$.criteria.{criterion.id}"
    judgement = _decoded(reply.criteria[criterion.id], _Judgement, path)
    names = [CANNOT_ASSESS, *(level.name for level in criterion.levels)]
    if not any(_same(judgement.level, name) for name in names):
        raise _Fault(f"{path}.level is {_shown(judgement.level)}, which is no level of it")
    return judgement


def _level(criterion: Criterion, name: str) -> Level | None:
    """None for cannot_assess; names were checked before."""
    return next((level for level in criterion.levels if _same(level.name, name)), None)


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
