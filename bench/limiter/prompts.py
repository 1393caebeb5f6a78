"""The papers of the runs over HTTP, and the question about each as gradeq would put it."""

from __future__ import annotations

from pathlib import Path
from random import Random

from gradeq import NewSubmission
from gradeq.grading.llm import LLMGrader
from gradeq.grading.prepared import Prepared
from gradeq.grading.rubric import parse_rubric
from gradeq.model import Job, Submission, SubmissionStatus
from gradeq.providers.base import Prompt

MODEL = "bench-model"
RUBRIC = (Path(__file__).parents[2] / "examples" / "class" / "rubric.toml").read_text("utf-8")
_SENTENCES = (
    "Schools should start later because teenagers sleep badly. ",
    "For example, a study in Seattle gave pupils trackers and found half an hour more sleep. ",
    "Some people say that the buses are the problem, and that parents must be at work. ",
    "In my class nobody says a word before nine. ",
    "A later bell would cost money, but so do accidents on dark roads in the morning. ",
)


def texts(count: int, seed: int, *, long_share: float = 0.2) -> list[str]:
    """Essays of 150 to 500 words; a share of them is four times as long."""
    rng = Random(seed)

    def one(number: int) -> str:
        sentences = rng.randint(10, 32) * (4 if rng.random() < long_share else 1)
        said = "".join(rng.choice(_SENTENCES) for _ in range(sentences))
        return f"{'So' if rng.random() < 0.5 else 'I think that it is so'}, number {number}. {said}"

    return [one(number) for number in range(count)]


def submissions(texts: list[str]) -> list[NewSubmission]:
    return [NewSubmission(str(number), text) for number, text in enumerate(texts)]


def prompts(texts: list[str]) -> list[Prompt]:
    """What gradeq would send for these papers."""
    rubric = parse_rubric(RUBRIC, "bench")
    grader = LLMGrader(model=MODEL, secret=b"0" * 32)
    prepared = [grader.prepare(_job(n, text), rubric) for n, text in enumerate(texts)]
    return [one.prompt for one in prepared if isinstance(one, Prepared)]


def _job(number: int, text: str) -> Job:
    status = SubmissionStatus.SUBMITTED
    submission = Submission(
        number, str(number), "c", "a", "", text, "", {}, status, 1, None, None, None, 0, 0
    )
    return Job(number, 1, "grading", "llm", 1, submission, 1)
