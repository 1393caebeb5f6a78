"""An endpoint: a method, a path and a coroutine, whose annotations say what it takes and gives.

`async def show(site: Site, job_id: Id) -> JobAnswer` takes `job_id` from the path, a parameter
`query` from the query string, `body` from the body, `person` who asks, and `request` where it needs
the whole.
The same annotations make the description in /openapi.json.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, get_type_hints

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gradeq.web.bodies import Named, Nothing
from gradeq.web.intake import BODY_LIMIT, JSON, Reader, converted, json_reader, read_raw
from gradeq.web.paths import part
from gradeq.web.people import Person, person_of
from gradeq.web.problems import Flaw, Problem, problem_of
from gradeq.web.rights import Rule, administrators
from gradeq.web.site import Site

Run = Callable[..., Awaitable[Any]]
_PLACES = re.compile(r"{(\w+)(?::\w+)?}")


@dataclass(frozen=True)
class Endpoint:
    """One row of the table of routes.

    `read` replaces the reading of a JSON body, then `consumes` describes what it reads by media
    type. `answer` describes what `run` answers where it builds its own response, of `media_type`.
    `codes` are the problems beyond those of every request. `rule` says who may ask for it.
    """

    method: str
    path: str
    run: Run
    status: int = 200
    limit: int = BODY_LIMIT
    read: Reader | None = None
    consumes: Mapping[str, Any] = field(default_factory=dict)
    answer: Any = None
    media_type: str = JSON
    codes: tuple[str, ...] = ()
    rule: Rule = administrators

    @cached_property
    def hints(self) -> Mapping[str, Any]:
        return get_type_hints(self.run, include_extras=True)

    @property
    def places(self) -> list[str]:
        """The names in the path."""
        return _PLACES.findall(self.path)

    @property
    def query(self) -> Any:
        """What the query string may hold."""
        return self.hints.get("query", Nothing)

    @property
    def bodies(self) -> Mapping[str, Any]:
        """What the body may be, by media type; empty where there is none."""
        if self.consumes or "body" not in self.hints:
            return self.consumes
        return {JSON: self.hints["body"]}

    @property
    def answers(self) -> Any:
        """The type of a good answer."""
        return self.answer or self.hints["return"]

    async def respond(self, site: Site, request: Request) -> Response:
        """Answer, or tell the problem: nothing that happens here reaches the server."""
        try:
            person = person_of(request)
            given = await self._arguments(request, person)
            await self.rule(site, person, given)
            answer = await self.run(site, **given)
        except Exception as error:
            return problem_of(error, request).response()
        return answer if isinstance(answer, Response) else as_json(answer, self.status)

    async def _arguments(self, request: Request, person: Person) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for name in self.places:
            text = part(str(request.path_params[name]))
            given[name] = converted("path", text, self.hints[name], f"$.{name}")
        query = converted("query", dict(request.query_params), self.query)
        if "query" in self.hints:
            given["query"] = query
        if "body" in self.hints:
            read = self.read or json_reader(self.hints["body"])
            given["body"] = _named(read(await read_raw(request, self.limit)), person)
        if "person" in self.hints:
            given["person"] = person
        if "request" in self.hints:
            given["request"] = request
        return given


def _named(body: Any, person: Person) -> Any:
    """`body` in the name of who asks: of whoever signed in, else of whom it tells itself."""
    if not isinstance(body, Named):
        return body
    if person.is_signed_in:
        return msgspec.structs.replace(body, by=person.name)
    if not body.by:
        missing = "Object missing required field `by`"
        raise Problem(422, "invalid_body", f"{missing} (at body $)", problems=[Flaw("$", missing)])
    return body


def as_json(answer: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Student data: nobody between here and the client keeps a copy."""
    return Response(
        msgspec.json.encode(answer),
        status,
        headers={"Cache-Control": "no-store", **(headers or {})},
        media_type=JSON,
    )
