"""The providers' own clients, loaded where a test first uses them: that takes seconds of each."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Later:
    """A module that is imported when something in it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # pytest asks everything in a test file what it is
            raise AttributeError(name)
        return getattr(import_module(self._name), name)


anthropic = Later("anthropic")
openai = Later("openai")
genai = Later("google.genai")
genai_errors = Later("google.genai.errors")
genai_types = Later("google.genai.types")
