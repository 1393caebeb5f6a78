"""What an engine makes of its settings and of what an earlier one left."""

from __future__ import annotations

import pytest
from engine_kit import (
    papers,
    states,
    until,
    with_desk,
)

from gradeq import ConflictError, Engine
from gradeq.config import Config, ProviderSettings, StoreSettings
from gradeq.errors import ConfigError


async def test_an_engine_from_a_configuration_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gradeq.toml").write_text(
        '[store]\nurl = "sqlite:///class.db"\n'
        '[provider.first]\nkind = "simulated"\nmodel = "m1"\n'
        '[provider.second]\nkind = "simulated"\nmodel = "m2"\n'
        '[grading]\ndefault_provider = "second"\n'
    )
    async with Engine.from_config("gradeq.toml") as engine:
        assert set(engine.graders) == {"llm", "llm:first", "llm:second", "lexical"}
        assert len(engine.pools) == 2
    assert (tmp_path / "class.db").exists()


async def test_an_engine_from_a_config_object(tmp_path):
    settings = ProviderSettings(name="demo", kind="simulated", model="m")
    config = Config(
        store=StoreSettings(url=f"sqlite:///{tmp_path / 'g.db'}"), providers=(settings,)
    )
    engine = Engine.from_config(config, work=False)
    async with engine:
        assert set(engine.graders) == {"llm", "llm:demo", "lexical"}
    with pytest.raises(ConflictError):
        await engine.run()


async def test_a_pool_state_that_cannot_be_read_does_not_stop_the_engine(tmp_path, engine, desk):
    async with engine:
        await engine.store.save_pool("grader:desk", {"at_ms": "yesterday"})
    async with with_desk(tmp_path, desk) as later:
        batch = await later.submit(papers(1), grader="desk")
        await desk.finish_all(1)
        await until(later, lambda: _over(later, batch.id))


async def _over(engine: Engine, batch_id: int) -> bool:
    return await states(engine, batch_id) == {"completed": 1}


def test_two_providers_of_one_name_are_refused(tmp_path):
    twice = [ProviderSettings(name="a", kind="simulated", model=model) for model in ("m", "n")]
    with pytest.raises(ConfigError, match="two providers are named 'a'; give each its own name"):
        Engine(tmp_path / "g.db", providers=twice)


def test_a_default_that_is_not_there_is_told_beside_what_is(tmp_path):
    one = ProviderSettings(name="a", kind="simulated", model="m")
    with pytest.raises(ConfigError, match="default_provider is 'b', but the providers are: a"):
        Engine(tmp_path / "g.db", providers=[one], default_provider="b")
