"""Tokens for programs, and links for people."""

from __future__ import annotations

import logging

from gradeq.errors import NotFoundError
from gradeq.passes import LINK_SECONDS, give_link_to, give_token_to
from gradeq.store.people import PassKind, PassRow
from gradeq.web.answers import told
from gradeq.web.answers_people import (
    LinkGiven,
    PersonAnswer,
    TokenAnswer,
    TokenGiven,
    TokenRevoked,
    TokensAnswer,
)
from gradeq.web.bodies import Name, NewLink, NewToken
from gradeq.web.site import Site

log = logging.getLogger("gradeq")
_DAY_SECONDS = 24 * 3600


async def tokens(site: Site) -> TokensAnswer:
    """All tokens that are valid, without their secrets."""
    return TokensAnswer([_answer(one) for one in await site.store.people.passes(PassKind.TOKEN)])


async def give_token(site: Site, body: NewToken) -> TokenGiven:
    """Let a person's programs in. The token is told this once, and kept as a hash."""
    given = await give_token_to(
        site.store.people,
        body.name.strip(),
        role=body.role,
        courses=body.courses,
        label=body.label,
        lifetime_seconds=None if body.days is None else body.days * _DAY_SECONDS,
    )
    log.info("token %s was given to %s", given.secret.handle, given.person.name)
    person = told(PersonAnswer, given.person)
    return TokenGiven(given.secret.handle, given.secret.text, person)


async def revoke(site: Site, handle: Name) -> TokenRevoked:
    """Take a token back, at once."""
    found = await site.store.people.valid_pass(handle)
    if found is None or found.kind is not PassKind.TOKEN:
        raise NotFoundError(f"there is no token {handle!r}")
    await site.store.people.end(handle)
    log.info("token %s was revoked", handle)
    return TokenRevoked(handle)


async def give_link(site: Site, body: NewLink) -> LinkGiven:
    """A link that signs one browser in as this person, once, within 7 days."""
    name = body.name.strip()
    code = await give_link_to(site.store.people, name)
    return LinkGiven(f"/sign-in?code={code}", name, LINK_SECONDS)


def _answer(row: PassRow) -> TokenAnswer:
    return told(TokenAnswer, row)
