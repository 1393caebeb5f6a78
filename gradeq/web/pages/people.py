"""Who works here: roles, courses, links to sign in, and the end of sessions."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.responses import Response

from gradeq.errors import NotFoundError
from gradeq.passes import first_code, give_link_to
from gradeq.store.people import PassKind, PersonRow, Role
from gradeq.web.pages.sign_in import signing_of
from gradeq.web.people import cleaned_name
from gradeq.web.problems import Problem
from gradeq.web.rights import require_administrator
from gradeq.web.visit import Visit

_LET_IN = (PassKind.SESSION, PassKind.LINK)


async def show(visit: Visit) -> Response:
    """Everybody on the list; without anybody, the way to make the first administrator."""
    _check(visit)
    return await _page(visit)


async def add(visit: Visit) -> Response:
    """Put somebody on the list. The first is an administrator, and signed in at once."""
    _check(visit)
    form = await visit.form()
    name = _name(form)
    people = visit.site.store.people
    if not name:
        return await _page(visit, trouble="name_needed", status=422)
    if await people.is_empty() and (code := await first_code(people)) is not None:
        answer = visit.go("people")
        await signing_of(visit).sign_in(answer, visit.request, code, name)
        return answer
    if await people.find(name) is not None:
        return await _page(visit, trouble="known", status=409)
    await people.put(name, _role(form), _courses(form))
    return visit.go("people", person=name)


async def change(visit: Visit) -> Response:
    """Another role, other courses."""
    _check(visit)
    form = await visit.form()
    person = await _known(visit, _name(form))
    await visit.site.store.people.put(person.name, _role(form), _courses(form))
    return visit.go("people", person=person.name)


async def link(visit: Visit) -> Response:
    """A new link, shown on the answer itself: it stands in no address and no history."""
    _check(visit)
    person = await _known(visit, _name(await visit.form()))
    code = await give_link_to(visit.site.store.people, person.name)
    base = str(visit.request.url.replace(path=visit.url("sign-in"), query="", fragment=""))
    return await _page(visit, link=f"{base}?code={code}", link_for=person.name)


async def end(visit: Visit) -> Response:
    """All sessions and unused links of a person end; tokens are taken back one by one."""
    _check(visit)
    person = await _known(visit, _name(await visit.form()))
    await visit.site.store.people.end_all(person.name, _LET_IN)
    return visit.go("people", person=person.name)


def _check(visit: Visit) -> None:
    signing_of(visit)
    require_administrator(visit.person)


async def _page(
    visit: Visit, *, trouble: str = "", status: int = 200, link: str = "", link_for: str = ""
) -> Response:
    store = visit.site.store
    people = await store.people.everybody()
    sessions = await store.people.passes(PassKind.SESSION)
    tokens = await store.people.passes(PassKind.TOKEN)
    return visit.show(
        "people.html",
        status,
        people=people,
        sessions=_counted([one.person for one in sessions]),
        tokens=_counted([one.person for one in tokens]),
        known_courses=sorted({course for course, _, _ in await store.assignments()}),
        trouble=trouble,
        link=link,
        link_for=link_for,
        changed=visit.query("person"),
    )


def _counted(people: list[PersonRow | None]) -> dict[str, int]:
    names = [one.name for one in people if one is not None]
    return {name: names.count(name) for name in names}


async def _known(visit: Visit, name: str) -> PersonRow:
    person = await visit.site.store.people.find(name)
    if person is None:
        raise NotFoundError(f"nobody here is called {name!r}; nothing was changed")
    return person


def _name(form: FormData) -> str:
    return cleaned_name(str(form.get("name", "")))


def _role(form: FormData) -> Role:
    try:
        return Role(str(form.get("role", "")))
    except ValueError:
        raise Problem(422, "invalid_body", "choose one of the two roles") from None


def _courses(form: FormData) -> list[str]:
    """One a line, as they are called; and those that were ticked."""
    typed = str(form.get("courses", "")).splitlines()
    ticked = [str(one) for one in form.getlist("course")]
    return sorted({one.strip() for one in (*typed, *ticked)} - {""})
