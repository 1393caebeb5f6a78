"""What `gradeq doctor` found: one line each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `text` says what to do where something is wrong."""

    level: Level
    about: str
    text: str


def ok(about: str, text: str) -> Finding:
    return Finding(Level.OK, about, text)


def warning(about: str, text: str) -> Finding:
    return Finding(Level.WARNING, about, text)


def problem(about: str, text: str) -> Finding:
    return Finding(Level.PROBLEM, about, text)
