"""The command that makes the pictures of the documents."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from browsing import PAGE_IN_BROWSER

pytestmark = PAGE_IN_BROWSER

COMMAND = Path(__file__).parents[2] / "docs" / "pictures.py"


async def test_every_page_is_pictured(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, COMMAND, tmp_path, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    assert process.returncode == 0
    pictures = [Path(line) for line in told.decode().splitlines()]
    assert {"assignment", "review", "rubric", "batch", "queue"} <= {one.stem for one in pictures}
    assert all(one.read_bytes().startswith(b"\x89PNG") for one in pictures)
