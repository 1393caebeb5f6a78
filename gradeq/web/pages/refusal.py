"""Why something was not done on the page of a paper, in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass

from gradeq.errors import ChangedError, GradeqError
from gradeq.web.problems import Problem, problem_of
from gradeq.web.visit import Visit

_KNOWN = frozenset({"points_out_of_range", "score_out_of_range"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """`language` is that of `text`; `is_newer`: the paper is not any more what the page showed."""

    status: int
    text: str
    language: str
    is_newer: bool = False


def refusal(visit: Visit, error: Problem | GradeqError) -> Refusal:
    """What pages refuse themselves, they tell in the reader's language; the rest is English."""
    problem = problem_of(error, visit.request)
    told, words = problem.answer, visit.words
    if isinstance(error, ChangedError) and error.by is not None:
        what = "changed" if error.by else "new_text"
        text = words.text(f"review.refused.{what}", by=error.by)
        return Refusal(told.status, text, words.language, is_newer=True)
    if told.code in _KNOWN:
        text = words.text(f"review.refused.{told.code}", **problem.values)
        return Refusal(told.status, text, words.language)
    language = "en" if isinstance(error, GradeqError) else words.language
    return Refusal(told.status, told.detail, language)
