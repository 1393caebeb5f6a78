"""Grades of short answers by their words: provisional, for a person to look at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from gradeq.grading.evidence import Parrots
from gradeq.grading.lexical.gaming import Copies, is_word_list
from gradeq.grading.lexical.judge import Heard, Judge, Verdict, can_judge, shared_out
from gradeq.grading.lexical.likeness import Weights
from gradeq.grading.lexical.telling import telling_of
from gradeq.grading.lexical.words import Word, sentences_of, words_of
from gradeq.grading.mapped import Mapped
from gradeq.grading.normalise import is_blank, normalise
from gradeq.grading.prepared import Decided
from gradeq.grading.rubric import CANNOT_ASSESS, Criterion, Example, Level, Rubric
from gradeq.grading.suspicion import suspicions
from gradeq.model import CriterionGrade, Evidence, Flag, Grade, GradeSource

MOST_WORDS = 200
"""It was measured on answers of one to three sentences. Essays it grades worse than their length
alone would, so that longer papers are left to somebody who reads them."""

_MOST_CHARACTERS = 20 * MOST_WORDS
_MOST_QUOTES = 10


def why_not(rubric: Rubric) -> str | None:
    """What keeps this grader from grading by `rubric` at all; None where it can."""
    if not any(map(can_judge, rubric.criteria)):
        return "none of its criteria gives points for what an answer contains"
    if not any(words_of(point) for point in _points(rubric)):
        return "it has neither a reference answer nor key points to compare with"
    return None


class LexicalGrader:
    """Grades by one rubric. `examples` are answers that people graded, the rubric's own not
    included. The same paper always gets the same grade. Raises ValueError where `why_not` tells
    what is against it."""

    def __init__(self, rubric: Rubric, examples: Sequence[Example] = ()) -> None:
        if (why := why_not(rubric)) is not None:
            raise ValueError(f"not by this rubric: {why}")
        self._rubric = rubric
        points = _points(rubric)
        self._weights = Weights(rubric.question, points)
        self._parrots = Parrots(rubric)
        self._copies = Copies(rubric)
        shares = shared_out(points, rubric.criteria)
        graded = (*rubric.examples, *examples)
        self.telling = telling_of(rubric)
        self._judges = {
            criterion.id: Judge(criterion, share, self._weights, graded, self.telling)
            for criterion, share in zip(rubric.criteria, shares, strict=True)
            if can_judge(criterion)
        }

    @property
    def judged(self) -> Mapping[str, Sequence[Level]]:
        """The criteria that it judges, by id, with their levels from best to lowest."""
        return {id: judge.steps for id, judge in self._judges.items()}

    def refused(self, text: str) -> Decided | None:
        """Why a paper with this text has no grade; None where it has one."""
        sent = normalise(text)
        if is_blank(sent):
            return Decided("the paper is blank", Flag.BLANK)
        if len(sent.text) > _MOST_CHARACTERS:
            return Decided(_too_long(f"{len(sent.text):,} characters"))
        words = words_of(sent.text)
        if not words:
            return Decided("the paper holds no words: grade it by hand")
        if len(words) > MOST_WORDS:
            return Decided(_too_long(f"{len(words):,} words"))
        return None

    def grade(self, text: str, heard: Mapping[str, Heard] | None = None) -> Grade | Decided:
        """The grade of a paper's text as it was handed in, or why it has none.

        `heard` is what somebody else says of criteria, by id; it moves their levels.
        """
        if (refused := self.refused(text)) is not None:
            return refused
        sent = normalise(text)
        words = words_of(sent.text)
        told = heard or {}
        verdicts = {
            id: judge.verdict(sent.text, told.get(id)) for id, judge in self._judges.items()
        }
        criteria = tuple(
            self._criterion(one, verdicts, text, sent) for one in self._rubric.criteria
        )
        flags = self._flags(text, sent.text, words)
        return Grade(
            score=self._rubric.score(one.points for one in criteria if one.points is not None),
            max_score=self._rubric.max_score,
            criteria=criteria,
            flags=tuple(flag for flag in Flag if flag in flags),
            source=GradeSource.CODE,
            confidence=round(math.prod(one.confidence for one in verdicts.values()), 4),
        )

    def _criterion(
        self, criterion: Criterion, verdicts: dict[str, Verdict], text: str, sent: Mapped
    ) -> CriterionGrade:
        verdict = verdicts.get(criterion.id)
        if verdict is None:
            return CriterionGrade(criterion.id, CANNOT_ASSESS, None, self.telling.no_fault)
        return CriterionGrade(
            id=criterion.id,
            level=verdict.level.name,
            points=verdict.level.points,
            reason=verdict.reason,
            evidence=tuple(_quotes(verdict.found, text, sent))[:_MOST_QUOTES],
        )

    def _flags(self, text: str, sent: str, words: Sequence[Word]) -> frozenset[Flag]:
        stems = [word.stem for word in words]
        marks = {
            Flag.PROVISIONAL: True,
            Flag.CANNOT_ASSESS: len(self._judges) < len(self._rubric.criteria),
            Flag.PARROTED_RUBRIC: self._copies.is_copied(stems),
            Flag.WORD_LIST: is_word_list(stems, self._weights),
        }
        found = frozenset(flag for flag, is_set in marks.items() if is_set)
        return found | suspicions(text, sent, self._parrots)


def _points(rubric: Rubric) -> Sequence[str]:
    return rubric.key_points or sentences_of(rubric.reference)


def _quotes(found: Sequence[tuple[int, int]], text: str, sent: Mapped) -> Iterator[Evidence]:
    """Matched words that follow each other are one quote."""
    for start, end in _joined(found, sent.text):
        begin, until = sent.origin(start, end)
        yield Evidence(text[begin:until], begin, until, verified=True)


def _joined(found: Sequence[tuple[int, int]], text: str) -> Iterator[tuple[int, int]]:
    pending: tuple[int, int] | None = None
    for start, end in found:
        if pending and text[pending[1] : start].isspace():
            pending = (pending[0], end)
            continue
        if pending:
            yield pending
        pending = (start, end)
    if pending:
        yield pending


def _too_long(length: str) -> str:
    return (
        f"the paper has {length}, and the lexical grader only compares short answers (up to "
        f"{MOST_WORDS} words): grade it by hand or with a model"
    )
