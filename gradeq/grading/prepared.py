"""What the way of a paper through grading leaves: prepared, decided without a call, or unusable."""

from __future__ import annotations

from dataclasses import dataclass

from gradeq.grading.evidence import Parrots
from gradeq.grading.mapped import Mapped
from gradeq.grading.prompt import Question
from gradeq.model import Flag
from gradeq.outcome import ErrorClass
from gradeq.providers.base import Prompt


@dataclass(frozen=True, slots=True)
class Alias:
    """The name that a paper goes by outside, and the one that is put back."""

    pseudonym: str
    name: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A paper ready to be asked about, and all that is needed to read the answer.

    Everything but the fence's marker in `prompt.user` follows from the submission, the rubric and
    the grader's settings: prepared anew in another process, it reads a stored answer just as well.
    """

    prompt: Prompt
    request_key: str
    """SHA-256 of what is asked (model, prompt version, system and user part without the marker)."""
    question: Question
    parrots: Parrots
    sent: Mapped
    alias: Alias
    paper: str
    """The text as it was handed in; `sent` leads back to it."""
    flags: frozenset[Flag] = frozenset()


@dataclass(frozen=True, slots=True)
class Decided:
    """No call is made: the paper stays ungraded, for this reason. To be settled as rejected."""

    reason: str
    flag: Flag | None = None


@dataclass(frozen=True, slots=True)
class Unusable:
    """An answer that is no grade, and why. `error` is `unusable`, `refused` or `cut`."""

    reason: str
    error: ErrorClass = ErrorClass.UNUSABLE
