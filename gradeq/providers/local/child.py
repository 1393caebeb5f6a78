"""The process that holds a model in memory: `python -m gradeq.providers.local.child`.

It ends with its last user, and heeds neither Ctrl-C nor SIGTERM, which a terminal or a service
manager sends to gradeq's processes all at once: calls on their way may still finish.

The settings are those of llama.cpp's server ("LLaMA.cpp HTTP Server", README): a key of its own,
because anybody on this machine can reach a port; no list of slots, because it tells what students
wrote; no cache of prompts beside the slots' own, because it may take 8 GiB.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import secrets
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from gradeq.providers.local.door import Door
from gradeq.providers.local.sharing import MeetingPlace, Notice
from gradeq.providers.local.sizing import Plan

LIBRARY = "xllamacpp"
TAKEN = 3
"""The exit code where another process is the server already."""

FAILED = 4
"""The exit code where the model could not be loaded."""

_ERRORS_ONLY = 1
_SET_PARENT_DEATH_SIGNAL = 1
"""Of prctl(2), PR_SET_PDEATHSIG in <linux/prctl.h>."""


def main(place: MeetingPlace, path: Path, planned: Plan, starter: int) -> NoReturn:
    """Ends the process, with TAKEN, FAILED or 0."""
    end_with(starter)
    if place.take() is None:
        sys.exit(TAKEN)
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_IGN)
    _write_errors_to(place.log_path)
    token = secrets.token_hex(16)
    door = Door(token)
    place.write(Notice(os.getpid(), door.port, token, planned.slots, planned.context_tokens))
    door.start()
    server = None
    try:
        server = _loaded(path, planned, token)
        end_with(None)
        door.tell(url=server.listening_address)
    except Exception as error:
        door.tell(failed=place.last_words() or f"{type(error).__name__}: {error}")
    door.join()
    place.notice_path.unlink(missing_ok=True)
    # While `server` is held: to let go of it would wait for every call that is on its way. And
    # the system frees the memory faster than the library does.
    os._exit(FAILED if server is None else 0)


def end_with(starter: int | None) -> None:
    """Let the system end this process as soon as the one that started it is gone; None: no more.

    For the time of loading, when the door cannot notice. Only Linux offers it.
    """
    if sys.platform != "linux":
        return
    signal_number = 0 if starter is None else signal.SIGKILL
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal_number)
    if starter is not None and os.getppid() != starter:
        os._exit(FAILED)


def _loaded(path: Path, planned: Plan, token: str) -> Any:
    """The running server. It takes seconds to minutes, and no other thread runs meanwhile."""
    library = importlib.import_module(LIBRARY)
    params = library.CommonParams()
    params.model.path = str(path)
    params.model_alias = {path.stem}
    params.n_parallel = planned.slots
    params.n_ctx = planned.slots * planned.context_tokens
    params.cpuparams.n_threads = planned.threads
    params.cpuparams_batch.n_threads = planned.threads
    params.api_keys = [token]
    params.fit_params = False
    params.endpoint_slots = False
    params.cache_ram_mib = 0
    params.ui = False
    params.verbosity = _ERRORS_ONLY
    return library.Server(params)


def _write_errors_to(log: Path) -> None:
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(fd, 2)
    os.close(fd)


if __name__ == "__main__":
    key, folder, model, plan, starter = sys.argv[1:]
    planned = msgspec.json.decode(plan, type=Plan)
    main(MeetingPlace(key, Path(folder)), Path(model), planned, int(starter))
