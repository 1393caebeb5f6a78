"""The grader that asks a model: what to send for a paper, and what to make of the answer."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from gradeq.grading.evidence import Parrots
from gradeq.grading.mapped import Mapped
from gradeq.grading.normalise import is_blank, normalise
from gradeq.grading.prepared import Decided, Prepared, Unusable
from gradeq.grading.prompt import PROMPT_VERSION, Question
from gradeq.grading.pseudonyms import Pseudonyms, redact
from gradeq.grading.reply import read_reply
from gradeq.grading.rubric import Rubric
from gradeq.grading.suspicion import suspicions
from gradeq.model import Flag, Grade, Job, Submission
from gradeq.outcome import ErrorClass
from gradeq.providers.base import Answer, Prompt

MOST_CHARACTERS = 60_000
"""About 15,000 tokens of English, or 40 pages: above it a paper is more likely a mistake."""

_MOST_RUBRICS = 64
"""Kept ready by each grader."""


class LLMGrader:
    """Prepares papers for one model and reads its answers. Makes no call.

    `secret` is the database's own and must stay the same as long as stored answers are to be
    read. `max_characters` bounds the papers that are sent at all. With `pseudonyms` False the
    text is sent as it is, names included. `question` makes what is asked about a rubric's papers.
    """

    def __init__(
        self,
        *,
        model: str,
        secret: bytes,
        pseudonyms: bool = True,
        question: Callable[[Rubric, bytes], Question] = Question.of,
        max_characters: int = MOST_CHARACTERS,
        new_marker: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._model = model
        self._asked = lru_cache(_MOST_RUBRICS)(
            lambda rubric: (question(rubric, secret), Parrots(rubric))
        )
        self._pseudonyms = Pseudonyms(secret)
        self._redacts = pseudonyms
        self._max_characters = max_characters
        self._new_marker = new_marker

    def prepare(self, job: Job, rubric: Rubric) -> Prepared | Decided:
        """What to send for the job's paper, or why nothing is sent. ValueError without a paper."""
        if (submission := job.submission) is None:
            raise ValueError(f"job {job.id} has no submission to grade")
        if len(submission.text) > self._max_characters:
            return self._too_long(len(submission.text))
        sent = normalise(submission.text)
        if is_blank(sent):
            return Decided("the paper is blank", Flag.BLANK)
        return self._prepared(submission, sent, rubric)

    def read(self, answer: Answer, prepared: Prepared) -> Grade | Unusable:
        """The grade in `answer`, fresh or stored; Unusable where it was refused or cut, too."""
        if (stopped := stopped_early(answer, prepared)) is not None:
            return stopped
        read = read_reply(answer.text, prepared)
        return replace(read, model=answer.model) if isinstance(read, Grade) else read

    def _prepared(self, submission: Submission, sent: Mapped, rubric: Rubric) -> Prepared:
        question, parrots = self._asked(rubric)
        alias = self._pseudonyms.of(submission)
        if self._redacts:
            sent = redact(sent, submission, alias)
        marker = self._new_marker()
        prompt = question.about(sent.text, pseudonym=alias.pseudonym, marker=marker)
        return Prepared(
            prompt=prompt,
            request_key=self._request_key(prompt, marker),
            question=question,
            parrots=parrots,
            sent=sent,
            alias=alias,
            paper=submission.text,
            flags=suspicions(submission.text, sent.text, parrots),
        )

    def _too_long(self, length: int) -> Decided:
        return Decided(
            f"the paper has {length:,} characters, more than the {self._max_characters:,} that "
            "are sent to a model: grade it by hand, shorten it or raise the limit"
        )

    def _request_key(self, prompt: Prompt, marker: str) -> str:
        """Two requests with the same key ask the same: an answer to one answers the other."""
        user = prompt.user.replace(marker, "marker")
        asked = json.dumps([PROMPT_VERSION, self._model, prompt.system, user])
        return hashlib.sha256(asked.encode()).hexdigest()


def stopped_early(answer: Answer, prepared: Prepared) -> Unusable | None:
    """Of an answer that was refused or cut."""
    if answer.stop == "refusal":
        return Unusable("the model refused to grade this paper", ErrorClass.REFUSED)
    if answer.stop == "length":
        tokens = prepared.prompt.max_output_tokens
        return Unusable(f"the answer was cut at {tokens} tokens", ErrorClass.CUT)
    return None
