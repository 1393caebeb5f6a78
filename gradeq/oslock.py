"""A lock of the operating system's on an open file: it goes with a killed process.

flock on Linux and macOS, msvcrt.locking on Windows, where a locked byte cannot be read by others;
hence the locked byte lies far behind whatever the file says.
"""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    import msvcrt

    _LOCKED_BYTE = 1 << 30

    def try_lock(fd: int) -> None:
        """Lock the file until `fd` is closed. Raises OSError where another process has it."""
        os.lseek(fd, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def try_lock(fd: int) -> None:
        """Lock the file until `fd` is closed. Raises OSError where another process has it."""
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
