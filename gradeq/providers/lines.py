"""Lines out of the chunks that a socket gives."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator


class LineTooLongError(Exception):
    """More than the bound arrived without a line break."""


async def split_lines(chunks: AsyncIterator[bytes], most: int) -> AsyncGenerator[bytes, None]:
    """Each line of `chunks` without its line break, the last one also where it has none.

    Raises LineTooLongError for a line of more than `most` bytes.
    """
    begun: list[bytes] = []
    size = 0
    async for chunk in chunks:
        first, *others = chunk.split(b"\n")
        begun.append(first)
        size += len(first)
        for other in others:
            yield b"".join(begun)
            begun, size = [other], len(other)
        if size > most:
            raise LineTooLongError(f"a line is larger than {most >> 20} MiB")
    if size:
        yield b"".join(begun)
