"""How a model is run here: threads, papers at once, context, and whether there is memory for it."""

from __future__ import annotations

from dataclasses import dataclass

from gradeq.config import ProviderSettings
from gradeq.errors import ConfigError
from gradeq.providers.local.machine import Machine
from gradeq.providers.local.model_file import ModelFile, told_bytes

CONTEXT_TOKENS = 8192
"""For each paper where nothing else is set: a rubric, some 15 pages, and the answer."""

MOST_SLOTS = 4
"""Papers at once where nothing else is set: each takes the memory of a whole context."""

_PROGRAM_BYTES = 64 * 1024 * 1024
_BATCH_TOKENS = 512
"""llama.cpp's `n_ubatch`: so many tokens' worth of results it has room for at once."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How the server is started. `context_tokens` is for each slot, a slot for each paper in
    work; `needed_bytes` is what all of it takes of memory, about."""

    threads: int
    slots: int
    context_tokens: int
    needed_bytes: int


def plan_for(settings: ProviderSettings, model: ModelFile, machine: Machine) -> Plan:
    """What the settings say, and for the rest what suits the machine.

    Raises ConfigError for a setting that cannot be, or where the memory does not suffice.
    """
    threads, slots, context = settings.threads, settings.slots, settings.context_tokens
    for key, value in (("threads", threads), ("slots", slots), ("context_tokens", context)):
        if value is not None and value < 1:
            raise ConfigError(f"Provider {settings.name!r}: {key} must be 1 or more, not {value}.")
    context = _context(settings, model)
    if slots is None:
        slots = min(MOST_SLOTS, machine.free_cores)
        while slots > 1 and _is_too_much(_needed(model, slots, context), machine):
            slots -= 1
    threads = min(threads or machine.free_cores, machine.cores)
    planned = Plan(threads, slots, context, _needed(model, slots, context))
    check_memory(planned, model, machine)
    return planned


def check_memory(planned: Plan, model: ModelFile, machine: Machine) -> None:
    """Raises ConfigError where loading would take more memory than there is."""
    if not _is_too_much(planned.needed_bytes, machine):
        return
    assert machine.free_bytes is not None
    papers = "1 paper" if planned.slots == 1 else f"{planned.slots} papers"
    raise ConfigError(
        f"Too little memory for {model.name}: it needs about {told_bytes(planned.needed_bytes)} "
        f"({told_bytes(model.size)} for the file, the rest for {papers} at once of "
        f"{planned.context_tokens:,} tokens), and {told_bytes(machine.free_bytes)} are free. The "
        "model was not loaded. Close other programs, lower context_tokens or slots, or take a "
        "smaller model."
    )


def _context(settings: ProviderSettings, model: ModelFile) -> int:
    most, wanted = model.context_tokens, settings.context_tokens
    if wanted is None:
        return min(CONTEXT_TOKENS, most or CONTEXT_TOKENS)
    if most and wanted > most:
        raise ConfigError(
            f"Provider {settings.name!r}: context_tokens is {wanted}, but {model.name} was made "
            f"to read {most} tokens. Nothing was started. Set {most} or less."
        )
    return wanted


def _needed(model: ModelFile, slots: int, context: int) -> int:
    results = _BATCH_TOKENS * model.vocabulary * 4
    return model.size + slots * context * model.per_token + results + _PROGRAM_BYTES


def _is_too_much(needed: int, machine: Machine) -> bool:
    return machine.free_bytes is not None and needed > machine.free_bytes
