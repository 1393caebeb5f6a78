"""The grader that asks a model for probabilities and moves the words' verdict by them."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from gradeq.grading.blend.odds import heard, level_chances
from gradeq.grading.blend.question import digits, level_question
from gradeq.grading.lexical.grader import LexicalGrader
from gradeq.grading.llm import LLMGrader, stopped_early
from gradeq.grading.prepared import Decided, Prepared, Unusable
from gradeq.grading.provisional import why_not_blend
from gradeq.grading.rubric import Rubric
from gradeq.model import Grade, GradeSource, Job
from gradeq.outcome import ErrorClass
from gradeq.providers.base import Answer, Prompt
from gradeq.providers.logprobs import MOST_ALTERNATIVES, spoken_tokens

_MOST_READY = 8
_FRAME_TOKENS = 32
_CRITERION_TOKENS = 48
"""Room for the longest id that a rubric may have, indented."""


class BlendGrader:
    """Prepares short answers for one model and reads what it finds probable. Makes no call.

    The words are weighed as the lexical grader does, by the rubric's own examples. `secret` and
    `pseudonyms` are those of LLMGrader.
    """

    def __init__(self, *, model: str, secret: bytes, pseudonyms: bool = True) -> None:
        self._model = model
        self._asker = LLMGrader(
            model=model, secret=secret, pseudonyms=pseudonyms, question=level_question
        )
        self._words = lru_cache(_MOST_READY)(LexicalGrader)

    def prepare(self, job: Job, rubric: Rubric) -> Prepared | Decided:
        """What to send for the job's paper, or why nothing is sent. ValueError without a paper."""
        if job.submission is None:
            raise ValueError(f"job {job.id} has no submission to grade")
        if (why := why_not_blend(rubric)) is not None:
            return Decided(f"the grader {job.grader!r} cannot grade by this rubric: {why}")
        if (refused := self._words(rubric).refused(job.submission.text)) is not None:
            return refused
        asked = self._asker.prepare(job, rubric)
        return asked if isinstance(asked, Decided) else replace(asked, prompt=_short(asked.prompt))

    def read(self, answer: Answer, prepared: Prepared) -> Grade | Unusable:
        """The grade of an answer, fresh or stored; without its tokens' probabilities there is none:
        a digit alone says nothing of how sure it is."""
        if (stopped := stopped_early(answer, prepared)) is not None:
            return stopped
        if not (tokens := spoken_tokens(answer.raw)):
            return Unusable(_no_chances(self._model), ErrorClass.REJECTED)
        words = self._words(prepared.question.rubric)
        asked = {id: digits(steps) for id, steps in words.judged.items()}
        chances = level_chances(tokens, asked)
        if chances is None:
            return Unusable("the answer is not one of the levels' numbers for each criterion")
        said = {
            id: heard(told, asked[id], self._model, words.telling) for id, told in chances.items()
        }
        grade = words.grade(prepared.paper, said)
        if isinstance(grade, Decided):
            return Unusable(grade.reason, ErrorClass.REJECTED)
        return replace(grade, source=GradeSource.MODEL, model=answer.model)


def _short(prompt: Prompt) -> Prompt:
    """Held to one digit for each criterion."""
    count = len(prompt.schema["properties"])
    return replace(
        prompt,
        schema_name="levels",
        max_output_tokens=_FRAME_TOKENS + _CRITERION_TOKENS * count,
        expected_output_tokens=8 + 12 * count,
        top_logprobs=MOST_ALTERNATIVES,
    )


def _no_chances(model: str) -> str:
    return (
        f"the server of {model} does not tell how probable its tokens were (logprobs), and without "
        "that nothing is blended; the paper stays ungraded. Use a server that returns logprobs, or "
        "another grader"
    )
