"""Files that commands write, looked at before any work is done."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gradeq.errors import ConfigError


def refuse_to_overwrite(option: str, out: Path, others: Iterable[Path]) -> None:
    """Raises ConfigError where `out` is one of the files that the command reads or keeps."""
    for other in others:
        if out.resolve() == other.resolve():
            raise ConfigError(f"{option} {out} would overwrite {other}; nothing was graded")


def check_file(option: str, out: Path, suffix: str) -> None:
    """Raises ConfigError unless a file of this kind can be expected to be written there."""
    if out.suffix.lower() != suffix:
        raise ConfigError(f"{option} {out}: must end in {suffix}; nothing was graded")
    if out.is_dir():
        raise ConfigError(f"{option} {out}: is a folder; nothing was graded. Name a file")
    if not out.resolve().parent.is_dir():
        raise ConfigError(f"{option} {out}: its folder does not exist; nothing was graded")
