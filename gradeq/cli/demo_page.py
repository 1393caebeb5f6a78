"""The demo with its page: a daemon, a browser, and a class that is graded while one looks."""

from __future__ import annotations

import asyncio
import os
import sys
import webbrowser
from contextlib import suppress
from dataclasses import dataclass, field

from gradeq.cli import say
from gradeq.cli.commands import INTERRUPTED
from gradeq.cli.demo_results import badges_line
from gradeq.cli.intake import Intake
from gradeq.cli.report import SIMULATED_NOTE
from gradeq.cli.stores import recording
from gradeq.config import Config
from gradeq.engine import Engine
from gradeq.errors import ConflictError

_SECONDS_TO_LOOK = 2.5
"""The page shall be seen as it was before the badges move."""


@dataclass(slots=True)
class DemoPage:
    """Shows until Ctrl-C, and grades the class once."""

    config: Config
    intake: Intake
    grace_seconds: float
    _is_over: bool = False
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def show(self) -> int:
        """The exit code: 130 where the class was not graded to its end."""
        from gradeq.web import serve  # noqa: PLC0415 - the headless demo needs no server

        say.note(SIMULATED_NOTE)
        async with recording(self.config) as engine:
            ids = await self._put_in(engine)
        engine = Engine.from_config(self.config, grace_seconds=self.grace_seconds)

        def ready(url: str) -> None:
            say.fact(f"The page: {url}   (Ctrl-C ends the demo)")
            _open_browser(url)
            self._tasks.append(asyncio.create_task(self._grade(engine, ids)))

        await serve(engine, port=0, on_ready=ready)
        for task in self._tasks:
            task.cancel()
        say.fact(f"The database: {self.config.store.path}")
        return 0 if self._is_over else INTERRUPTED

    async def _put_in(self, engine: Engine) -> list[int]:
        intake = self.intake
        rubric_id = await engine.rubrics.put_file(intake.rubric)
        added = await engine.add(intake.input.papers)
        await engine.store.assign_rubric(intake.course, intake.assignment, rubric_id)
        return [one.id for one in added]

    async def _grade(self, engine: Engine, ids: list[int]) -> None:
        say.fact(f"{say.counted(len(ids), 'essay')} handed in; grading begins in a moment …")
        await asyncio.sleep(_SECONDS_TO_LOOK)
        with suppress(ConflictError):  # stopped before the end
            batch = await engine.submit(ids)
            async for _ in engine.results(batch.id):
                pass
            badges = await engine.badges(self.intake.course, self.intake.assignment)
            self._is_over = True
            say.fact(f"Done: {badges_line(badges)}. Nothing is released before a person does it.")


def _open_browser(url: str) -> None:
    """Only where there is a screen: elsewhere a text browser would take the terminal."""
    has_screen = sys.platform in ("win32", "darwin") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if has_screen:
        webbrowser.open(url)
