"""An engine's hold on a model server: joined or started, followed, and started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from gradeq.clock import Clock
from gradeq.errors import ConfigError
from gradeq.providers.local.child import LIBRARY, TAKEN
from gradeq.providers.local.machine import this_machine
from gradeq.providers.local.model_file import ModelFile
from gradeq.providers.local.sharing import MeetingPlace, Notice
from gradeq.providers.local.sizing import Plan, check_memory

DEATHS_IN_A_ROW = 5
"""So often a server may end without an answer in between, until a person has to look."""

_CHILD = "gradeq.providers.local.child"
_LONGEST_BACKOFF = 60.0
_LOOK_SECONDS = 0.05
_GOODBYE_SECONDS = 5.0
_LOADING_SECONDS = 0.5
"""A server that is loading hears nothing meanwhile."""
_FINAL_SECONDS = 10.0
"""After a final failure: so long the next questions hear of it before it is tried again."""


@dataclass(frozen=True, slots=True)
class Serving:
    """One life of a server that is ready; its context is for each paper. `ended` is set when it
    is over."""

    url: str
    token: str = field(repr=False)
    pid: int
    context_tokens: int
    ended: asyncio.Event


@dataclass(frozen=True, slots=True)
class Absent:
    """Why there is no server now; `is_final` where only a person can help."""

    why: str
    is_final: bool = False


LOADING = Absent("")
"""The model is being loaded."""


class _Ended(Exception):
    """A server's life is over; the text says how."""


class _Unusable(Exception):
    """The model cannot be run; the text says why."""


