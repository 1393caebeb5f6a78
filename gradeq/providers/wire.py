"""JSON on its way to a provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gradeq.providers.base import Prompt


def schema_in_words(prompt: Prompt) -> str:
    """For models that cannot be held to a schema: the schema as part of what they are told."""
    schema = to_json(prompt.schema).decode()
    return f"Answer with one JSON object that fits this JSON schema, and nothing else:\n{schema}"


def to_json(body: Mapping[str, Any]) -> bytes:
    """`body` as JSON. Half a surrogate pair, as broken files hold it, becomes a question mark."""
    try:
        return msgspec.json.encode(body, enc_hook=_plain)
    except UnicodeEncodeError:
        return msgspec.json.encode(_sendable(body), enc_hook=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _sendable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_sendable(key): _sendable(item) for key, item in value.items()}
    return [_sendable(item) for item in value] if isinstance(value, list | tuple) else value
