"""Signing in by a link that works once, and signing out."""

from __future__ import annotations

from starlette.responses import Response

from gradeq.errors import NotFoundError
from gradeq.store.people import PassRow
from gradeq.web.people import cleaned_name
from gradeq.web.problems import Problem
from gradeq.web.signing import Signing
from gradeq.web.visit import Visit

_CODE = "code"


async def ask(visit: Visit) -> Response:
    """What a browser gets whose person is not known, whatever it asked for."""
    if visit.views.signing is None:
        raise Problem(
            401, "unauthorized", "nobody has signed in to the application that gradeq is part of"
        )
    # Who sent a form believes to be signed in, and that something was done.
    trouble = "" if visit.request.method in ("GET", "HEAD") else "signed_out"
    return visit.show("sign_in.html", 401, link=None, code="", trouble=trouble)


async def show(visit: Visit) -> Response:
    """The link's page. To look at it uses nothing up: programs look at links that people send."""
    signing = signing_of(visit)
    code = visit.query(_CODE)
    if not code:
        return visit.show("sign_in.html", link=None, code="", trouble="")
    try:
        return _asking(visit, await signing.link(code), code)
    except NotFoundError:
        return _refusal(visit)


async def sign_in(visit: Visit) -> Response:
    """The link becomes this browser's session."""
    signing = signing_of(visit)
    form = await visit.form()
    code, name = str(form.get(_CODE, "")).strip(), cleaned_name(str(form.get("name", "")))
    answer = visit.go("")
    try:
        link = await signing.link(code)
        if link.person is None and not name:
            return _asking(visit, link, code, trouble="name_needed", status=422)
        await signing.sign_in(answer, visit.request, code, name)
    except NotFoundError:
        return _refusal(visit)
    return answer


async def sign_out(visit: Visit) -> Response:
    """This browser is nobody's any more."""
    answer = visit.go("sign-in")
    await signing_of(visit).sign_out(answer, visit.request)
    return answer


def signing_of(visit: Visit) -> Signing:
    """Raises NotFoundError where the application around this one tells who its users are."""
    if visit.views.signing is None:
        raise NotFoundError("the application around gradeq decides who its users are")
    return visit.views.signing


def _asking(
    visit: Visit, link: PassRow, code: str, *, trouble: str = "", status: int = 200
) -> Response:
    return visit.show("sign_in.html", status, link=link, code=code, trouble=trouble)


def _refusal(visit: Visit) -> Response:
    return visit.show("sign_in.html", 403, link=None, code="", trouble="used")
