"""By which rubrics the graders that compare words can grade at all."""

from __future__ import annotations

from gradeq.grading.blend.question import MOST_LEVELS
from gradeq.grading.lexical.grader import why_not
from gradeq.grading.lexical.judge import can_judge, steps_of
from gradeq.grading.rubric import Rubric
from gradeq.model import LEXICAL_GRADER, is_blend


def unfit(grader: str, rubric: Rubric) -> str | None:
    """What keeps `grader` from grading by `rubric`; None where nothing does, and for models."""
    if grader == LEXICAL_GRADER:
        return why_not(rubric)
    return why_not_blend(rubric) if is_blend(grader) else None


def why_not_blend(rubric: Rubric) -> str | None:
    """As for the lexical grader; and a level has to be told by one digit."""
    judged = (one for one in rubric.criteria if can_judge(one))
    if any(len(steps_of(one)) > MOST_LEVELS for one in judged):
        return f"a criterion has more than {MOST_LEVELS} levels"
    return why_not(rubric)
