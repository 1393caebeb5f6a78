"""A JSON schema in the words of OpenAPI 3.0, the older way to hold Gemini to one.

Source: Gemini API reference, "Schema": types in capitals, `nullable` instead of a type of its
own, and properties in alphabetical order unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KEPT = (
    "title", "description", "format", "enum", "required", "pattern", "minLength", "maxLength",
    "minimum", "maximum", "minItems", "maxItems",
)  # fmt: skip


def openapi_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` without what OpenAPI 3.0 has no word for (`additionalProperties`, `$ref` …)."""
    told = {word: schema[word] for word in _KEPT if word in schema}
    kind = schema.get("type") or ()
    kinds = [kind] if isinstance(kind, str) else list(kind)
    if "null" in kinds:
        kinds.remove("null")
        told["nullable"] = True
    if kinds:
        told["type"] = kinds[0].upper()
    if "items" in schema:
        told["items"] = openapi_schema(schema["items"])
    if "anyOf" in schema:
        told["anyOf"] = [openapi_schema(each) for each in schema["anyOf"]]
    if "properties" in schema:
        parts = schema["properties"]
        told["properties"] = {name: openapi_schema(part) for name, part in parts.items()}
        told["propertyOrdering"] = list(parts)
    return told
