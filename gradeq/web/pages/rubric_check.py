"""What can be said of a rubric before it is saved: mistakes, warnings, and what would be sent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gradeq.errors import Mistake, RubricError
from gradeq.grading.llm import LLMGrader
from gradeq.grading.prepared import Decided
from gradeq.grading.rubric import Rubric, parse_rubric
from gradeq.grading.rubric_advice import CRITERION, INSTRUCTIONS, LEVEL, TITLE, Advice, Adviser
from gradeq.grading.rubric_lint import lint
from gradeq.model import GRADING, Job, Submission, SubmissionStatus
from gradeq.providers.tokens import guess_cost
from gradeq.web.visit import Visit
from gradeq.web.wording import Wording

FIRST, SHORT = "first", "short"
"""Which paper the preview is about."""

_COUNTED: Mapping[str | int, Sequence[str]] = {
    "criteria": ("rubric.criterion", "rubric.nth_level"),
    "examples": ("rubric.nth_example",),
    "key_points": ("rubric.nth_key_point",),
}
_HANDED_IN = (SubmissionStatus.SUBMITTED, SubmissionStatus.GRADED, SubmissionStatus.RELEASED)
_LOOKED_AT = 20


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning for the page; `field` is the id of the element that it is about, or empty."""

    rule: str
    field: str
    where: str
    what: str
    why: str
    instead: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A rubric's text, looked at. `rubric` is None where there are mistakes."""

    source: str
    rubric: Rubric | None
    mistakes: tuple[Mistake, ...] = ()
    warnings: tuple[Warned, ...] = ()

    @property
    def by_field(self) -> Mapping[str, Sequence[str]]:
        """The mistakes' texts by the id of their field; "" is the text as a whole."""
        told: dict[str, list[str]] = {}
        for one in self.mistakes:
            told.setdefault(field_of(one), []).append(one.text)
        return told


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be sent for a paper; `reason` says why nothing would be."""

    system: str = ""
    user: str = ""
    tokens: int = 0
    reason: str = ""


def place_of(words: Wording, mistake: Mistake) -> str:
    """Where a mistake stands, as people count: "Criterion 2, level 1: points"."""
    path = mistake.path
    if not path:
        return words.text("rubric.line", n=mistake.line)
    counts = [part + 1 for part in path if isinstance(part, int)]
    keys = _COUNTED.get(path[0], ())
    outer = [words.text(key, n=count) for key, count in zip(keys, counts, strict=False)]
    if isinstance(path[-1], int):
        return ", ".join(outer)
    named = words.texts["rubric"]["part"].get(path[-1], path[-1])
    return ": ".join([*filter(None, [", ".join(outer)]), named])


def field_of(mistake: Mistake) -> str:
    return ".".join(map(str, mistake.path))


def check(source: str, language: str) -> Checked:
    """`language` is that of the warnings. Mistakes are told as the reader of rubrics tells them."""
    try:
        rubric = parse_rubric(source, "rubric")
    except RubricError as error:
        return Checked(source, None, error.mistakes)
    adviser = Adviser.of(language)
    return Checked(
        source, rubric, warnings=tuple(_warned(rubric, adviser, one) for one in lint(rubric))
    )


def _warned(rubric: Rubric, adviser: Adviser, advice: Advice) -> Warned:
    told = adviser.told(advice)
    return Warned(
        advice.rule, _place(rubric, advice), told.where, told.what, told.why, told.instead
    )


def _place(rubric: Rubric, advice: Advice) -> str:
    if advice.where in (CRITERION, LEVEL):
        position = [one.id for one in rubric.criteria].index(advice.criterion)
        return f"criteria.{position}.id"
    return advice.where if advice.where in (TITLE, INSTRUCTIONS) else ""


async def preview(visit: Visit, rubric: Rubric, paper: Submission) -> Preview:
    """Made by the grader itself, so that it is what a model would be sent, to the letter."""
    engine = visit.site.engine
    secret = await visit.site.store.secret()
    grader = LLMGrader(model="", secret=secret, pseudonyms=engine.pseudonyms)
    job = Job(0, 0, GRADING, "", 1, paper)
    prepared = grader.prepare(job, rubric)
    if isinstance(prepared, Decided):
        return Preview(reason=prepared.reason)
    prompt = prepared.prompt
    return Preview(prompt.system, prompt.user, guess_cost(prompt).input_tokens)


async def first_paper(visit: Visit, course: str, assignment: str) -> Submission | None:
    """The oldest paper that was handed in, of those that are not blank if there are any."""
    oldest: list[Submission] = []
    for status in _HANDED_IN:
        oldest += await visit.site.store.submissions(course, assignment, status, limit=_LOOKED_AT)
    written = (one for one in oldest if one.text.strip())
    return next(written, oldest[0] if oldest else None)


def short_sample(course: str, assignment: str, text: str) -> Submission:
    """A paper that nobody wrote."""
    return Submission(
        id=0,
        external_id="sample",
        course=course,
        assignment=assignment,
        student="",
        text=text,
        text_sha256=hashlib.sha256(text.encode()).hexdigest(),
        extra={},
        status=SubmissionStatus.SUBMITTED,
        version=1,
        archived_at=None,
        released_at=None,
        released_by=None,
        created_at=0,
        updated_at=0,
    )
