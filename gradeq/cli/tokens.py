"""The daemon's token: the daemon asks for it, and the commands that talk to it send it."""

from __future__ import annotations

import os
from pathlib import Path

from gradeq.config import ServerSettings
from gradeq.errors import ConfigError


def token_of(server: ServerSettings) -> str | None:
    """From the file that is named, else from the variable. Raises ConfigError."""
    if server.token_file is None:
        return os.environ.get(server.token_env) or None
    try:
        token = Path(server.token_file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise ConfigError(
            f"the token file {server.token_file} cannot be read: {why}; nothing was done"
        ) from error
    if not token:
        raise ConfigError(f"the token file {server.token_file} is empty; nothing was done")
    return token
