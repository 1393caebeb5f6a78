"""One server for each model file and user: who has it now, and where it listens.

A running server holds an operating system's lock on a file of its own in a folder that only this
user can read, and writes beside it how to reach it. A lock that can be had means that the server is
gone, however it ended, and whatever it wrote.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gradeq.errors import ConfigError
from gradeq.oslock import try_lock

FOLDER_VARIABLE = "XDG_RUNTIME_DIR"
"""Where a user's processes meet (freedesktop.org, "XDG Base Directory Specification")."""

_CAUSE = "error loading model:"
"""What llama.cpp writes before the cause; what follows is what that led to."""


@dataclass(frozen=True, slots=True)
class Notice:
    """How to reach a running server: its door on loopback and the word that opens it."""

    pid: int
    port: int
    token: str = field(repr=False)
    slots: int
    context_tokens: int


class MeetingPlace:
    """Where the server of one model file and its users find each other."""

    def __init__(self, key: str, folder: Path) -> None:
        self.key = key
        self.folder = folder
        self.lock_path = folder / f"{key}.lock"
        self.notice_path = folder / f"{key}.json"
        self.log_path = folder / f"{key}.log"

    def take(self) -> int | None:
        """Become the server: the lock's descriptor, to be kept open; None if another has it."""
        fd = os.open(self.lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try_lock(fd)
        except OSError:
            os.close(fd)
            return None
        self.notice_path.unlink(missing_ok=True)
        return fd

    def write(self, notice: Notice) -> None:
        """Let users know; never half a notice."""
        new = self.notice_path.with_suffix(".new")
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(fd, "w", encoding="utf-8") as file:
            json.dump(asdict(notice), file)
        new.replace(self.notice_path)

    def running(self) -> Notice | None:
        """The server that runs at this moment, once it has said how to reach it."""
        if not self._is_taken():
            return None
        try:
            return Notice(**json.loads(self.notice_path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def last_words(self) -> str:
        """What llama.cpp wrote of its errors in the server's last life, from its cause on."""
        try:
            written = self.log_path.read_text("utf-8", "replace")
        except OSError:
            return ""
        lines = [line.rpartition(" E ")[2].strip() for line in written.splitlines()]
        causes = (line.partition(_CAUSE)[2].strip() for line in lines if _CAUSE in line)
        return next(causes, next(filter(None, reversed(lines)), ""))[:300]

    def _is_taken(self) -> bool:
        try:
            fd = os.open(self.lock_path, os.O_RDWR)
        except OSError:
            return False
        try:
            try_lock(fd)
        except OSError:
            return True
        finally:
            os.close(fd)
        return False


def meeting_folder(environ: Mapping[str, str]) -> Path:
    """A folder of this user's alone, made where there is none. Raises ConfigError."""
    runtime = environ.get(FOLDER_VARIABLE)
    mine = f"gradeq-{os.getuid()}" if hasattr(os, "getuid") else "gradeq"
    folder = Path(runtime, "gradeq") if runtime else Path(tempfile.gettempdir(), mine)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_owner(folder)
    except OSError as error:
        raise ConfigError(
            f"The folder {folder}, through which model servers are shared, cannot be used: "
            f"{error.strerror}. Nothing was started. Let {FOLDER_VARIABLE} name a folder of yours."
        ) from error
    return folder


def _check_owner(folder: Path) -> None:
    """Whoever could write there could hand out another server, and read the papers."""
    told = folder.lstat()
    if hasattr(os, "getuid") and (told.st_uid != os.getuid() or folder.is_symlink()):
        raise PermissionError(0, "it belongs to somebody else")
    with contextlib.suppress(NotImplementedError):
        folder.chmod(0o700)
