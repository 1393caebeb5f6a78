"""/openapi.json: made from the table of routes and the types in the endpoints' signatures."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from gradeq.web.endpoint import Endpoint
from gradeq.web.problems import MEDIA_TYPE, ProblemAnswer
from gradeq.web.rights import administrators

_REFERENCE = "#/components/schemas/{name}"
_CONVERTER = re.compile(r":\w+}")
_ALWAYS = ("unauthorized", "foreign_host", "internal_error", "store_error")
_WITH_QUERY = ("invalid_query",)
_WITH_BODY = (
    "foreign_site",
    "malformed_json",
    "invalid_body",
    "unsupported_media_type",
    "too_large",
    "cut_off",
)


def below(mount: str, description: Mapping[str, Any]) -> Mapping[str, Any]:
    """The description where the service is mounted; unmounted, its paths are right as they are."""
    return {**description, "servers": [{"url": quote(mount)}]} if mount else description


def describe(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """The whole description, ready for JSON."""
    kinds = list(_kinds(endpoints))
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    known = dict(zip(map(_key, kinds), schemas, strict=True))
    for query in {one.query for one in endpoints}:
        # A query is told parameter by parameter, so its own schema stands for nothing.
        known[_key(query)] = components.pop(query.__name__)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        path = _CONVERTER.sub("}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint, known)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gradeq",
            "version": version,
            "description": "A queue that grades student work with an LLM and leaves the release "
            "to a person. Times are wall milliseconds since 1970 UTC. Errors are "
            "application/problem+json with a stable `code`.",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, {}],
    }


def _kinds(endpoints: Iterable[Endpoint]) -> Iterator[Any]:
    """Every type that is described, each once."""
    seen = set()
    for kind in (ProblemAnswer, *(kind for one in endpoints for kind in _kinds_of(one))):
        if _key(kind) not in seen:
            seen.add(_key(kind))
            yield kind


def _kinds_of(endpoint: Endpoint) -> Iterator[Any]:
    yield endpoint.answers
    yield endpoint.query
    yield from endpoint.bodies.values()
    yield from (endpoint.hints[place] for place in endpoint.places)


def _key(kind: Any) -> str:
    return repr(kind)


def _operation(endpoint: Endpoint, known: Mapping[str, Any]) -> dict[str, Any]:
    summary, _, more = inspect.cleandoc(endpoint.run.__doc__ or "").partition("\n")
    operation: dict[str, Any] = {
        "operationId": f"{endpoint.run.__module__.rpartition('.')[2]}.{endpoint.run.__name__}",
        "summary": summary,
        "parameters": [*_path_parameters(endpoint, known), *_query_parameters(endpoint, known)],
        "responses": _responses(endpoint, known),
    }
    if more.strip():
        operation["description"] = more.strip()
    if endpoint.bodies:
        operation["requestBody"] = {
            "required": _needs_body(endpoint),
            "content": {
                media_type: {"schema": known[_key(kind)]}
                for media_type, kind in endpoint.bodies.items()
            },
        }
    return operation


def _needs_body(endpoint: Endpoint) -> bool:
    """False where every field of the body may be left out, and so the body itself."""
    kind = endpoint.hints["body"]
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return True
    return any(field.required for field in msgspec.structs.fields(kind))


def _path_parameters(endpoint: Endpoint, known: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": place,
            "in": "path",
            "required": True,
            "schema": known[_key(endpoint.hints[place])],
        }
        for place in endpoint.places
    ]


def _query_parameters(endpoint: Endpoint, known: Mapping[str, Any]) -> list[dict[str, Any]]:
    properties = known[_key(endpoint.query)]["properties"]
    return [{"name": name, "in": "query", "schema": value} for name, value in properties.items()]


def _responses(endpoint: Endpoint, known: Mapping[str, Any]) -> dict[str, Any]:
    content = {endpoint.media_type: {"schema": known[_key(endpoint.answers)]}}
    problem = {MEDIA_TYPE: {"schema": known[_key(ProblemAnswer)]}}
    codes = ", ".join(codes_of(endpoint))
    return {
        str(endpoint.status): {"description": "Done", "content": content},
        "default": {"description": f"A problem; `code` is one of {codes}", "content": problem},
    }


def codes_of(endpoint: Endpoint) -> list[str]:
    """Every code that a problem of this endpoint may carry."""
    return [
        *endpoint.codes,
        *(("invalid_path",) if endpoint.places else ()),
        *_WITH_QUERY,
        *(_WITH_BODY if endpoint.bodies else ()),
        *(("administrators_only",) if endpoint.rule is administrators else ()),
        *_ALWAYS,
    ]
