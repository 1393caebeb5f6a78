"""The rubric editor of an assignment: by form or as TOML, with what a model would be sent."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from gradeq.errors import InputError, NotFoundError, RubricError, StoreError
from gradeq.model import Submission
from gradeq.store.rows import RubricVersion
from gradeq.web.pages import rubric_check
from gradeq.web.pages.rubric_check import FIRST, SHORT, Checked
from gradeq.web.pages.rubric_desk import Desk, desk_of
from gradeq.web.pages.rubric_draft import Draft
from gradeq.web.visit import Visit

_MOST_BYTES = 1 << 20
_ACT = re.compile(r"(add|remove|up|down|levels)((?:\.\d{1,4}){0,2})")
_EXAMPLE = re.compile(r"examples\.(?:add|remove\.(\d{1,4}))")
_COMMENT = re.compile(r"^\s*#", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Unsaved:
    """What was typed has to be shown again: the store could not save it, for `trouble`, or (409)
    somebody gave the assignment another version since this one was `seen`."""

    desk: Desk
    status: int
    trouble: str = ""


# The form ---------------------------------------------------------------------------------------


async def show(visit: Visit) -> Response:
    """The assigned rubric in the form, or another version to begin from, or an empty one."""
    desk = await desk_of(visit)
    wanted = visit.query("version")
    base = desk.version(wanted) if wanted else desk.assigned
    if base is None:
        return await _form(desk, Draft.new(desk.assignment))
    source = base.rubric.source
    draft = _draft(source)
    return await _form(desk, draft, base=base, has_comments=bool(_COMMENT.search(source)))


async def post(visit: Visit) -> Response:
    """Whatever button of the form was pressed."""
    form = _texts(await visit.form())
    desk = await desk_of(visit, form)
    draft, act = Draft.typed(form), form.get("act", "check")
    if pressed := _ACT.fullmatch(act):
        draft, focus = draft.changed(pressed[1], *map(int, pressed[2].split(".")[1:]))
        return await _form(desk, draft, focus=focus)
    if pressed := _EXAMPLE.fullmatch(act):
        at = pressed[1]
        draft, focus = draft.without_example(int(at)) if at else draft.with_example()
        return await _form(desk, draft, focus=focus)
    if act == "toml":
        return await _as_toml(desk, draft.source())
    if act == "save" and not (checked := _check(desk, draft.source())).mistakes:
        done = await _saved(desk, checked)
        if isinstance(done, Response):
            return done
        return await _form(done.desk, draft, status=done.status, trouble=done.trouble)
    status = 422 if act == "save" else 200
    return await _form(desk, draft, status=status, tells_mistakes=True)


async def preview(visit: Visit) -> Response:
    """What stands beside the form, for what is typed by now."""
    form = _texts(await visit.form())
    desk = await desk_of(visit, form)
    source = form["source"] if "source" in form else Draft.typed(form).source()
    checked = _check(desk, source)
    return visit.show("rubric_side.html", desk=desk, checked=checked, **await _sent(desk, checked))


async def _form(
    desk: Desk, draft: Draft, *, status: int = 200, tells_mistakes: bool = False, **more: Any
) -> Response:
    checked = _check(desk, draft.source())
    given = {"focus": "", "base": None, "has_comments": False, **more}
    flaws = checked.by_field if tells_mistakes else {}
    return await _edited(desk, "rubric.html", status, checked, draft=draft, flaws=flaws, **given)


# As TOML ----------------------------------------------------------------------------------------


async def show_toml(visit: Visit) -> Response:
    desk = await desk_of(visit)
    assigned = desk.assigned
    source = assigned.rubric.source if assigned else Draft.new(desk.assignment).source()
    return await _as_toml(desk, source)


async def post_toml(visit: Visit) -> Response:
    """Check or save the text, or go on with it in the form."""
    form = _texts(await visit.form())
    desk = await desk_of(visit, form)
    act, source = form.get("act", "check"), form.get("source", "").replace("\r\n", "\n")
    checked = _check(desk, source)
    if checked.mistakes or act not in ("save", "form"):
        return await _as_toml(desk, source, status=422 if act == "save" else 200)
    if act == "form":
        return await _form(desk, _draft(source))
    done = await _saved(desk, checked)
    if isinstance(done, Response):
        return done
    return await _as_toml(done.desk, source, status=done.status, trouble=done.trouble)


async def read_file(visit: Visit) -> Response:
    """A file into the form, or into the text where it has mistakes. Nothing is saved yet."""
    form = await visit.form()
    try:
        desk = await desk_of(visit, _texts(form))
        name, source = await _read(form.get("file"))
    finally:
        await form.close()
    if _check(desk, source).mistakes:
        return await _as_toml(desk, source, from_file=name)
    return await _form(desk, _draft(source), from_file=name)


async def _read(file: object) -> tuple[str, str]:
    """Name and text. Raises InputError."""
    if not isinstance(file, UploadFile) or not file.filename:
        raise InputError("no file was chosen; nothing was changed")
    data = await file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise InputError(f"{file.filename} is larger than 1 MiB; nothing was changed")
    try:
        return file.filename, data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        where = f"byte {error.start}"
        raise InputError(
            f"{file.filename} is not UTF-8 text ({where}); nothing was changed. Save it as UTF-8"
        ) from None


async def _as_toml(desk: Desk, source: str, *, status: int = 200, **more: Any) -> Response:
    return await _edited(desk, "rubric_toml.html", status, _check(desk, source), **more)


async def _edited(
    desk: Desk, template: str, status: int, checked: Checked, **more: Any
) -> Response:
    given = {"trouble": "", "from_file": "", "was_beaten": status == 409, **more}
    given |= {"is_unsaved": _is_unsaved(desk, checked), **await _sent(desk, checked)}
    return desk.visit.show(template, status, desk=desk, checked=checked, **given)


def _is_unsaved(desk: Desk, checked: Checked) -> bool:
    """Whether leaving the page would lose something that was typed."""
    if desk.visit.request.method != "POST":
        return False
    assigned = desk.assigned
    if checked.rubric is None or assigned is None:
        return True
    return checked.rubric.sha256 != assigned.rubric.sha256


async def download(visit: Visit) -> Response:
    """A version's TOML as a file: the assigned one, unless another is named."""
    desk = await desk_of(visit)
    wanted = visit.query("version")
    found = desk.version(wanted) if wanted else desk.assigned
    if found is None:
        raise NotFoundError(f"the assignment {desk.course}/{desk.assignment} has no rubric yet")
    name = re.sub(r"[^A-Za-z0-9]+", "-", desk.assignment).strip("-").lower() or "rubric"
    disposition = f'attachment; filename="{name}-{found.number}.toml"'
    headers = {"Content-Disposition": disposition, "Cache-Control": "no-store"}
    return Response(found.rubric.source, media_type="application/toml", headers=headers)


