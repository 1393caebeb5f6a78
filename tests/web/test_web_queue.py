"""The queue, the totals, and whether the service is well."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import quote

from web_kit import ESSAY, Desk, Service, code, serving

from gradeq import Engine, ProviderSettings
from gradeq.errors import StoreError
from gradeq.providers.simulated import Simulator, SimulatorSettings


async def test_the_queue_tells_each_pool(service: Service, desk: Desk) -> None:
    ids = await service.add(*["hold"] * 7)
    await service.grade(submission_ids=ids, grader="desk")
    queue = await anext(one async for one in service.watched("/api/queue") if one["running"] == 5)
    by_name = {one["name"]: one for one in queue["pools"]}
    assert len(by_name) == 2
    pool = by_name["grader:desk"]
    assert (pool["limited_by"], pool["in_flight"], pool["concurrency"]) == ("concurrency", 5, 5)
    assert pool["last_minute"]["requests"] == 5
    assert (pool["wait_seconds"], pool["parked_reason"]) == (0.0, None)
    assert pool["backlog"] == {
        "pool": "grader:desk",
        "ready": 2,
        "waiting": 0,
        "processing": 5,
        "paused": 0,
        "overnight": 0,
    }
    desk.go.set()


async def test_a_parked_pool_has_no_end_of_its_wait(service: Service) -> None:
    """JSON has no infinity."""
    service.engine.pools["grader:desk"].park("the key was refused")
    pools = (await service.get("/api/queue"))["pools"]
    pool = next(one for one in pools if one["name"] == "grader:desk")
    assert (pool["limited_by"], pool["wait_seconds"]) == ("parked", None)
    assert pool["parked_reason"] == "the key was refused"
    ids = await service.add(ESSAY)
    ordered = await service.grade(submission_ids=ids, grader="desk")
    waiting = (await service.get(f"/api/jobs/{ordered['task_ids'][0]}"))["waiting"]
    assert (waiting["limited_by"], waiting["eta_seconds"]) == ("parked", None)
    assert waiting["parked_reason"] == "the key was refused"
    await service.client.post("/api/batches/1/resume")
    assert (await service.batch_ended(1))["completed"] == 1


async def test_a_parked_pool_is_resumed_by_a_short_name(service: Service) -> None:
    pool = next(one for one in service.engine.pools.values() if "sim" in one.setup.providers)
    by = {"by": "Anna"}
    for name in ("sim", pool.name, pool.name.partition(" ")[0]):
        pool.park("the key was refused")
        path = f"/api/queue/{quote(name, safe='')}/resume"
        answer = await service.client.post(path, json=by)
        assert answer.json() == {
            "pool": pool.name,
            "reason": "the key was refused",
            "batch_ids": [],
            "moved_to": None,
            "gate_opened": False,
        }
        assert pool.parked_reason is None
    unknown = await service.client.post("/api/queue/cellar/resume", json=by)
    assert code(unknown, 404) == "not_found"
    assert pool.name in unknown.json()["detail"]
    unclear = await service.client.post("/api/queue/e/resume", json=by)
    assert code(unclear, 409) == "conflict"


async def test_a_parking_and_its_end_are_events(service: Service) -> None:
    async with service.events() as events:
        service.engine.pools["grader:desk"].park("the desk is broken")
        parked = await anext(events)
        await service.client.post("/api/queue/desk/resume")
        resumed = await anext(events)
    assert (parked.event, resumed.event) == ("pool.parked", "pool.resumed")
    assert parked.data["data"]["reason"] == "the desk is broken"
    assert resumed.data["data"]["pool"] == "grader:desk"


async def test_each_pool_goes_at_its_own_limit(tmp_path: Path) -> None:
    """One provider has asked to wait for an hour, one knows no such key, one is well."""
    names = {"waits": {"fail": "429", "retry_after_seconds": 3600}, "refuses": {"fail": "401"}}
    async with AsyncExitStack() as stack:
        providers = []
        for name, settings in {**names, "works": {}}.items():
            simulator = Simulator(SimulatorSettings(**settings))
            await stack.enter_async_context(simulator)
            url = simulator.url
            providers.append(ProviderSettings(name, "simulated", f"m-{name}", base_url=url))
        engine = Engine(tmp_path / "g.db", providers=providers, grace_seconds=0.0)
        service = await stack.enter_async_context(serving(engine))
        await service.put_rubric()
        batches = {}
        for place, one in enumerate(providers):
            ids = await service.add(*[ESSAY] * 8, first=10 * place)
            batches[one.name] = await service.grade(submission_ids=ids, grader=f"llm:{one.name}")
        ended = await service.batch_ended(batches["works"]["batch_id"])
        assert ended["completed"] == 8
        queue = await anext(
            one
            async for one in service.watched("/api/queue")
            if [pool["limited_by"] for pool in one["pools"]].count("parked") == 1
        )
        pools = {one["providers"][0]: one for one in queue["pools"]}
    assert {name: one["limited_by"] for name, one in pools.items()} == {
        "waits": "retry_after",
        "refuses": "parked",
        "works": "nothing",
    }
    assert 3500 < pools["waits"]["wait_seconds"] <= 3601
    assert pools["waits"]["refused_last_hour"] == pools["waits"]["refused_total"] > 0
    assert "the provider asked to wait, 1 h 00 min left" in pools["waits"]["text"]
    assert pools["refuses"]["eta_seconds"] is pools["refuses"]["wait_seconds"] is None
    assert (pools["works"]["requests_total"], pools["works"]["refused_last_hour"]) == (8, 0)
    assert pools["works"]["eta_seconds"] == 0


async def test_stats_sum_everything(service: Service) -> None:
    await service.put_rubric()
    ids = await service.add(ESSAY, ESSAY)
    service.course = "chemistry"
    await service.add(ESSAY)
    await service.batch_ended((await service.grade(submission_ids=ids))["batch_id"])
    stats = await service.get("/api/stats")
    assert (stats["courses"], stats["assignments"]) == (2, 2)
    assert (stats["submissions"]["graded"], stats["submissions"]["submitted"]) == (2, 1)
    assert (stats["work"]["batches"], stats["work"]["completed"]) == (1, 2)
    assert stats["work"]["input_tokens"] > 0
    assert stats["events"] > 0


async def test_a_service_that_is_well(resting: Service) -> None:
    assert await resting.get("/healthz") == {"status": "ok"}
    assert await resting.get("/readyz") == {"status": "ready"}


async def test_results_that_cannot_be_saved_make_it_unready(resting: Service) -> None:
    resting.engine._worker.trouble = StoreError("grades.db: the disk is full")
    answer = await resting.client.get("/readyz")
    assert code(answer, 503) == "not_ready"
    assert "the disk is full" in answer.json()["detail"]
    assert answer.headers["retry-after"]
    assert (await resting.client.get("/healthz")).status_code == 200


async def test_a_stopped_engine_is_told_of(resting: Service) -> None:
    await resting.engine.stop()
    assert code(await resting.client.get("/readyz"), 503) == "not_ready"
    answer = await resting.client.get("/api/stats")
    assert code(answer, 503) == "store_error"
    assert answer.headers["retry-after"]
    assert (await resting.client.get("/healthz")).status_code == 200
