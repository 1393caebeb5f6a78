"""Which provider a command grades with: typed, configured, or none."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from gradeq.cli.options import ProviderOptions
from gradeq.config import Config, ProviderSettings
from gradeq.errors import ConfigError, NoPricesError, NoReferenceError
from gradeq.grading.provisional import unfit
from gradeq.grading.rubric import Rubric
from gradeq.model import LEXICAL_GRADER, is_blend
from gradeq.providers.build import KEY_VARIABLES, KINDS, LOCAL
from gradeq.providers.simulated.settings import DEFAULT_MODEL

SIMULATED = "simulated"
_LOCAL_SECONDS = 600.0
"""For one call to a model on this machine, which may be slow."""

_NONE = """no provider is configured, so nothing was graded. Name one:
  an API key    --provider anthropic --model MODEL   (key in ANTHROPIC_API_KEY)
                --provider openai --model MODEL      (key in OPENAI_API_KEY)
                --provider gemini --model MODEL      (key in GEMINI_API_KEY)
  a local model --provider local --model FILE.gguf   (gradeq runs it; gradeq[local])
                --base-url http://localhost:11434/v1 --model MODEL
                (Ollama, llama.cpp, vLLM: whatever speaks OpenAI's API)
  a file        gradeq.toml with a section [provider.NAME], or --config FILE
  no model      --grader lexical                     (provisional grades of short answers, by
                                                      the words of the rubric's reference)
                --provider simulated                 (made-up grades, to try gradeq)"""


def with_provider(config: Config, told: ProviderOptions) -> Config:
    """`config` with the provider that was typed, alone, if one was. Raises ConfigError."""
    if told == ProviderOptions():
        return config
    chosen = _overridden(_base(config, told), told)
    grading = replace(config.grading, default_provider=None)
    return replace(config, providers=(chosen,), grading=grading)


def default_provider(config: Config) -> ProviderSettings:
    """The one that grades. Raises ConfigError, naming the ways to get one, if there is none."""
    if not config.providers:
        raise ConfigError(_NONE + _hint())
    wanted = config.grading.default_provider
    return next((one for one in config.providers if one.name == wanted), config.providers[0])


def grader_of(config: Config, told: ProviderOptions, grader: str) -> str:
    """`grader`, with the name of the configured provider that was typed: what another process,
    with the same configuration, knows it by."""
    if told.provider is None or told != ProviderOptions(provider=told.provider):
        return grader
    if told.provider not in _names(config) or told.provider == default_provider(config).name:
        return grader
    return f"{grader}:{told.provider}"


def refuse_foreign(config: Config, told: ProviderOptions) -> None:
    """Raises ConfigError for what only this command line knows, where a daemon grades."""
    names = _names(config)
    if told.provider in (None, *names) and told == ProviderOptions(provider=told.provider):
        return
    known = f" ({', '.join(names)})" if names else ""
    raise ConfigError(
        "a gradeq daemon works on this database, with the providers of its own configuration; "
        f"nothing was queued. Name one of them by --provider NAME{known}, or leave out whatever "
        "tells of a provider"
    )


def _names(config: Config) -> list[str]:
    return [one.name for one in config.providers]


def refuse_provider(told: ProviderOptions, max_cost: float | None) -> None:
    """Raises ConfigError where something was typed that the lexical grader has no use for."""
    if told != ProviderOptions() or max_cost is not None:
        raise ConfigError(
            f"--grader {LEXICAL_GRADER} asks no model and costs nothing; nothing was graded. Leave "
            "out --max-cost and whatever names a provider, or leave out --grader"
        )


def refuse_unfit(grader: str, rubric: Rubric) -> None:
    """Raises NoReferenceError where a grader that compares words could grade nothing."""
    if (why := unfit(grader, rubric)) is not None:
        raise NoReferenceError(
            f"--grader {grader} cannot grade by {rubric.name}: {why}; nothing was graded. "
            "Give it a reference answer or key points, or grade with a model"
        )


def refuse_silent(grader: str, provider: ProviderSettings) -> None:
    """Raises ConfigError where the provider cannot tell what a blend is made of."""
    if is_blend(grader) and not provider.tells_chances:
        raise ConfigError(
            f"--grader {grader} needs the probabilities of the model's tokens (logprobs), and "
            f"providers of the kind {provider.kind!r} return none; nothing was graded. Use a model "
            "on this machine (--provider local --model FILE.gguf), a server that speaks OpenAI's "
            "API and returns logprobs (--base-url URL --model M), or another grader"
        )


def is_priced(provider: ProviderSettings) -> bool:
    return provider.price_input > 0 or provider.price_output > 0


def refuse_unpriced(provider: ProviderSettings, max_cost: float | None) -> None:
    """Raises NoPricesError where --max-cost could never hold anything."""
    if max_cost is not None and not is_priced(provider):
        raise NoPricesError(
            f"--max-cost needs prices, and {provider.name!r} has none; nothing was started. Add "
            "--price-input and --price-output (per million tokens), or set them in gradeq.toml"
        )


def _hint() -> str:
    found = [
        (variable, kind)
        for kind, variables in KEY_VARIABLES.items()
        for variable in variables
        if os.environ.get(variable)
    ]
    return "".join(f"\n{variable} is set: add --provider {kind}" for variable, kind in found)


def _base(config: Config, told: ProviderOptions) -> ProviderSettings:
    """What the options change: a configured provider, or a new one of the kind that was typed."""
    known = {one.name: one for one in config.providers}
    if told.provider in known:
        return known[told.provider]
    if told.provider is not None:
        return _new(told.provider, told)
    if config.providers:
        return default_provider(config)
    if told.base_url is not None:
        return _new("openai", told)
    raise ConfigError(_NONE + _hint())


def _new(kind: str, told: ProviderOptions) -> ProviderSettings:
    if kind not in KINDS:
        raise ConfigError(
            f"there is no provider {kind!r}; nothing was graded. --provider is one of "
            f"{', '.join(KINDS)}, or the NAME of a section [provider.NAME] in gradeq.toml"
        )
    if told.model is None and kind != SIMULATED:
        raise ConfigError(
            f"--provider {kind} needs --model: which of its models shall grade? Nothing was graded"
            if told.provider
            else "--base-url needs --model: the name the server knows its model by. "
            "Nothing was graded"
        )
    made = ProviderSettings(name=kind, kind=kind, model=told.model or DEFAULT_MODEL)
    return replace(made, timeout_seconds=_LOCAL_SECONDS) if kind == LOCAL else made


def _overridden(base: ProviderSettings, told: ProviderOptions) -> ProviderSettings:
    values: dict[str, Any] = {
        "model": told.model,
        "base_url": told.base_url,
        "api_key_env": told.api_key_env,
        "concurrency": told.concurrency,
        "requests_per_minute": told.rpm,
        "input_tokens_per_minute": told.itpm,
        "output_tokens_per_minute": told.otpm,
        "price_input": told.price_input,
        "price_output": told.price_output,
    }
    return replace(base, **{name: value for name, value in values.items() if value is not None})
