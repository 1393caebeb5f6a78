"""A process that grades with a model on this machine until it is killed: FOLDER MODEL LIBRARY."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), sys.argv[3]]

from local_kit import RUBRIC, environ, settings  # noqa: E402

from gradeq import Engine, NewSubmission  # noqa: E402


async def main(folder: Path, model: Path) -> None:
    providers = (settings(model),)
    async with Engine(folder / "g.db", providers=providers, environ=environ(folder)) as engine:
        rubric_id = await engine.rubrics.put(RUBRIC, "sleep.toml")
        await engine.submit([NewSubmission("p1", "Sleep matters.")], rubric_id=rubric_id)
        await asyncio.Event().wait()


asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
