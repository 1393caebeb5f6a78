"""What this machine has to spare: cores and memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Machine:
    """Cores that this process may use, how many of them are free, and free memory in bytes.

    `free_bytes` is None where the system does not tell it.
    """

    cores: int
    free_cores: int
    free_bytes: int | None


def this_machine() -> Machine:
    cores = _cores()
    return Machine(cores, _free(cores), _free_bytes())


def _cores() -> int:
    """Those that the scheduler lets this process run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _free(cores: int) -> int:
    """By the load of the last minute; at least one, for something has to do the work."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    busy = min(1.0, load / (os.cpu_count() or 1))
    return max(1, round(cores * (1 - busy)))


def _free_bytes() -> int | None:
    """What can be had without swapping, inside the limit of a container too."""
    known = [free for free in (_of_system(), _of_container()) if free is not None]
    return min(known, default=None)


def _of_system() -> int | None:
    try:
        for line in _MEMINFO.read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError):
        return None


def _of_container() -> int | None:
    """cgroup version 2: `memory.max` is a number, or the word max."""
    try:
        most = int((_CGROUP / "memory.max").read_text("ascii"))
        return most - int((_CGROUP / "memory.current").read_text("ascii"))
    except (OSError, ValueError):
        return None
