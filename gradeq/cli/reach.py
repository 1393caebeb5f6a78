"""What `gradeq doctor` looks at about providers: their keys, and whether they answer."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from gradeq.cli import say
from gradeq.cli.findings import Finding, ok, problem, warning
from gradeq.config import Config, ProviderSettings
from gradeq.errors import ConfigError
from gradeq.outcome import ErrorClass
from gradeq.providers.address import on_this_machine
from gradeq.providers.build import (
    DEFAULT_BASE_URL,
    KEY_VARIABLES,
    KINDS,
    LOCAL,
    base_url_of,
    check_settings,
    key_variable,
)
from gradeq.providers.classify import error_class
from gradeq.providers.complaint import read_complaint
from gradeq.providers.credential import Credential, load_credential
from gradeq.providers.local.assembled import looked_at
from gradeq.providers.local.machine import this_machine
from gradeq.providers.local.model_file import told_bytes

_SECONDS = 10.0
_READ_BYTES = 65_536
_OWN_AUTH = MappingProxyType({"anthropic": "x-api-key", "gemini": "x-goog-api-key"})
_WHOLE_LIST = MappingProxyType({"gemini": "?pageSize=1000"})


def keys(config: Config) -> Iterator[Finding]:
    """Whether each provider has its key. Its value is never shown."""
    if not config.providers:
        yield _no_provider()
    for one in config.providers:
        yield _local(one) if one.kind == LOCAL else _key(one)


def _no_provider() -> Finding:
    names = [name for several in KEY_VARIABLES.values() for name in several]
    found = [name for name in names if os.environ.get(name)]
    told = f"; {' and '.join(found)} set" if found else ""
    return warning(
        "provider",
        f"none is configured{told}. Name one with --provider and --model, "
        "or in gradeq.toml as [provider.NAME]",
    )


def _key(one: ProviderSettings) -> Finding:
    about = f"provider {one.name}"
    told = f"{one.kind}, {one.model}"
    if one.kind == "simulated":
        return ok(about, f"{told}: needs no key; its grades are made up")
    try:
        check_settings(one)
        credential = _credential(one)
        base_url = base_url_of(one)
    except ConfigError as error:
        return problem(about, str(error))
    if credential is not None:
        return ok(about, f"{told}: its key comes from {credential.source}")
    if on_this_machine(base_url):
        return ok(about, f"{told}: no key, on this machine none may be needed")
    return problem(about, f"{told}: {_variable(one)} is not set: put the API key there")


def _local(one: ProviderSettings) -> Finding:
    """A model on this machine needs no key, but its file, memory and a library."""
    about = f"provider {one.name}"
    try:
        check_settings(one)
        model, planned = looked_at(one, os.environ, this_machine())
    except ConfigError as error:
        return problem(about, str(error))
    return ok(
        about,
        f"{one.kind}, {model.path.name}: {told_bytes(model.size)}, needs about "
        f"{told_bytes(planned.needed_bytes)} of memory; {say.counted(planned.slots, 'paper')} at "
        f"once with {planned.context_tokens:,} tokens each, "
        f"{say.counted(planned.threads, 'thread')}",
    )


def _variable(one: ProviderSettings) -> str:
    return key_variable(one, os.environ)


def _credential(one: ProviderSettings) -> Credential | None:
    return load_credential(_variable(one), one.api_key_file, os.environ)


def answers(config: Config) -> Iterator[Finding]:
    """Whether each provider answers, takes the key and knows the model: by its list of models."""
    for one in config.providers:
        if one.kind in KINDS and (one.base_url or one.kind in DEFAULT_BASE_URL):
            yield _answer(one)


def _answer(one: ProviderSettings) -> Finding:
    about = f"online {one.name}"
    try:
        models = _models(one)
    except ConfigError as error:
        return problem(about, str(error))
    except HTTPError as error:
        with error:
            return _refusal(one, about, error)
    except (URLError, OSError, ValueError) as error:
        return problem(
            about, f"no answer from {base_url_of(one)}: {getattr(error, 'reason', error)}"
        )
    known = one.model.removeprefix("models/") in models
    if one.kind == "simulated" or not models or known:
        return ok(about, f"{base_url_of(one)} answers and takes the key")
    return warning(about, f"it answers, but {one.model} is not in its list of models")


def _models(one: ProviderSettings) -> list[str]:
    credential = _credential(one)
    address = f"{base_url_of(one)}/models{_WHOLE_LIST.get(one.kind, '')}"
    request = Request(address, headers=_headers(one, credential))  # noqa: S310 - http only
    handlers = [ProxyHandler({})] if on_this_machine(base_url_of(one)) else []
    with build_opener(*handlers).open(request, timeout=_SECONDS) as response:
        return _names(json.load(response))


def _names(told: Any) -> list[str]:
    """The models of a complete list; none where it goes on elsewhere or is no list."""
    if not isinstance(told, dict) or told.get("has_more") or told.get("nextPageToken"):
        return []
    listed = told.get("data") or told.get("models")
    models = listed if isinstance(listed, list) else []
    return [str(one.get("id") or one.get("name", "")).removeprefix("models/") for one in models]


def _headers(one: ProviderSettings, credential: Credential | None) -> dict[str, str]:
    headers = {"accept": "application/json", "user-agent": "gradeq"}
    if one.kind == "anthropic":
        headers["anthropic-version"] = "2023-06-01"
    key = "simulated" if one.kind == "simulated" else credential and credential.reveal()
    if not key:
        return headers
    style = one.auth or _OWN_AUTH.get(one.kind, "bearer")
    if style == "bearer":
        return {**headers, "authorization": f"Bearer {key}"}
    return {**headers, style: key}


def _refusal(one: ProviderSettings, about: str, error: HTTPError) -> Finding:
    if error_class(error.code, read_complaint(error.read(_READ_BYTES))) is ErrorClass.BAD_KEY:
        return problem(about, f"the provider refuses the key ({error.code})")
    if error.code == 404:
        return ok(about, f"{base_url_of(one)} answers; it has no list of models to check")
    return warning(about, f"the provider answered {error.code}: try again later")
