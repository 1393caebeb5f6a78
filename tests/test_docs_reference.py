"""The documents say what is so: tables, columns, events, error classes, names of the library."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from docs_kit import (
    CODE,
    DOCS,
    ROOT,
    explanation,
    first_codes,
    prose,
    reference,
    rows,
    section,
    text_of,
)

import gradeq
from gradeq.errors import GradeqError
from gradeq.evaluation.bootstrap import LEAST_PAPERS, LEAST_QUESTIONS, RESAMPLES
from gradeq.grading.documents import MOST_PAPER_BYTES
from gradeq.grading.llm import MOST_CHARACTERS
from gradeq.limiter.base import LimitedBy, Limits
from gradeq.limiter.learned import LEAST_HEADROOM_SECONDS
from gradeq.limiter.pool import PARK_AFTER
from gradeq.model import BatchStatus, Flag, JobState, SubmissionStatus
from gradeq.outcome import CONSEQUENCES, MAX_ATTEMPTS, MAX_INTERRUPTIONS, ErrorClass
from gradeq.overnight.posting import _MOST_BYTES, _MOST_ENTRIES
from gradeq.overnight.times import FALLBACK_SECONDS, LONGEST_LOOK_SECONDS
from gradeq.providers.build import AUTO_STARTS_WITH
from gradeq.results import Result
from gradeq.store.base import Work
from gradeq.store.sql import load_migrations, load_schema
from gradeq.store.sqlite import PAUSE_AFTER
from gradeq.store.sqlite.writer import _GATHERING_SECONDS, _MOST_AT_ONCE
from gradeq.upkeep import _KEPT_EVENTS, LOOK_SECONDS
from gradeq.web import bodies
from gradeq.web.api_papers import IMPORT_LIMIT, MOST_PAPERS
from gradeq.web.feed import MOST_STREAMS
from gradeq.web.intake import BODY_LIMIT
from gradeq.web.pages.queue import FAILED_BATCHES
from gradeq.web.routes import ENDPOINTS
from gradeq.web.stuck import IDLE_SECONDS, TIMES_TOO_LONG
from gradeq.worker import LEASE_SECONDS

# The schema -------------------------------------------------------------------------------------


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:")
    made.executescript(load_schema())
    yield made
    made.close()


def objects(database: sqlite3.Connection, kind: str) -> list[str]:
    found = database.execute("SELECT name FROM sqlite_schema WHERE type = ?", (kind,))
    return sorted(row[0] for row in found)


def test_every_table_and_column_is_described_and_no_other(database: sqlite3.Connection) -> None:
    page = reference("schema")
    tables = objects(database, "table")
    assert sorted(re.findall(r"^## ([a-z_]+)$", page, re.MULTILINE)) == tables
    for table in tables:
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        assert first_codes(section(page, f"## {table}")) == columns, table


def test_every_trigger_is_described_and_no_other(database: sqlite3.Connection) -> None:
    told = first_codes(section(reference("schema"), "## Triggers"))
    assert sorted(told) == objects(database, "trigger")


def test_the_words_of_the_schema_are_described() -> None:
    page = reference("schema")
    assert set(first_codes(section(page, "## View batch_status"))) == set(BatchStatus)
    assert f"version {1 + len(load_migrations())}," in page
    for word in (*SubmissionStatus, *JobState):
        assert f"`{word}`" in page
        assert f"`{word}`" in text_of(DOCS / "glossary.md")


# Events -----------------------------------------------------------------------------------------


def kinds_told_by_hand() -> set[str]:
    """The texts that the store gives to `tell`; triggers make the others from states."""
    kinds = set()
    for file in (ROOT / "gradeq" / "store" / "sqlite").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "tell":
                kinds.add(ast.literal_eval(node.args[1]))
    return kinds


def test_every_event_is_described_and_no_other() -> None:
    # A batch is told of when it starts, pauses, resumes or ends: never as a draft or archived.
    batch = {f"batch.{one}" for one in BatchStatus} - {"batch.draft", "batch.archived"}
    submission = {
        f"submission.{one}" for one in (*SubmissionStatus, "unreleased", "archived", "unarchived")
    }
    pool = set(re.findall(r"'(pool\.\w+)'", load_schema()))
    assert len(pool) == 2
    kinds = kinds_told_by_hand() | batch | submission | pool | {f"job.{one}" for one in JobState}
    assert set(first_codes(section(reference("events"), "## Kinds"))) == kinds


def test_as_many_events_are_kept_as_told() -> None:
    assert f"{_KEPT_EVENTS:,}" in reference("events")
    assert f"{_KEPT_EVENTS:,}" in reference("schema")


# Failures, results, limits ----------------------------------------------------------------------


def yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def test_the_table_of_failures_is_the_one_in_the_code() -> None:
    header, *table = rows(explanation("failures").split("## The columns")[0])
    assert header == ["class", "retried", "counter", "pool", "wait", "mendable", "budget"]
    assert [name.strip("`") for name, *_ in table] == list(ErrorClass)
    for name, *told in table:
        row = CONSEQUENCES[ErrorClass(name.strip("`"))]
        budget = "–" if row.budget_seconds is None else f"{row.budget_seconds / 60:g} min"
        words = [yes(row.retried), row.counter, row.pool, row.wait, yes(row.mendable), budget]
        assert told == words, name


def test_every_class_and_every_word_of_that_table_is_explained() -> None:
    page = explanation("failures")
    assert set(first_codes(section(page, "## The classes"))) == set(ErrorClass)
    explained = set(first_codes(section(page, "## The columns")))
    for row in CONSEQUENCES.values():
        assert {row.counter.value, row.pool.value, row.wait.value} <= explained
    assert f"{len(ErrorClass)} error classes" in page
    assert f"| `interruption` | {MAX_INTERRUPTIONS} |" in page
    assert f"`max_attempts`, {MAX_ATTEMPTS} unless" in page


def test_every_field_and_flag_of_a_result_is_described() -> None:
    page = reference("results")
    names = list(Result(id="", status="").row())
    assert first_codes(page)[: len(names)] == names
    assert first_codes(section(page, "## Flags")) == list(Flag)


def test_every_limit_is_described() -> None:
    told = section(explanation("limits"), "## What can hold a call back")
    described = {code for row in rows(told) for code in CODE.findall(row[0])}
    assert described - {"limited_by"} == set(LimitedBy) - {LimitedBy.NOTHING}


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("explanation/leases.md", f"an expiry {LEASE_SECONDS:g} seconds ahead"),
        ("explanation/leases.md", f"Every {LEASE_SECONDS / 3:g} seconds one statement"),
        ("explanation/leases.md", f"Bounded by {MAX_INTERRUPTIONS}."),
        ("explanation/store.md", f"for {1000 * _GATHERING_SECONDS:g} ms after it"),
        ("explanation/store.md", f"up to {_MOST_AT_ONCE} pieces"),
        ("explanation/limits.md", f"{LEAST_HEADROOM_SECONDS:g} s of each rate"),
        ("explanation/limits.md", f"stands still after {PARK_AFTER} in a row"),
        ("explanation/limits.md", f"read again every {LOOK_SECONDS:g} seconds"),
        ("how-to/resume-a-parked-pool.md", f"read again every {LOOK_SECONDS:g} seconds"),
        ("how-to/choose-limits.md", f"`max_concurrency` ({Limits().max_concurrency})"),
        ("how-to/choose-limits.md", f"starts with {AUTO_STARTS_WITH}"),
        ("explanation/failures.md", f"After {PAUSE_AFTER} such failures in a row"),
        ("explanation/decisions.md", f"{Limits().concurrency} calls in flight for each pool"),
        ("how-to/grade-overnight.md", f"{FALLBACK_SECONDS / 3600:g} hours after the order"),
        ("explanation/overnight.md", f"at most {_MOST_ENTRIES:,} of them"),
        ("explanation/overnight.md", f"or {_MOST_BYTES >> 20} MiB"),
        ("explanation/overnight.md", f"up to every {LONGEST_LOOK_SECONDS / 60:g} minutes"),
        ("troubleshooting.md", f"more than the {MOST_CHARACTERS:,}"),
        ("reference/http.md", f"a list of up to {MOST_PAPERS:,}, at most {IMPORT_LIMIT >> 20} MiB"),
        ("reference/http.md", f"larger than {BODY_LIMIT >> 20} MiB"),
        ("how-to/add-papers.md", f"a text file {MOST_PAPER_BYTES // 1_000_000} MB"),
        ("how-to/add-papers.md", f"a table {MOST_PAPERS:,} papers"),
        ("reference/http.md", f"{MOST_STREAMS} streams may be open"),
        ("how-to/watch-what-runs.md", f"more than {TIMES_TOO_LONG} times the timeout"),
        ("how-to/watch-what-runs.md", f"for {IDLE_SECONDS} seconds although"),
        ("explanation/agreement.md", f"with replacement, {RESAMPLES:,} times"),
        ("explanation/agreement.md", f"With {LEAST_QUESTIONS} questions or more"),
        ("explanation/agreement.md", f"Under {LEAST_PAPERS} papers there is none"),
        ("how-to/watch-what-runs.md", f"newest {FAILED_BATCHES} batches"),
    ],
)
def test_numbers_are_as_told(page: str, told: str) -> None:
    assert told in " ".join(text_of(DOCS / page).split())


# Python -----------------------------------------------------------------------------------------


def test_every_public_name_is_described() -> None:
    page = prose(reference("python"))
    missing = [name for name in gradeq.__all__ if not re.search(rf"`{name}\b", page)]
    assert not missing


def test_every_method_of_the_engine_is_described_and_no_other() -> None:
    public = {name for name in dir(gradeq.Engine) if not name.startswith("_")}
    page = prose(reference("python"))
    assert set(re.findall(r"`(?:await |@)?(?:engine|Engine)\.(\w+)", page)) >= public
    assert set(re.findall(r"\b(?:engine|Engine)\.(\w+)", page)) <= public


@pytest.mark.parametrize(
    ("heading", "function"),
    [("## `Engine`", gradeq.Engine.__init__), ("## Work", gradeq.Engine.submit)],
)
def test_every_parameter_is_described_and_no_other(heading: str, function: Any) -> None:
    told = first_codes(section(reference("python"), heading))
    parameters = list(inspect.signature(function).parameters)[1:]
    assert [one for one in told if one.isidentifier()] == parameters


def every_error() -> Iterator[type[GradeqError]]:
    for module in pkgutil.walk_packages(gradeq.__path__, "gradeq."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    waiting: list[type[GradeqError]] = [GradeqError]
    while waiting:
        error = waiting.pop()
        waiting += error.__subclasses__()
        if error.__module__.startswith("gradeq."):
            yield error


def test_every_error_is_described_and_no_other() -> None:
    table = rows(section(reference("python"), "## Errors"))[1:]
    told = {name.strip("`"): code.strip("`") for name, code, _ in table}
    assert told == {error.__name__: error.code for error in every_error()}


def test_the_store_is_split_as_told() -> None:
    assert len([name for name in vars(Work) if not name.startswith("_")]) == 10
    assert "A dispatcher and its workers need ten methods" in explanation("decisions")


# HTTP -------------------------------------------------------------------------------------------


def test_every_route_is_described_and_no_other() -> None:
    told = {
        code for row in rows(reference("http")) for code in CODE.findall(row[0]) if " /" in code
    }
    routes = {f"{one.method} {re.sub(r':int', '', one.path)}" for one in ENDPOINTS}
    assert told == routes | {"GET /", "GET /openapi.json"}


def test_every_field_that_a_request_may_have_is_described() -> None:
    codes = {word for code in CODE.findall(reference("http")) for word in re.findall(r"\w+", code)}
    structs = [one for one in vars(bodies).values() if getattr(one, "__struct_fields__", None)]
    assert len(structs) > 10
    for struct in structs:
        assert set(struct.__struct_fields__) <= codes, struct.__name__


def codes_raised() -> set[str]:
    """The codes that gradeq.web writes down; f"invalid_{where}" stands for four."""
    found = {f"invalid_{where}" for where in ("body", "query", "path", "header")}
    for file in (ROOT / "gradeq" / "web").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = {"Problem": 1, "wrong": 0}.get(node.func.id)
                if place is not None and isinstance(node.args[place], ast.Constant):
                    found.add(node.args[place].value)
    return found


def test_every_code_of_a_problem_is_described_and_no_other() -> None:
    told = set(first_codes(section(reference("http"), "## Problems")))
    declared = {code for one in ENDPOINTS for code in one.codes}
    inside = {"never_fits"}  # a job's reason, never an answer
    errors = {error.code for error in every_error()} - inside
    assert told == codes_raised() | declared | errors | {
        "no_such_path",
        "method_not_allowed",
        "refused",
    }
