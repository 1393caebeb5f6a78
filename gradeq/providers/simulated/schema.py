"""Small questions about JSON schemas: what providers insist on, and where a $ref leads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]


def is_open(schema: Schema) -> bool:
    """True where an object in `schema` lacks `additionalProperties: false`."""
    return any(each.get("additionalProperties") is not False for each in _objects(schema))


def has_optional_properties(schema: Schema) -> bool:
    """True where an object in `schema` does not require all of its properties."""
    return any(set(_named(each)) - set(each.get("required") or ()) for each in _objects(schema))


def follow(schema: Schema, root: Schema) -> Schema:
    """What `$ref` (a JSON pointer into `root`) stands for; `schema` itself without one."""
    pointer = schema.get("$ref")
    if not isinstance(pointer, str):
        return schema
    target: Any = root
    for step in pointer.removeprefix("#").strip("/").split("/"):
        key = step.replace("~1", "/").replace("~0", "~")
        target = target.get(key, {}) if key and isinstance(target, Mapping) else target
    return target if isinstance(target, Mapping) else {}


def kind_of(schema: Schema) -> str:
    """The type to fill: the first of several that is not null; guessed where none is given."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def branches(schema: Schema) -> list[Schema]:
    """The alternatives of anyOf or oneOf, those that are more than null first."""
    found = schema.get("anyOf") or schema.get("oneOf") or []
    return sorted(found, key=lambda branch: branch.get("type") == "null")


def _objects(schema: Schema) -> Iterator[Schema]:
    if "properties" in schema or schema.get("type") == "object":
        yield schema
    for child in _children(schema):
        yield from _objects(child)


def _children(schema: Schema) -> Iterator[Schema]:
    yield from _named(schema).values()
    for word in ("$defs", "definitions"):
        yield from (schema.get(word) or {}).values()
    for word in ("anyOf", "oneOf", "allOf"):
        yield from schema.get(word) or []
    if isinstance(schema.get("items"), Mapping):
        yield schema["items"]


def _named(schema: Schema) -> dict[str, Schema]:
    return dict(schema.get("properties") or {})
