"""Reading a labelled file: papers, the questions they answer, and what people said of them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gradeq.errors import InputError
from gradeq.grading.documents import cell_text, read_papers
from gradeq.grading.tables import Problem, Record
from gradeq.model import NewSubmission

SCORE, LABEL = "score", "label"
"""What stands behind `human_` for the points of the whole, and for the level of the only criterion.

Everything else there is the id of a criterion.
"""

_HUMAN = re.compile(r"human([1-9]\d?)?_(.+)", re.DOTALL | re.IGNORECASE)
_PERSON = re.compile(r"human(?:[1-9]\d?)?", re.IGNORECASE)
_QUESTION = ("question_id", "question", "reference")
_NEEDED = (
    "no column holds a human judgement. Name at least one human_score (points), human_label (a "
    "level) or human_CRITERION; those of further people human2_score, human2_label, …"
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of human judgements: of which person (from 1), and of what."""

    name: str
    person: int
    about: str


@dataclass(frozen=True, slots=True)
class LabelledPaper:
    """A paper and its cells. The paper itself carries none of them: no grader can see one."""

    paper: NewSubmission
    record: Record
    question_id: str
    question: str
    reference: str
    cells: Mapping[str, str]

    @property
    def id(self) -> str:
        return self.paper.external_id


@dataclass(frozen=True, slots=True)
class Labelled:
    """A whole file. `fingerprint` is that of its papers and judgements, not of its layout."""

    name: str
    columns: tuple[Column, ...]
    papers: tuple[LabelledPaper, ...]

    @property
    def people(self) -> list[int]:
        return sorted({column.person for column in self.columns})

    @property
    def fingerprint(self) -> str:
        content = [
            [one.id, one.paper.text, one.question_id, sorted(one.cells.items())]
            for one in self.papers
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def about(self, question_id: str) -> Labelled:
        """The papers of one question. Raises InputError where there are none."""
        papers = tuple(one for one in self.papers if one.question_id == question_id)
        if not papers:
            known = ", ".join(dict.fromkeys(one.question_id for one in self.papers)) or "none"
            raise InputError(
                f"{self.name}: has no question {question_id!r}, so nothing was graded. Its "
                f"questions are: {known}"
            )
        return replace(self, papers=papers)

    def cells_about(self, *things: str) -> list[tuple[LabelledPaper, Column, str]]:
        """The cells with something in them, in the order of the file."""
        columns = [column for column in self.columns if column.about in things]
        return [
            (one, column, cell)
            for one in self.papers
            for column in columns
            if (cell := one.cells[column.name])
        ]


def read_labelled(path: Path) -> Labelled:
    """Raises InputError with every problem, each with file, row and column."""
    if path.is_dir():
        raise InputError(
            f"{path}: is a folder, so nothing was graded. What people said of each paper stands in "
            "a .csv or .jsonl file"
        )
    read = read_papers(path)
    problems = list(read.problems)
    valid = [
        replace(one, extra=dict(_flat(one, read.records[one.external_id]))) for one in read.valid
    ]
    names = dict.fromkeys(name for paper in valid for name in paper.extra)
    columns = tuple(filter(None, map(_column, names)))
    if valid and 1 not in {column.person for column in columns}:
        problems.append(Problem(path.name, 1, None, f"{_NEEDED}. Found: {_named(names)}"))
    if repeated := _repeated(columns):
        problems.append(Problem(path.name, 1, *repeated))
    papers = [_labelled(one, read.records[one.external_id], columns) for one in valid]
    if not problems:
        problems += _without_judgement(papers, columns)
    refuse(path.name, problems)
    return Labelled(path.name, columns, tuple(papers))


def refuse(file: str, problems: Sequence[Problem]) -> None:
    """Raises InputError where there are any."""
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems):,} problems"
        raise InputError(f"{file}: {count}, so nothing was graded.", tuple(map(str, problems)))


def spread(papers: Sequence[LabelledPaper], limit: int | None) -> list[LabelledPaper]:
    """At most `limit` papers: the first ones of each question in turn, in the file's order."""
    if limit is None:
        return list(papers)
    seen: dict[str, int] = {}
    turns = []
    for place, one in enumerate(papers):
        turn = seen.get(one.question_id, 0)
        seen[one.question_id] = turn + 1
        turns.append((turn, place))
    return [papers[place] for place in sorted(place for _, place in sorted(turns)[:limit])]


def _column(name: str) -> Column | None:
    found = _HUMAN.fullmatch(name.strip())
    if found is None:
        return None
    whole = {"level": LABEL, LABEL: LABEL, SCORE: SCORE}
    about = whole.get(found[2].lower(), found[2])
    return Column(name, int(found[1] or 1), about)


def _repeated(columns: Iterable[Column]) -> tuple[str, str] | None:
    seen: dict[tuple[int, str], str] = {}
    for column in columns:
        first = seen.setdefault((column.person, column.about), column.name)
        if first != column.name:
            return column.name, f"means the same as the column {first}; remove one of them"
    return None


def _labelled(paper: NewSubmission, record: Record, columns: Sequence[Column]) -> LabelledPaper:
    extra = paper.extra
    question = extra.get("question", "")
    return LabelledPaper(
        paper=replace(paper, extra={}),
        record=record,
        question_id=extra.get("question_id", "") or question,
        question=question,
        reference=extra.get("reference", ""),
        cells={column.name: extra.get(column.name, "") for column in columns},
    )


def _flat(paper: NewSubmission, record: Record) -> Iterator[tuple[str, str]]:
    """Its columns. In a .jsonl `"human": {"claim": "clear"}` says the same as `human_claim`."""
    for name, value in paper.extra.items():
        inside = record.values.get(name)
        if isinstance(inside, dict) and _PERSON.fullmatch(name):
            yield from (
                (f"{name}_{about}", cell_text(one).strip()) for about, one in inside.items()
            )
        else:
            yield name.lower() if name.lower() in _QUESTION else name, value.strip()


def _without_judgement(
    papers: Iterable[LabelledPaper], columns: Iterable[Column]
) -> Iterable[Problem]:
    firsts = [column.name for column in columns if column.person == 1]
    for one in papers:
        if not any(one.cells[name] for name in firsts):
            message = "is empty: fill it in, or take the row out"
            yield one.record.problem(" and ".join(firsts), message)


def _named(names: Iterable[str]) -> str:
    return ", ".join(("id", "text", *names))
