"""Papers graded by their words: the work behind the grader "lexical"."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gradeq.grading.lexical.grader import LexicalGrader, why_not
from gradeq.grading.prepared import Decided
from gradeq.grading.rubric import Example, Rubric
from gradeq.model import CriterionGrade, Grade, Job
from gradeq.outcome import Reject
from gradeq.store.base import Store
from gradeq.store.rows import Judged

_MOST_READY = 8


class LexicalWork:
    """A coroutine `Job -> Grade`, as own graders are.

    All papers of a batch are graded alike: by the rubric's examples, and by what people had said
    of papers of the same rubric when the batch began in this process.
    """

    def __init__(self, store: Store, rubric: Callable[[int], Awaitable[Rubric]]) -> None:
        self._store = store
        self._rubric = rubric
        self._ready: dict[tuple[int, int], LexicalGrader] = {}

    async def __call__(self, job: Job) -> Grade:
        """Raises Reject where the paper, or the rubric, is none for this grader."""
        if job.submission is None or job.rubric_id is None:
            raise Reject("this job has no paper or no rubric to grade by")
        grader = await self._grader(job.batch_id, job.rubric_id)
        grade = grader.grade(job.submission.text)
        if isinstance(grade, Decided):
            raise Reject(grade.reason)
        return grade

    async def _grader(self, batch_id: int, rubric_id: int) -> LexicalGrader:
        key = (batch_id, rubric_id)
        if key not in self._ready:
            rubric = await self._rubric(rubric_id)
            if (why := why_not(rubric)) is not None:
                raise Reject(f"the lexical grader cannot grade by this rubric: {why}")
            judged = await self._store.judged(rubric_id)
            while len(self._ready) >= _MOST_READY:
                del self._ready[next(iter(self._ready))]
            self._ready[key] = LexicalGrader(rubric, [_example(one) for one in judged])
        return self._ready[key]


def _example(judged: Judged) -> Example:
    return Example(judged.text, tuple(map(_level, judged.criteria)))


def _level(criterion: CriterionGrade) -> tuple[str, str]:
    return criterion.id, criterion.level
