"""Request bodies: bounded, of the type that was asked for, read into typed values."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from gradeq.web.problems import Flaw, Problem

T = TypeVar("T")
JSON = "application/json"
BODY_LIMIT = 1 << 20
"""Bytes of a body, unless its endpoint takes more."""
_PLACE = re.compile(r" - at `(?P<path>[^`]*)`$")


@dataclass(frozen=True, slots=True)
class Raw:
    """A body as it came. `media_type` is in lower case, without parameters."""

    media_type: str
    data: bytes


Reader = Callable[[Raw], Any]


async def read_raw(request: Request, limit: int) -> Raw:
    """The whole body, or a Problem at its first byte over `limit`."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    told = request.headers.get("content-length", "")
    if told.isascii() and told.isdigit() and int(told) > limit:
        raise _too_large(limit)
    data = bytearray()
    try:
        async for chunk in request.stream():
            data += chunk
            if len(data) > limit:
                raise _too_large(limit)
    except ClientDisconnect:
        raise Problem(400, "cut_off", "the body was not sent to its end") from None
    return Raw(media_type, bytes(data))


def check_length(request: Request, limit: int) -> None:
    """Raises a Problem for a body of more than `limit` bytes before any of it is read."""
    told = request.headers.get("content-length", "0")
    if "transfer-encoding" in request.headers or not (told.isascii() and told.isdigit()):
        raise Problem(411, "length_required", "say how long the body is (Content-Length)")
    if int(told) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> Problem:
    size = f"{limit >> 20} MiB" if limit >= 1 << 20 else f"{limit} bytes"
    return Problem(
        413,
        "too_large",
        f"the body is larger than {size}; nothing was done. Send it in parts",
        is_before_body=True,
    )


def json_reader(kind: Any) -> Reader:
    """Reads a JSON body into `kind`; an empty body counts as {}."""
    return lambda raw: read_json(raw, kind)


def read_json(raw: Raw, kind: type[T]) -> T:
    """Raises a Problem that names the path of what is wrong."""
    if raw.data and raw.media_type != JSON and not raw.media_type.endswith("+json"):
        raise wrong_type(raw, JSON)
    try:
        return msgspec.json.decode(raw.data or b"{}", type=kind)
    except msgspec.ValidationError as error:
        raise invalid("body", error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Problem(400, "malformed_json", f"the body is not JSON: {why}") from None


def wrong_type(raw: Raw, *wanted: str) -> Problem:
    came = raw.media_type or "no content type"
    return Problem(
        415,
        "unsupported_media_type",
        f"the body came as {came}; send it as {' or '.join(wanted)}",
        headers={"Accept": ", ".join(wanted)},
    )


def converted(where: str, told: Any, kind: Any, root: str = "$") -> Any:
    """Texts of a path, a query or a header as `kind`. Raises a Problem."""
    try:
        return msgspec.convert(told, kind, strict=False)
    except msgspec.ValidationError as error:
        raise invalid(where, error, root) from None


def invalid(where: str, error: msgspec.ValidationError, root: str = "$") -> Problem:
    """`where` is body, query, path or header."""
    found = flaw(error, root)
    return Problem(
        422, f"invalid_{where}", f"{found.problem} (at {where} {found.path})", problems=[found]
    )


def flaw(error: msgspec.ValidationError, root: str = "$") -> Flaw:
    """msgspec's message in two parts; `root` is where the checked value stands."""
    text = str(error)
    place = _PLACE.search(text)
    if place is None:
        return Flaw(root, text)
    return Flaw(root + place["path"].removeprefix("$"), text[: place.start()])
