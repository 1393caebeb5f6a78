"""`gradeq token`: who may use a daemon, and by what."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from gradeq.cli import say
from gradeq.cli.options import database_options, json_option
from gradeq.cli.remote import Daemon, here_or_there
from gradeq.cli.stores import reading
from gradeq.config import Config
from gradeq.engine import Engine
from gradeq.errors import NotFoundError
from gradeq.passes import LINK_SECONDS, give_link_to, give_token_to
from gradeq.store.people import PassKind, PassRow, PersonRow, Role

_DAY_SECONDS = 24 * 3600


@click.group("token")
def command() -> None:
    """Let people and their programs in: tokens, and links to sign in."""


@command.command("create")
@click.argument("name", metavar="NAME")
@click.option(
    "--role",
    type=click.Choice([one.value for one in Role]),
    help="What NAME may do (who is new: teacher; else as before).",
)
@click.option(
    "--course", "courses", multiple=True, metavar="C", help="A course for a teacher; may repeat."
)
@click.option("--label", default="", metavar="TEXT", help="What the token is for.")
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True, max=36_500),
    metavar="N",
    help="The token ends after N days (default: never).",
)
@database_options
@json_option
def create(
    *,
    name: str,
    role: str | None,
    courses: Sequence[str],
    label: str,
    days: float | None,
    config: Config,
    as_json: bool,
) -> None:
    """Give NAME a token for programs, and a place on the list of people.

    From the first name on, every page and program needs a session or a token. The token is shown
    once; the database keeps only its hash. Courses replace those that NAME had.
    """
    wish = {
        "name": _checked(name),
        "role": None if role is None else Role(role),
        "courses": list(courses) or None,
        "label": label,
        "days": days,
    }
    given = asyncio.run(_created(config, wish))
    if as_json:
        say.as_json(given)
        return
    say.fact(given["token"])
    say.note(
        f"This is the token of {_who(given['person'])}; it is shown only now. Programs send it as "
        "'Authorization: Bearer …', gradeq commands from the variable GRADEQ_TOKEN."
    )


async def _created(config: Config, wish: dict[str, Any]) -> dict[str, Any]:
    async def here(engine: Engine) -> dict[str, Any]:
        days = wish["days"]
        given = await give_token_to(
            engine.store.people,
            wish["name"],
            role=wish["role"],
            courses=wish["courses"],
            label=wish["label"],
            lifetime_seconds=None if days is None else days * _DAY_SECONDS,
        )
        secret, person = given.secret, _person(given.person)
        return {"handle": secret.handle, "token": secret.text, "person": person}

    def there(daemon: Daemon) -> dict[str, Any]:
        return daemon.give_token(wish)

    return await here_or_there(config, here, there)


@command.command("list")
@database_options
@json_option
def list_tokens(*, config: Config, as_json: bool) -> None:
    """Show the people, and the tokens that are valid. Secrets are not shown: nobody has them."""
    people, tokens = asyncio.run(_known(config))
    if as_json:
        told = {"people": [_person(one) for one in people], "tokens": [_token(t) for t in tokens]}
        say.as_json(told)
        return
    if not people:
        say.fact("nobody is on the list: whoever reaches the service may do everything")
        return
    say.fact(say.table([("name", "role", "courses"), *map(_person_line, people)], indent=""))
    if tokens:
        header = ("token", "of", "label", "last used", "ends")
        say.fact()
        say.fact(say.table([header, *map(_token_line, tokens)], indent=""))


async def _known(config: Config) -> tuple[list[PersonRow], list[PassRow]]:
    async with reading(config.store.path) as store:
        return await store.people.everybody(), await store.people.passes(PassKind.TOKEN)


@command.command("revoke")
@click.argument("handle", metavar="TOKEN")
@database_options
@json_option
def revoke(*, handle: str, config: Config, as_json: bool) -> None:
    """Take TOKEN back, at once. It is named by what stands before its dot."""
    handle = handle.partition(".")[0]
    asyncio.run(_revoked(config, handle))
    if as_json:
        say.as_json({"handle": handle})
    else:
        say.fact(f"token {handle} lets nobody in any more")


async def _revoked(config: Config, handle: str) -> None:
    async def here(engine: Engine) -> None:
        people = engine.store.people
        found = await people.valid_pass(handle)
        if found is None or found.kind is not PassKind.TOKEN or not await people.end(handle):
            raise NotFoundError(f"there is no token {handle!r}")

    await here_or_there(config, here, lambda daemon: daemon.revoke_token(handle))


@command.command("link")
@click.argument("name", metavar="NAME")
@database_options
@json_option
def link(*, name: str, config: Config, as_json: bool) -> None:
    """Make a link that signs NAME in on one browser, once, within 7 days."""
    name = _checked(name)
    url = asyncio.run(_link(config, name))
    if as_json:
        say.as_json({"url": url, "name": name, "expires_in_seconds": LINK_SECONDS})
    else:
        say.fact(url)


async def _link(config: Config, name: str) -> str:
    server = config.server
    own = f"http://{server.host}:{server.port}"

    async def here(engine: Engine) -> str:
        code = await give_link_to(engine.store.people, name)
        return f"{server.public_url or own}/sign-in?code={code}"

    def there(daemon: Daemon) -> str:
        return (server.public_url or daemon.url) + daemon.give_link(name)

    return await here_or_there(config, here, there)


def _checked(name: str) -> str:
    cleaned = " ".join(name.split())
    if not cleaned or len(cleaned) > 200:
        raise click.BadParameter("a name has 1 to 200 characters.", param_hint="NAME")
    return cleaned


def _person(row: PersonRow) -> dict[str, Any]:
    return {"name": row.name, "role": row.role.value, "courses": list(row.courses)}


def _token(row: PassRow) -> dict[str, Any]:
    assert row.person is not None
    times = {name: getattr(row, name) for name in ("created_at", "last_used_at", "expires_at")}
    return {"handle": row.handle, "label": row.label, "person": _person(row.person), **times}


def _who(person: dict[str, Any]) -> str:
    courses = ", ".join(person["courses"])
    return f"{person['name']} ({person['role']}{': ' + courses if courses else ''})"


def _person_line(row: PersonRow) -> tuple[str, str, str]:
    return row.name, row.role.value, ", ".join(row.courses)


def _token_line(row: PassRow) -> tuple[str, ...]:
    assert row.person is not None
    ends = _day(row.expires_at, "never")
    return row.handle, row.person.name, row.label, _day(row.last_used_at, "never"), ends


def _day(at_ms: int | None, otherwise: str) -> str:
    if at_ms is None:
        return otherwise
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
