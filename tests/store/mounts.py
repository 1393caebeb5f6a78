"""Small disks that can be full or read-only. They need the right to mount, as root has it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

SIZE = "1m"


@dataclass(frozen=True)
class Mount:
    """A tmpfs of 1 MB."""

    folder: Path

    def remount(self, options: str) -> None:
        _mount("-o", f"remount,{options}", str(self.folder))

    @contextmanager
    def read_only_file(self, path: Path) -> Iterator[None]:
        """The file is read-only although its folder is not, also for root."""
        _mount("--bind", str(path), str(path))
        try:
            _mount("-o", "remount,bind,ro", str(path))
            yield
        finally:
            subprocess.run(["umount", "--lazy", str(path)], check=True)

    @contextmanager
    def filled(self) -> Iterator[None]:
        """Not a byte is left."""
        filler = self.folder / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(b"x" * 1024):
                pass
        assert os.statvfs(self.folder).f_bavail == 0
        yield
        filler.unlink()


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@contextmanager
def mounted(folder: Path) -> Iterator[Mount]:
    """Skips the test where this user may not mount."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    try:
        _mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a small disk cannot be mounted here: {error}")
    try:
        yield Mount(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
