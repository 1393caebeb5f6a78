"""An API key that cannot be printed by mistake, and texts cleaned of what looks like one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from gradeq.errors import ConfigError

REDACTED = "[key]"
_LOOKS_LIKE_A_KEY = re.compile(
    r"(?i:\bbearer\s+)[^\s\"',;]+"
    r"|\b(?:sk|pk|rk|ak|gsk|xai|pplx|nvapi|hf|r8|fw|tgp|csk|key|AIza|eyJ)[-_]?[\w*.\-]{8,}"
    r"|(?<=://)[^/\s@]+(?=@)"
    r"|(?<![\w-])[A-Za-z0-9+/_=-]{40,}"
)
_QUOTED_WORDS = 5


class Credential:
    """One API key. `source` says where it came from; the value shows only through `reveal()`."""

    __slots__ = ("_value", "fingerprint", "source")

    def __init__(self, value: str, source: str) -> None:
        self._value = _usable(value, source)
        self.source = source
        self.fingerprint = hashlib.sha256(self._value.encode()).hexdigest()[:8]

    def reveal(self) -> str:
        """The key itself, for the request header and for nothing else."""
        return self._value

    def __repr__(self) -> str:
        return f"Credential({self.source}, {self.fingerprint})"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Credential is not copied to other processes or files")


def load_credential(
    variable: str, file: str | None, environ: Mapping[str, str]
) -> Credential | None:
    """The key in `file` where one is named, else in the environment; None where there is none.

    Raises ConfigError where the file cannot be read, is empty, or the key cannot be sent.
    """
    if file is not None:
        return Credential(_read(file), f"the file {file}")
    value = environ.get(variable, "")
    return Credential(value, variable) if value.strip() else None


def redact(text: str, credential: Credential | None = None, private: str = "") -> str:
    """`text` without the key, anything like a key, and any longer quote from `private`."""
    if credential is not None:
        text = text.replace(credential.reveal(), REDACTED)
    return _without_quotes(_LOOKS_LIKE_A_KEY.sub(REDACTED, text), private)


def _without_quotes(text: str, private: str) -> str:
    """Replace runs of five or more words that `private` has too: providers echo requests."""
    words = text.split()
    if not private or len(words) < _QUOTED_WORDS:
        return text
    known = f" {' '.join(private.split())} "
    hidden: set[int] = set()
    for start in range(len(words) - _QUOTED_WORDS + 1):
        if " ".join(words[start : start + _QUOTED_WORDS]) in known:
            hidden.update(range(start, start + _QUOTED_WORDS))
    return _joined(words, hidden) if hidden else text


def _joined(words: list[str], hidden: set[int]) -> str:
    kept = [
        "[…]" if index in hidden else word
        for index, word in enumerate(words)
        if index not in hidden or index - 1 not in hidden
    ]
    return " ".join(kept)


def _usable(value: str, source: str) -> str:
    key = value.strip()
    if not key:
        raise ConfigError(f"The API key from {source} is empty. Nothing was sent. Put the key in.")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigError(
            f"The API key from {source} holds characters that no key has (a space, a line break "
            "or a letter outside ASCII). Nothing was sent. Copy the key again."
        )
    return key


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ConfigError(
            f"The API key file {file} cannot be read: {reason}. Nothing was sent. "
            "Check api_key_file."
        ) from error
