"""gradeq.toml and its variables: what is taken, and what is refused in which words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gradeq import Engine
from gradeq.clock import ManualClock
from gradeq.config import ProviderSettings, parse_config
from gradeq.errors import ConfigError
from gradeq.limiter.base import Limits
from gradeq.providers.build import build_provider


def provider(environ: Mapping[str, str] | None = None, **keys: Any) -> ProviderSettings:
    section = {"kind": "openai", "model": "m", **keys}
    config = parse_config({"provider": {"own": section}}, environ or {}, "gradeq.toml")
    return config.providers[0]


@pytest.mark.parametrize(("told", "taken"), [(7, 7), ("12", 12), ("auto", "auto")])
def test_a_concurrency_is_a_number_or_auto(told: object, taken: object) -> None:
    assert provider(concurrency=told).concurrency == taken
    assert provider({"GRADEQ_PROVIDER_OWN_CONCURRENCY": str(told)}).concurrency == taken


@pytest.mark.parametrize("told", ["fast", "AUTO", "", 2.5, True, [5]])
def test_nothing_else_is_a_concurrency(told: object) -> None:
    with pytest.raises(ConfigError, match=r'concurrency must be a whole number or "auto", not'):
        provider(concurrency=told)


@pytest.mark.parametrize("key", ["concurrency", "max_concurrency"])
def test_fewer_calls_than_one_are_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=rf"{key} must be 1 or more, not 0"):
        provider(**{key: 0})


def test_the_cap_of_auto_is_a_number() -> None:
    assert provider({"GRADEQ_PROVIDER_OWN_MAX_CONCURRENCY": "40"}).max_concurrency == 40
    with pytest.raises(ConfigError, match="max_concurrency must be a whole number, not 'auto'"):
        provider(max_concurrency="auto")


async def limits_of(**keys: Any) -> Limits:
    settings = ProviderSettings("own", "openai", "m", "http://127.0.0.1:9", **keys)
    built = build_provider(settings, ManualClock(), {})
    await built.aclose()
    return built.limits


async def test_auto_starts_small_and_has_a_cap() -> None:
    auto = await limits_of(concurrency="auto")
    assert (auto.concurrency, auto.auto, auto.max_concurrency) == (5, True, 256)
    low = await limits_of(concurrency="auto", max_concurrency=3)
    assert (low.concurrency, low.auto, low.max_concurrency) == (3, True, 3)
    fixed = await limits_of(concurrency=300)
    assert (fixed.concurrency, fixed.auto) == (300, False)


@pytest.mark.parametrize("told", ["fast", 0, 2.5, None])
async def test_settings_made_in_code_are_checked_too(told: Any) -> None:
    with pytest.raises(ConfigError, match=r'a whole number, 1 or more, or "auto"'):
        await limits_of(concurrency=told)


def test_a_currency_is_a_code_of_three_letters() -> None:
    assert parse_config({}, {}, "gradeq.toml").grading.currency == "USD"
    told = parse_config({}, {"GRADEQ_GRADING_CURRENCY": "EUR"}, "gradeq.toml")
    assert Engine.from_config(told).currency == "EUR"
    for wrong in ("eur", "€", "EURO", ""):
        with pytest.raises(ConfigError, match="currency must be a code of three letters"):
            parse_config({"grading": {"currency": wrong}}, {}, "gradeq.toml")
        with pytest.raises(ConfigError, match="currency must be a code of three letters"):
            Engine(currency=wrong)


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("GRADEQ_SERVER_PROT", "GRADEQ_SERVER_PORT"),
        ("GRADEQ_GRADING_PSEUDONYM", "GRADEQ_GRADING_PSEUDONYMS"),
        ("GRADEQ_PROVIDER_OWN_CONCURENCY", "GRADEQ_PROVIDER_OWN_CONCURRENCY"),
    ],
)
def test_a_misspelt_variable_is_told_and_not_ignored(variable: str, nearest: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown key '{variable}'; did you mean '{nearest}'"):
        provider({variable: "no"})


def test_variables_that_hold_secrets_or_belong_to_sections_elsewhere_are_left_alone() -> None:
    variables = {
        "GRADEQ_TOKEN": "t",
        "GRADEQ_PROVIDER_OWN_SECRET": "k",
        "GRADEQ_PROVIDER_ELSEWHERE_MODEL": "m",
    }
    assert provider(variables, api_key_env="GRADEQ_PROVIDER_OWN_SECRET").name == "own"
