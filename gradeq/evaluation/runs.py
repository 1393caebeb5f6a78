"""A run: what people and one grader said of the papers of one file. Kept as .jsonl."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from gradeq.errors import ConfigError
from gradeq.evaluation.people import Judgements, Measure

FORM = 1
"""Of the file; raised with every change that an older reader would misread."""


@dataclass(frozen=True, slots=True)
class Header:
    """Which papers, by whom. `fingerprint` is that of the whole labelled file.

    `spent_seconds` is what this run took by the clock, `model` None for a grader without one.
    """

    gradeq_evaluation: int
    file: str
    fingerprint: str
    grader: str
    model: str | None
    simulated: bool
    rubric: str
    measures: tuple[Measure, ...]
    spent_seconds: float = 0.0
    left_out: int = 0
    """Papers of the file that --limit left out."""
    currency: str = "USD"
    """Of the papers' costs."""

    @property
    def headline(self) -> Measure:
        return self.measures[0]

    @property
    def name(self) -> str:
        return self.grader if self.model is None else f"{self.grader} ({self.model})"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One paper. `people` by their number, from 1; `grader` is empty where it is ungraded.

    `confidence` is the grader's own, from 0 to 1, where it tells one. `words` and `overlap` are
    what the baselines go by; `seconds` is the time of its calls together.
    """

    id: str
    question: str
    people: Mapping[int, Judgements]
    grader: Judgements = field(default_factory=dict)
    reason: str | None = None
    flags: tuple[str, ...] = ()
    confidence: float | None = None
    words: int = 0
    overlap: float | None = None
    cost: float = 0.0
    seconds: float = 0.0

    @property
    def is_graded(self) -> bool:
        return self.reason is None


@dataclass(frozen=True, slots=True)
class Run:
    """All of it, in the order of the file."""

    header: Header
    outcomes: tuple[Outcome, ...]

    @property
    def headline(self) -> Measure:
        return self.header.headline

    @property
    def people(self) -> list[int]:
        return sorted({person for one in self.outcomes for person in one.people})

    @property
    def questions(self) -> list[str]:
        return list(dict.fromkeys(one.question for one in self.outcomes))


def save_run(run: Run, path: Path) -> None:
    """The header, then one line a paper. Raises ConfigError where it cannot be written."""
    lines = [msgspec.json.encode(one) for one in (run.header, *run.outcomes)]
    try:
        path.write_bytes(b"\n".join(lines) + b"\n")
    except OSError as error:
        raise ConfigError(
            f"{path}: the run could not be written ({error.strerror or error}); its grades are "
            "safe in the database. Run the same command again with another --out"
        ) from error


def load_run(path: Path) -> Run:
    """Raises ConfigError where it is no run."""
    try:
        first, *rest = path.read_bytes().splitlines() or [b""]
        header = msgspec.json.decode(first, type=Header)
        if header.gradeq_evaluation != FORM:
            raise msgspec.ValidationError(f"its form is {header.gradeq_evaluation}, not {FORM}")
        return Run(header, tuple(msgspec.json.decode(line, type=Outcome) for line in rest))
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror or error}. --against takes what --out of an earlier "
            "'gradeq evaluate' wrote; nothing was graded"
        ) from error
    except msgspec.MsgspecError as error:
        raise ConfigError(
            f"{path}: is no run of gradeq evaluate ({error}). --against takes what --out of an "
            "earlier one wrote; nothing was graded"
        ) from error
