"""No statement walks through a table that grows for ever."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping

import pytest

from gradeq.store.sql import load_queries

from .big_database import build, triggers_of

ROWS = 200_000
# What may be walked through: tables with a row per class, order, pool, person or call in hand, not
# per paper, and an index that holds no more than the work in hand.
SMALL = {"limiter_state", "assignments", "batches", "batch_rows", "reservations", "short_pools"}
SMALL |= {"people", "passes", "given_courses"}
BOUNDED = {"jobs_processing", "provider_batches_open"}
QUERIES = load_queries()
# They recount what triggers keep, so they read everything; they run only when asked for.
RECOUNTS = {name for name in QUERIES if name.startswith("check_")}

_SOURCE = re.compile(
    r"\b(?:FROM|JOIN|UPDATE(?:\s+OR\s+IGNORE)?|INTO)\s+(\w+)\b(?!\s*\()(?:\s+(?:AS\s+)?(\w+))?"
)
_WALK = re.compile(r"^(?:SCAN|BLOOM FILTER ON) (\w+)(?: USING (?:COVERING )?INDEX (\w+))?")


class Unset(dict[str, None]):
    """A value for every parameter there may be."""

    def __missing__(self, name: str) -> None:
        return None


@pytest.fixture(scope="module", params=[20_000, pytest.param(200_000, marks=pytest.mark.slow)])
def rows(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory, rows: int) -> Iterator[sqlite3.Connection]:
    conn = build(tmp_path_factory.mktemp("big") / "grades.db", rows, rows // 4)
    yield conn
    conn.close()


@pytest.fixture(scope="module", params=["as shipped", "after ANALYZE"])
def conn(big: sqlite3.Connection, request: pytest.FixtureRequest) -> sqlite3.Connection:
    if request.param == "after ANALYZE":
        big.execute("ANALYZE")
    return big


def plan(conn: sqlite3.Connection, statement: str) -> list[str]:
    values: Mapping[str, None] | list[None] = Unset()
    if ":" not in statement:
        values = [None] * statement.count("?")
    return [row["detail"] for row in conn.execute(f"EXPLAIN QUERY PLAN {statement}", values)]


def walks(conn: sqlite3.Connection, statement: str) -> list[str]:
    """The steps of its plan that go through the whole of a growing table."""
    tables = {alias or table: table for table, alias in _SOURCE.findall(statement)}
    found = []
    for step in plan(conn, statement):
        walked = _WALK.match(step)
        if walked is None or "VIRTUAL TABLE" in step or step == "SCAN CONSTANT ROW":
            found += [step] if "AUTOMATIC" in step else []
            continue
        name, index = walked.groups()
        if tables.get(name, name) not in SMALL and index not in BOUNDED:
            found.append(step)
    return found


def test_the_database_is_big(big: sqlite3.Connection, rows: int) -> None:
    for table in ("submissions", "jobs", "events", "papers"):
        assert big.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == rows
    for table in ("attempts", "grades", "answers"):
        assert big.execute(f"SELECT count(*) FROM {table}").fetchone()[0] > rows // 2


def test_a_full_scan_would_be_seen(conn: sqlite3.Connection) -> None:
    assert walks(conn, "SELECT count(*) FROM jobs j WHERE j.reason = :reason")
    assert walks(conn, "SELECT * FROM submissions ORDER BY updated_at")
    assert walks(conn, "UPDATE grades SET feedback = '' WHERE score = :score")
    assert walks(conn, QUERIES["check_statuses"])


def test_no_statement_scans(conn: sqlite3.Connection) -> None:
    assert len(QUERIES) > 80
    for name in QUERIES.keys() - RECOUNTS:
        assert walks(conn, QUERIES[name]) == [], name


def test_no_trigger_scans(conn: sqlite3.Connection) -> None:
    """They run for every row, and EXPLAIN leaves them out."""
    for name, sql in triggers_of(conn).items():
        for statement in trigger_statements(sql):
            assert walks(conn, statement) == [], f"{name}: {statement}"


def trigger_statements(sql: str) -> list[str]:
    """A trigger's statements, and its WHEN clause as one, with parameters for NEW and OLD."""
    head, body = re.split(r"\bBEGIN\b", sql, maxsplit=1)
    statements = [part.strip() for part in body.rsplit("END", 1)[0].split(";") if part.strip()]
    when = re.split(r"\bWHEN\b", head, maxsplit=1)[1:]
    statements += [f"SELECT {clause}" for clause in when]
    return [
        re.sub(r"RAISE\s*\(ABORT, '(?:[^']|'')*'\)", "1", re.sub(r"\b(NEW|OLD)\.", r":\1_", one))
        for one in statements
    ]


def test_a_claim_sorts_nothing(conn: sqlite3.Connection) -> None:
    """Its order is the index's: the next job is found without looking at the others."""
    for name in ("claim_tier", "claim_owner", "claim_batches", "claim_take"):
        assert not any("TEMP B-TREE" in step for step in plan(conn, QUERIES[name])), name


def test_lists_in_order_sort_nothing(conn: sqlite3.Connection) -> None:
    for name in ("submissions_ids", "submissions_ids_by_student"):
        # As Tx.ids asks for it.
        steps = plan(conn, f"SELECT json_group_array(id) FROM ({QUERIES[name]}\n)")
        assert not any("TEMP B-TREE" in step for step in steps), name


def test_lists_and_charts_open_no_grade(conn: sqlite3.Connection) -> None:
    """A grade's row is as long as what the model wrote."""
    for name in ("submissions_ids_by_score", "batch_scores", "obstacles"):
        seen = [step for step in plan(conn, QUERIES[name]) if re.search(r"\bg\b|grades", step)]
        assert seen, name
        assert all("COVERING INDEX" in step or "grades_looked_at" in step for step in seen), name
    for name in ("submissions_reviewed", "submissions_ids_doubtful"):
        assert re.search("grades_(looked_at|doubtful)", " ".join(plan(conn, QUERIES[name]))), name


def test_outcomes_find_their_jobs_by_id(conn: sqlite3.Connection) -> None:
    by_id = "USING INTEGER PRIMARY KEY (rowid=?)"
    for name in ("lease_renew", "leases_held", "jobs_complete", "jobs_fail", "jobs_return"):
        assert any(by_id in step for step in plan(conn, QUERIES[name])), name
