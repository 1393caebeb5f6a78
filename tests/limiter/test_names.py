from __future__ import annotations

import pytest

from gradeq.errors import ConflictError, NotFoundError
from gradeq.limiter.names import KnownPool, find_pool

SONNET = KnownPool("api.anthropic.com/v1 1a2b3c4d claude-sonnet-4", ("claude",))
HAIKU = KnownPool("api.anthropic.com/v1 1a2b3c4d claude-haiku-4", ("small", "cheap"))
SCHOOL = KnownPool("llm.school.example/v1 no-key qwen2.5-14b", ("school",))
DESK = KnownPool("grader:desk")
ALL = (SONNET, HAIKU, SCHOOL, DESK)


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        (SONNET.name, SONNET),
        ("claude", SONNET),
        ("CHEAP", HAIKU),
        (" school ", SCHOOL),
        ("haiku", HAIKU),
        ("llm.school", SCHOOL),
        ("desk", DESK),
    ],
)
def test_a_pool_is_meant_by_its_name_its_provider_s_or_a_part(
    wanted: str, meant: KnownPool
) -> None:
    assert find_pool(wanted, ALL) == meant


@pytest.mark.parametrize("wanted", ["gemini", "", "  "])
def test_what_fits_none_is_told_with_what_there_is(wanted: str) -> None:
    with pytest.raises(NotFoundError, match="grader:desk"):
        find_pool(wanted, ALL)


def test_what_fits_several_changes_nothing() -> None:
    with pytest.raises(ConflictError, match="2 pools; nothing was changed") as error:
        find_pool("anthropic", ALL)
    assert SONNET.name in str(error.value)
    assert HAIKU.name in str(error.value)


def test_of_several_the_parked_one_is_meant() -> None:
    parked = KnownPool("api.anthropic.com/v1 99999999 claude-sonnet-4", ("claude",), is_parked=True)
    assert find_pool("claude", (*ALL, parked)) == parked
    assert find_pool("anthropic", (*ALL, parked)) == parked


def test_then_the_one_of_this_process() -> None:
    live = KnownPool("api.anthropic.com/v1 99999999 claude-sonnet-4", ("claude",), is_live=True)
    assert find_pool("claude", (*ALL, live)) == live
