"""Threads, papers at once and memory, for the machine that there is."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from local_kit import settings

from gradeq.errors import ConfigError
from gradeq.limiter.base import Limits
from gradeq.providers.local.assembled import for_slots
from gradeq.providers.local.machine import Machine, this_machine
from gradeq.providers.local.model_file import ModelFile
from gradeq.providers.local.schema import LONGEST_TEXT, MOST_ITEMS, bounded
from gradeq.providers.local.sizing import CONTEXT_TOKENS, MOST_SLOTS, plan_for

GB = 1_000_000_000
MODEL = ModelFile(Path("m.gguf"), "key", 1 * GB, 32_768, 100_000, 0)
ROOMY = Machine(cores=8, free_cores=8, free_bytes=64 * GB)


def plan(machine: Machine = ROOMY, model: ModelFile = MODEL, **told: int):
    return plan_for(settings("m.gguf", **told), model, machine)


@pytest.mark.parametrize(("free", "slots"), [(1, 1), (2, 2), (8, MOST_SLOTS)])
def test_as_many_threads_as_cores_are_free_and_a_few_papers_at_once(free: int, slots: int):
    planned = plan(replace(ROOMY, free_cores=free))
    assert (planned.threads, planned.slots) == (free, slots)


def test_no_more_threads_than_cores_whatever_is_set():
    assert plan(replace(ROOMY, cores=2), threads=16).threads == 2


def test_a_model_that_reads_little_is_given_no_more_than_that():
    assert plan().context_tokens == CONTEXT_TOKENS
    assert plan(model=replace(MODEL, context_tokens=2048)).context_tokens == 2048
    assert plan(context_tokens=20_000).context_tokens == 20_000
    with pytest.raises(ConfigError, match="made to read 2048 tokens"):
        plan(model=replace(MODEL, context_tokens=2048), context_tokens=4096)


@pytest.mark.parametrize("key", ["threads", "slots", "context_tokens"])
def test_nothing_below_one_is_taken(key: str):
    with pytest.raises(ConfigError, match=f"{key} must be 1 or more, not 0"):
        plan(**{key: 0})


def test_with_little_memory_fewer_papers_are_in_work_at_once():
    each = CONTEXT_TOKENS * MODEL.per_token
    assert plan(replace(ROOMY, free_bytes=int(1.2 * GB) + 2 * each)).slots == 2
    assert plan(replace(ROOMY, free_bytes=int(1.2 * GB) + each)).slots == 1


def test_too_little_memory_is_told_with_both_figures_and_nothing_is_loaded():
    with pytest.raises(ConfigError) as refused:
        plan(replace(ROOMY, free_bytes=1 * GB))
    said = str(refused.value)
    assert "Too little memory for m: it needs about 1.9 GB (1.0 GB for the file" in said
    assert "and 1.0 GB are free. The model was not loaded." in said


def test_papers_at_once_that_were_set_are_not_made_fewer():
    with pytest.raises(ConfigError, match="for 4 papers at once"):
        plan(replace(ROOMY, free_bytes=3 * GB), slots=4)


def test_where_the_system_does_not_tell_its_memory_it_is_tried():
    assert plan(replace(ROOMY, free_bytes=None)).slots == MOST_SLOTS


def test_this_machine_has_a_free_core_however_busy_it_is(monkeypatch: pytest.MonkeyPatch):
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("the system does not say which cores a process may use")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    for load, free in ((0.0, 4), (2.0, 3), (4.0, 2), (30.0, 1)):
        monkeypatch.setattr(os, "getloadavg", lambda load=load: (load, 0.0, 0.0))
        assert this_machine().free_cores == free
        assert this_machine().cores == 4
    assert this_machine().free_bytes > 0


def test_no_more_calls_are_made_than_papers_can_be_in_work():
    assert for_slots(Limits(concurrency=5), 2).concurrency == 2
    assert for_slots(Limits(concurrency=1), 2).concurrency == 1
    auto = for_slots(Limits(concurrency=5, auto=True, max_concurrency=256), 3)
    assert (auto.auto, auto.concurrency, auto.max_concurrency) == (True, 3, 3)


def test_free_texts_and_lists_are_bounded_and_nothing_else():
    schema = {
        "type": "object",
        "properties": {
            "type": {"type": "string"},
            "level": {"type": "string", "enum": ["a", "b"]},
            "quotes": {"type": "array", "items": {"type": "string", "maxLength": 10}},
            "points": {"type": "integer", "minimum": 0, "maximum": 3},
        },
        "required": ["type", "level"],
    }
    made = bounded(schema)
    assert made == {
        "type": "object",
        "properties": {
            "type": {"type": "string", "maxLength": LONGEST_TEXT},
            "level": {"type": "string", "enum": ["a", "b"]},
            "quotes": {
                "type": "array",
                "items": {"type": "string", "maxLength": 10},
                "maxItems": MOST_ITEMS,
            },
            "points": {"type": "integer", "minimum": 0, "maximum": 3},
        },
        "required": ["type", "level"],
    }
