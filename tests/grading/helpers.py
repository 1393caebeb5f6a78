"""A small rubric, papers for it and answers about them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from gradeq.grading.llm import LLMGrader
from gradeq.grading.prepared import Prepared
from gradeq.grading.rubric import Rubric, parse_rubric
from gradeq.limiter.base import Usage
from gradeq.model import Job, Submission, SubmissionStatus
from gradeq.providers.base import Answer

SOURCE = """\
title = "Plants"
question = "Why are most leaves green, and why do some turn red in autumn?"
floor = 0

[[criteria]]
id = "cause"
description = "Does the answer name chlorophyll as the reason for the green colour?"
levels = [
  { name = "explained", points = 3, description = "Chlorophyll is named and its role explained." },
  { name = "named", points = 1, description = "Chlorophyll is named." },
  { name = "missing", points = 0, description = "Neither." },
]

[[criteria]]
id = "example"
description = "Is there an example?"
points = 2

[[criteria]]
id = "off-topic"
description = "Is the answer about something else?"
points = -2
"""

MARKER = "0123456789abcdef0123456789abcdef"


def a_rubric() -> Rubric:
    return parse_rubric(SOURCE, "plants.toml")


def a_submission(
    text: str,
    *,
    student: str = "",
    external_id: str = "p1",
    extra: Mapping[str, str] | None = None,
) -> Submission:
    return Submission(
        id=1,
        external_id=external_id,
        course="c",
        assignment="a",
        student=student,
        text=text,
        text_sha256=hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
        extra=extra or {},
        status=SubmissionStatus.SUBMITTED,
        version=1,
        archived_at=None,
        released_at=None,
        released_by=None,
        created_at=0,
        updated_at=0,
    )


def a_job(submission: Submission | None) -> Job:
    return Job(1, 1, "grading", "llm", 1, submission)


def a_grader(**options: Any) -> LLMGrader:
    options = {"model": "model-1", "secret": b"secret", "new_marker": lambda: MARKER, **options}
    return LLMGrader(**options)


def prepared(text: str, *, rubric: Rubric | None = None, **submission: Any) -> Prepared:
    made = a_grader().prepare(a_job(a_submission(text, **submission)), rubric or a_rubric())
    assert isinstance(made, Prepared)
    return made


def a_reply(
    *,
    cause: str = "explained",
    example: str = "met",
    off_topic: str = "unmet",
    evidence: list[str] | None = None,
    feedback: str = "Well done.",
) -> dict[str, Any]:
    levels = {"cause": cause, "example": example, "off-topic": off_topic}
    criteria = {
        name: {"reason": f"About {name}.", "evidence": [], "level": level}
        for name, level in levels.items()
    }
    criteria["cause"]["evidence"] = evidence or []
    return {"criteria": criteria, "feedback": feedback}


def an_answer(reply: object, stop: str = "end") -> Answer:
    text = reply if isinstance(reply, str) else json.dumps(reply)
    return Answer(text, "{}", "model-1-2026", Usage(), stop)
