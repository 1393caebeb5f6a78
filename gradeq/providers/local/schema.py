"""A schema that small models can come to an end with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LONGEST_TEXT = 300
"""Characters. Two sentences; a model of this size that writes more only repeats itself."""

MOST_ITEMS = 2


def bounded(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` with a bound on every free text and list.

    llama.cpp turns the schema into a grammar that the answer cannot leave, so a model that would
    never stop is stopped where a text may end. Providers behind a key refuse such bounds.
    """
    made = {key: _bounded(value) for key, value in schema.items()}
    if made.get("type") == "string" and "enum" not in made and "const" not in made:
        made.setdefault("maxLength", LONGEST_TEXT)
    if made.get("type") == "array":
        made.setdefault("maxItems", MOST_ITEMS)
    return made


def _bounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return bounded(value)
    return [_bounded(one) for one in value] if isinstance(value, list | tuple) else value
