"""Probabilities and words together: through the real queue, over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from engine_kit import WatchedStore
from school import School, Tap, school, simulator

from gradeq import NewSubmission
from gradeq.errors import ConflictError, NoReferenceError, NotFoundError
from gradeq.model import Flag, GradeSource
from gradeq.providers.simulated import Simulator

RUBRIC = """
question = "One mineral is brown and one is black. How do you find out which is harder?"
reference = "The harder mineral leaves a scratch on the softer one."
[[criteria]]
id = "scratch"
description = "Does it say that the harder one scratches the other?"
levels = [
  { name = "full", points = 2 },
  { name = "partly", points = 1 },
  { name = "not", points = 0 },
]
[[criteria]]
id = "tried"
description = "Does it say what to do?"
points = 1
"""
GOOD = "Rub them: the harder one will leave a scratch in the softer."
BAD = "I would look at them for a long time."
ENVIRON = {"KEY": "k"}
OPENAI = {"kind": "openai", "api_key_env": "KEY", "price_input": 1.0, "price_output": 2.0}


@asynccontextmanager
async def blending(
    folder: Path, *, provider: dict[str, Any] | None = None, store: Any = None, **settings: Any
) -> AsyncIterator[School]:
    async with simulator(**settings) as sim, _at(folder, sim, provider, store) as opened:
        yield opened


def _at(folder: Path, sim: Simulator, provider: dict[str, Any] | None, store: Any) -> Any:
    options = {} if store is None else {"store": store}
    chosen = OPENAI if provider is None else provider
    return school(folder / "g.db", sim, rubric=RUBRIC, provider=chosen, environ=ENVIRON, **options)


def papers(*texts: str) -> list[NewSubmission]:
    return [NewSubmission(f"p{n}", text) for n, text in enumerate(texts)]


async def test_a_class_is_blended_with_one_call_for_each_paper(tmp_path: Path) -> None:
    async with simulator() as sim:
        tap = Tap(sim.port)
        async with tap.open() as url, _at(tmp_path, sim, {**OPENAI, "base_url": url}, None) as at:
            assert set(at.engine.graders) >= {"llm", "blend", "blend:school"}
            found = await at.graded(papers(GOOD, BAD, "  ", "word " * 300), grader="blend")
            good, bad, blank, long = (found[f"p{n}"] for n in range(4))
            [row] = await at.engine.store.grades(good.submission_id)
            [attempt] = await at.engine.store.attempts_at(good.submission_id)
            assert await at.engine.store.check() == []
    assert (row.source, row.grader, row.grade.model) == (GradeSource.MODEL, "blend", "marker-1")
    assert row.grade.flags == (Flag.PROVISIONAL,)
    assert 0 < row.grade.confidence < 1
    assert good.grade.score > bad.grade.score
    assert attempt.cost > 0
    for criterion in good.grade.criteria:
        assert "The model marker-1 finds probable:" in criterion.reason
        assert all(GOOD[one.start : one.end] == one.quote for one in criterion.evidence)
    assert blank.reason == "the paper is blank"
    assert "300 words" in long.reason
    assert len(tap.bodies) == 2
    for body in tap.bodies:
        assert (body["logprobs"], body["top_logprobs"], body["temperature"]) == (True, 20, 0)
        asked = body["response_format"]["json_schema"]["schema"]["properties"]
        assert asked["scratch"]["enum"] == ["3", "2", "1"]


async def test_the_same_seed_gives_the_same_grades(tmp_path: Path) -> None:
    told = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        async with blending(tmp_path / name, seed=seed) as at:
            found = await at.graded(papers(GOOD), grader="blend")
            told.append(found["p0"].grade.criteria[0].reason)
    assert told[0] == told[1] != told[2]


async def test_a_server_without_probabilities_fails_the_paper_with_the_reason(
    tmp_path: Path,
) -> None:
    async with blending(tmp_path, logprobs=False) as at:
        found = await at.graded(papers(GOOD), grader="blend:school")
        [attempt] = await at.engine.store.attempts_at(found["p0"].submission_id)
        assert await at.engine.store.check() == []
    assert found["p0"].status == "ungraded"
    assert "marker-1 does not tell how probable its tokens were" in found["p0"].reason
    assert attempt.cost > 0, "it was answered, and so it was paid for"


@pytest.mark.parametrize("fault", ["garbage", "schema", "refusal", "cut"])
async def test_a_bad_answer_is_asked_for_again_as_of_any_model(tmp_path: Path, fault: str) -> None:
    async with blending(tmp_path, fail=f"{fault}:1.0") as at:
        found = await at.graded(papers(GOOD), grader="blend")
        assert found["p0"].status == "ungraded"
        assert len(await at.engine.store.attempts_at(found["p0"].submission_id)) == 3


async def test_a_crash_after_the_answer_was_stored_costs_no_second_call(tmp_path: Path) -> None:
    async with simulator() as sim:
        store = WatchedStore(tmp_path / "g.db")
        stored = asyncio.Event()

        async def dies() -> None:
            store.dead = True
            stored.set()

        store.after_answer = dies
        async with _at(tmp_path, sim, None, store) as at:
            batch = await at.submit(papers(GOOD), grader="blend")
            await stored.wait()
        async with _at(tmp_path, sim, None, None) as at:
            [result] = [one async for one in at.engine.results(batch.id)]
        assert result.status == "graded"
        assert "finds probable" in result.grade.criteria[0].reason
        assert sim.stats.requests == 1


async def test_without_a_reference_or_overnight_nothing_is_queued(tmp_path: Path) -> None:
    async with blending(tmp_path, provider={**OPENAI, "batch_api": True}) as at:
        assert at.engine.about("llm").share_overnight is not None
        assert at.engine.about("blend").share_overnight is None
        assert at.engine.about("blend").is_provisional
        assert not at.engine.about("llm").is_provisional
        with pytest.raises(ConflictError, match="batch API"):
            await at.submit(papers(GOOD), grader="blend", when="overnight")
        bare = await at.engine.rubrics.put(RUBRIC.replace("reference", "instructions"), "b.toml")
        with pytest.raises(NoReferenceError, match=r"'blend' cannot.*nothing was queued"):
            await at.submit(papers(GOOD), grader="blend", rubric_id=bare)


async def test_where_no_probabilities_can_come_there_is_no_such_grader(tmp_path: Path) -> None:
    for kind in ("simulated", "anthropic", "gemini"):
        provider = {"kind": kind, "api_key_env": "KEY"} if kind != "simulated" else {"kind": kind}
        async with (
            simulator() as sim,
            school(tmp_path / f"{kind}.db", sim, provider=provider, environ={"KEY": "k"}) as at,
        ):
            assert not any(one.startswith("blend") for one in at.engine.graders)
            with pytest.raises(NotFoundError, match="no grader 'blend' here"):
                await at.submit(papers(GOOD), grader="blend")
