"""One request for a page: who asks, in which language, and how it is answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gradeq.web.cookies import remember
from gradeq.web.files import files_version
from gradeq.web.intake import check_length
from gradeq.web.notices import SEAL, TOLD, Notices
from gradeq.web.paths import inner_path, mount_path, part
from gradeq.web.people import NOBODY, Person, cleaned_name, person_of, remember_name
from gradeq.web.problems import Problem, problem_of
from gradeq.web.signing import Signing
from gradeq.web.site import Site
from gradeq.web.wording import LANGUAGE_COOKIE, Languages, Wording

_TEMPLATES = Path(__file__).parent / "templates"
_A_YEAR = 365 * 24 * 3600
_FORM_BYTES = 4 << 20


class Views:
    """The templates, the languages and the way to sign in: what all pages of one application share.

    `signing` is None where the application around this one tells who its users are.
    """

    def __init__(self, signing: Signing | None, currency: str) -> None:
        self.signing = signing
        self.languages = Languages(currency)
        self.files_version = files_version()
        self.notices = Notices()
        self.templates = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )


@dataclass(frozen=True)
class Visit:
    """What a page is given. Paths in methods are parts that belong together, not yet quoted."""

    site: Site
    views: Views
    request: Request
    person: Person
    words: Wording

    def part(self, name: str) -> str:
        """A part of the path, decoded."""
        return part(str(self.request.path_params[name]))

    @property
    def section(self) -> str:
        """Which entry of the navigation this page belongs to; a paper belongs to its course."""
        first = inner_path(self.request.scope).split("/")[1]
        return first if first in ("batches", "queue", "people", "sign-in") else "courses"

    def query(self, name: str, default: str = "") -> str:
        return self.request.query_params.get(name, default)

    async def form(self, limit: int = _FORM_BYTES) -> FormData:
        """What a form sent, at most `limit` bytes. Its fields are text; files come as uploads.

        Raises a Problem for what is larger, of unknown length or no form.
        """
        known = self.read_form
        if known is None:
            check_length(self.request, limit)
            try:
                known = await self.request.form(max_fields=20_000)
            except HTTPException as error:
                why = f"the form cannot be read: {error.detail}"
                raise Problem(400, "malformed_form", why) from None
            self.request.state.form = known
        return known

    @property
    def read_form(self) -> FormData | None:
        """The form, where it was read already."""
        return getattr(self.request.state, "form", None)

    def url(self, *parts: object, **query: object) -> str:
        """The address of a page of ours, wherever the application is mounted."""
        root = mount_path(self.request.scope)
        path = "/".join(quote(str(one), safe="") for one in parts)
        told = {name: value for name, value in query.items() if value not in (None, "")}
        return f"{root}/{path}" + (f"?{urlencode(told)}" if told else "")

    def again(self, **query: str) -> str:
        """This page once more, with something else in its query, and not what it told once."""
        kept = {
            name: one for name, one in self.request.query_params.items() if name not in (TOLD, SEAL)
        }
        return "?" + urlencode({**kept, **query})

    def static(self, name: str) -> str:
        """The address of a file that a browser may keep until it changes."""
        root = mount_path(self.request.scope)
        return f"{root}/static/{name}?v={self.views.files_version}"

    def show(self, template: str, status: int = 200, **values: Any) -> Response:
        """The page that `template` makes of `values`."""
        given: Mapping[str, Any] = {
            "visit": self,
            "t": self.words.text,
            "url": self.url,
            "static": self.static,
            "words": self.words,
            "person": self.person,
            "languages": list(self.views.languages),
            "told": self.views.notices.shown(self.request.query_params),
            **values,
        }
        text = self.views.templates.get_template(template).render(given)
        return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})

    def go(self, *parts: object, told: str = "", **query: object) -> Response:
        """Show another page next, by GET, which says `told` once."""
        return RedirectResponse(self.url(*parts, **query, **self.views.notices.query(told)), 303)

    async def name(self) -> str:
        """The name that an edit or a release is to carry: of who signed in, or as the form says.

        Empty where neither tells one.
        """
        if self.person.name:
            return self.person.name
        return cleaned_name(str((await self.form()).get("by", "")))


Page = Callable[[Visit], Awaitable[Response]]


def answering(site: Site, views: Views, page: Page) -> Callable[[Request], Awaitable[Response]]:
    """`page` as an endpoint: nothing that happens there reaches the server."""
    return partial(_answer, site, views, page)


def telling(site: Site, views: Views) -> Callable[[Request, Exception], Response]:
    """What a person is shown where it is not even known who asks."""

    def tell(request: Request, error: Exception) -> Response:
        return _problem(Visit(site, views, request, NOBODY, views.languages.of(request)), error)

    return tell


async def _answer(site: Site, views: Views, page: Page, request: Request) -> Response:
    words = views.languages.of(request)
    visit = Visit(site, views, request, person_of(request), words)
    try:
        answer = await page(visit)
    except Exception as error:
        answer = _problem(visit, error)
    await _remember(visit, answer)
    return answer


def _problem(visit: Visit, error: Exception) -> Response:
    problem = problem_of(error, visit.request)
    return visit.show("problem.html", problem.answer.status, problem=problem.answer)


async def _remember(visit: Visit, answer: Response) -> None:
    """The language that was chosen, and the name that was told."""
    request = visit.request
    chosen = request.query_params.get("language")
    if chosen == visit.words.language:
        remember(answer, request, LANGUAGE_COOKIE, chosen, _A_YEAR)
    is_nameless = visit.person.is_guest and not visit.person.name
    if visit.read_form is not None and is_nameless and (name := await visit.name()):
        remember_name(answer, name, request)
