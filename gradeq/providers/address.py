"""Where a provider is: base URLs as people write them, made regular."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit, urlunsplit

from gradeq.errors import ConfigError

_VERSION = re.compile(r"/v\d\w*(/|$)")
_ENDPOINT = re.compile(r"(/chat/completions|/messages|/models/[^/]+:\w+)$")
_DATED = re.compile(r"([-@](\d{8}|\d{4}-\d{2}-\d{2})|-latest)$")
_CLAUDE_FAMILY = re.compile(r"claude-[a-z]+-\d+(?=$|[-.@])")


def with_version(base_url: str, version: str = "v1") -> str:
    """`base_url` without a trailing slash or endpoint, and with `version` unless it has one.

    Raises ConfigError for anything but an http or https URL with a host and without a user part.
    """
    parts = _split(base_url)
    path = _ENDPOINT.sub("", parts.path.rstrip("/"))
    if not _VERSION.search(path):
        path += f"/{version}"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def host_of(base_url: str) -> str:
    """Host and, where it is written, port: what people know a provider by."""
    return urlsplit(base_url).netloc.rpartition("@")[2].lower()


def is_loopback(host: str) -> bool:
    """True for this machine: `localhost`, `*.localhost`, 127.0.0.0/8 and ::1."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def on_this_machine(base_url: str) -> bool:
    """True where `base_url` names this machine."""
    return is_loopback(urlsplit(base_url).hostname or "")


def model_family(model: str) -> str:
    """The models that share a limit: a name without its date; Claude models by class and major
    version, since Anthropic counts Sonnet 4, 4.1 and 4.5 together ("Rate limits")."""
    claude = _CLAUDE_FAMILY.match(model)
    return claude.group() if claude else _DATED.sub("", model)


def pool_name(base_url: str, fingerprint: str | None, model: str) -> str:
    """Names what the provider limits; holds no query and no credential, only its fingerprint."""
    path = urlsplit(base_url).path.rstrip("/")
    return f"{host_of(base_url)}{path} {fingerprint or 'no-key'} {model_family(model)}"


def _split(base_url: str) -> SplitResult:
    try:
        parts = urlsplit(base_url.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(
            f"base_url {base_url!r} is not a web address. Nothing was sent. "
            "Write it as https://host/v1 or http://localhost:port/v1."
        )
    if "@" in parts.netloc:
        raise ConfigError(
            f"base_url for {parts.hostname} holds a user name or password. Nothing was sent. "
            "Keep the key in an environment variable and name that with api_key_env."
        )
    return parts