# Versions ---------------------------------------------------------------------------------------


async def show_version(visit: Visit) -> Response:
    desk = await desk_of(visit)
    return _version(desk, desk.version(visit.part("rubric_id")))


async def assign_version(visit: Visit) -> Response:
    """Go back to a version, unless somebody gave the assignment another one meanwhile."""
    desk = await desk_of(visit, _texts(await visit.form()))
    version = desk.version(visit.part("rubric_id"))
    store = visit.site.store
    if await store.replace_rubric(desk.course, desk.assignment, version.rubric.id, desk.seen):
        return desk.go(visit.words.text("rubric.told.assigned", n=version.number))
    return _version(await _meanwhile(desk), version, status=409, was_beaten=True)


def _version(
    desk: Desk, version: RubricVersion, *, status: int = 200, was_beaten: bool = False
) -> Response:
    checked = _check(desk, version.rubric.source)
    given = {"desk": desk, "version": version, "checked": checked, "was_beaten": was_beaten}
    return desk.visit.show("rubric_version.html", status, **given)


async def _saved(desk: Desk, checked: Checked) -> Response | Unsaved:
    rubrics = desk.visit.site.engine.rubrics
    given = (desk.course, desk.assignment, checked.source, desk.seen)
    try:
        rubric_id = await rubrics.give_instead(*given)
    except StoreError as error:
        return Unsaved(desk, 503, str(error))
    now = await _meanwhile(desk)
    if rubric_id is None:
        return Unsaved(now, 409)
    what = "unchanged" if rubric_id == desk.assigned_id else "saved"
    number = now.version(str(rubric_id)).number
    return desk.go(desk.visit.words.text(f"rubric.told.{what}", n=number))


async def _meanwhile(desk: Desk) -> Desk:
    """The desk as the assignment stands by now, seen and told of."""
    return replace(await desk_of(desk.visit), sample=desk.sample)


# What is said of it -----------------------------------------------------------------------------


def _check(desk: Desk, source: str) -> Checked:
    return rubric_check.check(source, desk.visit.words.language)


async def _sent(desk: Desk, checked: Checked) -> dict[str, Any]:
    """What a model would be sent, and for which of the papers to choose from."""
    first = await rubric_check.first_paper(desk.visit, desk.course, desk.assignment)
    paper = first if first and desk.sample == FIRST else _short(desk)
    sent = None
    if checked.rubric is not None:
        sent = await rubric_check.preview(desk.visit, checked.rubric, paper)
    return {"first": first, "sample": FIRST if paper is first else SHORT, "sent": sent}


def _short(desk: Desk) -> Submission:
    text = desk.visit.words.text("rubric.sample_text")
    return rubric_check.short_sample(desk.course, desk.assignment, text)


def _draft(source: str) -> Draft:
    """Raises RubricError for what only an edited database can hold."""
    try:
        return Draft.of(tomllib.loads(source.removeprefix("\ufeff")))
    except (KeyError, TypeError, tomllib.TOMLDecodeError) as error:
        raise RubricError(f"the stored rubric cannot be read: {error}") from error


def _texts(form: FormData) -> dict[str, str]:
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}
