"""A big school's database, built in seconds: no triggers while it is filled."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from gradeq.store.sql import load_schema
from gradeq.store.sqlite.connect import SCHEMA_VERSION

NOW = 1_790_000_000_000
RUBRIC = """\
title = "Should school start later?"
[[criteria]]
id = "claim"
description = "Is there a clear claim?"
levels = [
  { name = "clear", points = 3, description = "One sentence says what the paper argues for" },
  { name = "vague", points = 1, description = "It can be guessed" },
  { name = "none", points = 0 },
]
[[criteria]]
id = "evidence"
description = "Is the claim supported by facts or sources?"
points = 2
"""
_QUOTE = "School should start later because teenagers sleep late."
_TEXT = f"{_QUOTE} This is paper %d. " + " ".join(
    f"A study of {n} classes found that those who slept {n % 7 + 3} more minutes wrote more."
    for n in range(17)
)
_CRITERIA = json.dumps(
    [
        {
            "id": name,
            "level": level,
            "points": points,
            "reason": "The first sentence says it, the others return to it.",
            "evidence": [{"quote": _QUOTE, "start": 0, "end": len(_QUOTE), "verified": True}],
        }
        for name, level, points in (("claim", "clear", 3.0), ("evidence", "met", 2.0))
    ]
)


@dataclass(frozen=True, slots=True)
class School:
    """How many papers there are: in one large and one middle assignment, and in `others`."""

    large: int = 30_000
    middle: int = 5_000
    others: int = 130
    small: int = 500

    @property
    def papers(self) -> int:
        return self.large + self.middle + self.others * self.small


def build(path: Path, school: School) -> None:
    """A new database at `path`. Papers have ids from 1, those of the large assignment first; an
    assignment's order has the id of the assignment, a job that of its paper."""
    values = {
        "papers": school.papers,
        "large": school.large,
        "middle": school.middle,
        "small": school.small,
        "rubric": RUBRIC,
        "text": _TEXT,
        "criteria": _CRITERIA,
        "now": NOW,
    }
    conn = sqlite3.connect(path, isolation_level=None)
    try:
        conn.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        conn.executescript(f"BEGIN; {load_schema()}; PRAGMA user_version = {SCHEMA_VERSION};")
        triggers = triggers_of(conn)
        for name in triggers:
            conn.execute(f"DROP TRIGGER {name}")
        for statement in Path(__file__).with_name("fill.sql").read_text("utf-8").split(";\n"):
            if statement.strip():
                conn.execute(statement, values)
        for sql in triggers.values():
            conn.execute(sql)
        conn.execute("COMMIT")
    finally:
        conn.close()


def triggers_of(conn: sqlite3.Connection) -> dict[str, str]:
    """How each trigger is made, by name."""
    return dict(conn.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"))
