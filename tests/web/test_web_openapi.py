"""/openapi.json tells what there is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from web_kit import Service

from gradeq.web.endpoint import Endpoint
from gradeq.web.routes import ENDPOINTS


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for one in value.values():
            yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)


def _operation(description: dict[str, Any], endpoint: Endpoint) -> dict[str, Any]:
    path = endpoint.path.replace(":int}", "}")
    return dict(description["paths"][path][endpoint.method.lower()])


async def test_every_endpoint_is_described(resting: Service) -> None:
    description = await resting.get("/openapi.json")
    assert description["openapi"].startswith("3.1")
    described = sum(len(methods) for methods in description["paths"].values())
    assert described == len(ENDPOINTS)
    names = set()
    for endpoint in ENDPOINTS:
        operation = _operation(description, endpoint)
        names.add(operation["operationId"])
        assert operation["summary"]
        assert str(endpoint.status) in operation["responses"]
        told = operation["responses"]["default"]
        assert "application/problem+json" in told["content"]
        for code in endpoint.codes:
            assert code in told["description"]
        places = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert places == set(endpoint.places)
    assert len(names) == len(ENDPOINTS)


async def test_every_reference_leads_somewhere(resting: Service) -> None:
    description = await resting.get("/openapi.json")
    schemas = description["components"]["schemas"]
    found = set(_references(description))
    assert found
    for reference in found:
        assert reference.removeprefix("#/components/schemas/") in schemas
    assert set(schemas) == {one.removeprefix("#/components/schemas/") for one in found}


async def test_bodies_and_queries_tell_their_limits(resting: Service) -> None:
    description = await resting.get("/openapi.json")
    order = description["components"]["schemas"]["GradeOrder"]
    assert order["additionalProperties"] is False
    assert order["properties"]["priority"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 10,
        "default": 5,
    }
    listed = description["paths"]["/api/submissions"]["get"]["parameters"]
    limit = next(one for one in listed if one["name"] == "limit")
    assert (limit["schema"]["minimum"], limit["schema"]["maximum"]) == (1, 1000)
    rubric = description["paths"]["/api/courses/{course}/assignments/{assignment}/rubric"]["put"]
    assert set(rubric["requestBody"]["content"]) >= {"application/toml", "application/json"}
    bodies = {
        path: one.get("post", {}).get("requestBody") for path, one in description["paths"].items()
    }
    assert bodies["/api/submissions/release"]["required"] is True
    assert bodies["/api/batches/{batch_id}/pause"]["required"] is False
    badges = description["paths"]["/api/courses/{course}/assignments/{assignment}/badges"]["get"]
    shape = badges["responses"]["200"]["content"]["application/json"]["schema"]
    assert set(description["components"]["schemas"][shape["$ref"].rpartition("/")[2]]["properties"])
    assert "text/event-stream" in json.dumps(description["paths"]["/api/events"])