class Link:
    """Starts with the first call of `server`, and holds on to a server until `aclose`.

    One that runs already is joined, unless it has less context than `least_context` tokens.
    """

    def __init__(
        self,
        model: ModelFile,
        planned: Plan,
        folder: Path,
        clock: Clock,
        *,
        least_context: int = 0,
    ) -> None:
        self.state: Serving | Absent = LOADING
        self._model = model
        self._plan = planned
        self._place = MeetingPlace(model.key, folder)
        self._clock = clock
        self._least_context = least_context
        self._since = clock.monotonic()
        self._deaths = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader | None = None
        self._living: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    async def server(self, within: float) -> Serving | Absent:
        """The server; where it is loading, waiting until it has been so for `within` seconds."""
        if self._living is None or self._living.done():
            self._be(LOADING)
            self._living = asyncio.create_task(self._live())
        left = self._since + within - self._clock.monotonic()
        if self.state is LOADING and left > 0:
            self._news.clear()
            await self._clock.wait_for(self._news, left)
        return self.state

    @property
    def _is_ready(self) -> bool:
        return isinstance(self.state, Serving)

    def answered(self) -> None:
        """It does its work: earlier deaths are forgotten."""
        self._deaths = 0

    async def aclose(self) -> None:
        """Let go of the server; it is gone when this returns, unless others use it too."""
        if self._living is not None:
            self._living.cancel()
            await asyncio.gather(self._living, return_exceptions=True)
            self._living = None
        await self._say_goodbye()
        self._be(LOADING)

    # One life after the other -------------------------------------------------------------------

    async def _live(self) -> None:
        """Ends a while after the last of the tries that are made without a person."""
        while True:
            try:
                await self._one_life()
            except _Unusable as error:
                self._be(Absent(str(error), is_final=True))
            except _Ended as error:
                self._be(self._after_death(str(error)))
            except OSError as error:
                self._be(self._after_death(f"it could not be started ({error.strerror})"))
            if isinstance(self.state, Absent) and self.state.is_final:
                self._deaths = 0
                await self._clock.sleep(_FINAL_SECONDS)
                return
            await self._clock.sleep(min(_LONGEST_BACKOFF, 2.0 ** (self._deaths - 1)))
            self._be(LOADING)

    def _after_death(self, how: str) -> Absent:
        self._deaths += 1
        if self._deaths < DEATHS_IN_A_ROW:
            return Absent(f"{how[0].upper()}{how[1:]}.")
        return Absent(
            f"Its server ended {self._deaths} times in a row; the last time {how}. Look whether "
            "memory runs out, lower context_tokens or slots, or take a smaller model.",
            is_final=True,
        )

    async def _one_life(self) -> None:
        """Raises _Ended or _Unusable."""
        notice = await self._join()
        assert self._reader is not None
        ended = asyncio.Event()
        while line := await _line(self._reader):
            told = msgspec.json.decode(line)
            if "failed" in told:
                await self._say_goodbye()
                raise _Unusable(
                    f"llama.cpp says: “{told['failed']}”. Take another file, or a newer {LIBRARY}."
                )
            self._be(Serving(told["url"], notice.token, notice.pid, notice.context_tokens, ended))
        self._be(Absent(""))
        ended.set()
        await self._hang_up()
        raise _Ended(await self._how_it_ended())

    def _be(self, state: Serving | Absent) -> None:
        self.state = state
        self._since = self._clock.monotonic()
        self._news.set()

    # Joining and starting -----------------------------------------------------------------------

    async def _join(self) -> Notice:
        """Connect to the server that runs, or to one that is started now."""
        process: subprocess.Popen[bytes] | None = None
        while True:
            if (notice := self._place.running()) is not None and await self._enter(notice):
                self._process = process
                return notice
            if process is None:
                process = self._start()
            elif process.poll() == TAKEN:
                process = None
            elif process.poll() is not None:
                raise _Ended(_told_code(process.returncode))
            await self._clock.sleep(_LOOK_SECONDS)

    async def _enter(self, notice: Notice) -> bool:
        if notice.context_tokens < self._least_context:
            raise _Unusable(
                f"It runs for another provider or another gradeq already, with context_tokens = "
                f"{notice.context_tokens}, and here {self._least_context} are wanted; one "
                "copy in memory serves both. Set the same in both, or stop the other one."
            )
        try:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", notice.port)
            self._writer.write(f"{notice.token}\n".encode())
            await self._writer.drain()
        except OSError:
            return False
        return True

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            check_memory(self._plan, self._model, this_machine())
        except ConfigError as error:
            raise _Unusable(str(error)) from error
        where = (self._place.key, str(self._place.folder), str(self._model.path))
        how = (msgspec.json.encode(self._plan).decode(), str(os.getpid()))
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-m", _CHILD, *where, *how],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        # It may outlive this engine, where others use it: somebody has to take note of its end.
        threading.Thread(target=process.wait, daemon=True).start()
        self._process = process
        return process

    # The end ------------------------------------------------------------------------------------

    async def _how_it_ended(self) -> str:
        if self._process is None:
            return "it ended"
        code = await self._exit_code(self._process)
        words = self._place.last_words()
        return _told_code(code) + (f": {words}" if words else "")

    async def _exit_code(self, process: subprocess.Popen[bytes]) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return await asyncio.to_thread(process.wait, _GOODBYE_SECONDS)
        return None

    async def _say_goodbye(self) -> None:
        """Leave; a server of ours that nobody else uses is waited for, one that is stuck ended."""
        if self._writer is None or self._reader is None:
            self._stop_unjoined()
            return
        others: int | None = None
        with contextlib.suppress(OSError, TimeoutError):
            self._writer.write(b"bye\n")
            async with asyncio.timeout(_GOODBYE_SECONDS if self._is_ready else _LOADING_SECONDS):
                while line := await _line(self._reader):
                    others = msgspec.json.decode(line).get("others", others)
        await self._hang_up()
        if self._process is not None and not others:
            if others is None or await self._exit_code(self._process) is None:
                self._process.kill()
            await self._exit_code(self._process)

    def _stop_unjoined(self) -> None:
        """One that was just started, and knows nobody yet."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()

    async def _hang_up(self) -> None:
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def end(pid: int) -> None:
    """At once, whatever the process is about."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next line; empty where the connection is over."""
    try:
        return await reader.readline()
    except OSError:
        return b""


def _told_code(code: int | None) -> str:
    if code is None:
        return "it no longer answers"
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        hint = ", as the system does when memory runs out" if -code == 9 else ""
        return f"it was ended by {name}{hint}"
    return f"it ended with code {code}; is {LIBRARY} installed as it should be?"
