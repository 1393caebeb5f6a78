"""The header of a GGUF file: what the model is, and how long the file has to be.

Source: ggml's "GGUF" specification (docs/gguf.md), versions 2 and 3, and the block sizes of ggml's
tensor types.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_ALIGNMENT = 32
_STRING, _ARRAY = 8, 9
_LONGEST_KEPT = 1024
"""Items of an array that are worth keeping: one for each layer, never a vocabulary."""

_SCALARS: Mapping[int, str] = MappingProxyType(
    {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
)

_BLOCKS: Mapping[int, tuple[int, int]] = MappingProxyType(
    {
        0: (1, 4), 1: (1, 2), 30: (1, 2),
        2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
        10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210),
        15: (256, 292), 16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50),
        20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 29: (256, 56),
        24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8),
        34: (256, 54), 35: (256, 66), 39: (32, 17),
    }
)  # fmt: skip
"""Of each known tensor type: values in a block, and the block's bytes."""


class NotGGUFError(Exception):
    """The file is no GGUF file, or of a version that is not read here."""


class CutShortError(Exception):
    """The file ends before its header or its tensors do; `missing` in bytes, 0 where unknown."""

    def __init__(self, missing: int = 0) -> None:
        super().__init__(f"{missing} bytes are missing")
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says. `values` are the scalars and short lists, `lengths` of all lists."""

    values: Mapping[str, Any]
    lengths: Mapping[str, int]
    tensors: int


def read_header(path: Path) -> Header:
    """Read the header, and see that every tensor it names is there.

    Raises NotGGUFError, CutShortError or OSError.
    """
    with path.open("rb") as file:
        if file.read(4) != MAGIC:
            raise NotGGUFError
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                return _read(_Reader(data))
            except (struct.error, UnicodeDecodeError) as error:
                raise CutShortError from error


def _read(reader: _Reader) -> Header:
    if reader.take("I") not in _VERSIONS:
        raise NotGGUFError
    tensors, count = reader.take("Q"), reader.take("Q")
    values: dict[str, Any] = {}
    lengths: dict[str, int] = {}
    for _ in range(count):
        key = reader.text()
        value, length = reader.value(reader.take("I"))
        lengths[key] = length
        if value is not None:
            values[key] = value
    _check_length(reader, tensors, int(values.get("general.alignment", _ALIGNMENT)))
    return Header(values, lengths, tensors)


def _check_length(reader: _Reader, tensors: int, alignment: int) -> None:
    needed = max((_end_of_tensor(reader) for _ in range(tensors)), default=0)
    begin = math.ceil(reader.at / alignment) * alignment
    missing = begin + needed - reader.size
    if needed and missing > 0:
        raise CutShortError(missing)


def _end_of_tensor(reader: _Reader) -> int:
    """In bytes after the header; for a type that is not known here, where it begins."""
    reader.text()
    values: int = math.prod(reader.take("Q") for _ in range(reader.take("I")))
    kind, offset = reader.take("I"), int(reader.take("Q"))
    in_block, block_bytes = _BLOCKS.get(kind, (1, 0))
    return offset + values // in_block * block_bytes


class _Reader:
    """Little-endian values one after the other. Raises struct.error at the end of the file."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self.at = 4
        self.size = len(data)

    def take(self, code: str) -> Any:
        (value,) = struct.unpack_from(f"<{code}", self._data, self.at)
        self.at += struct.calcsize(f"<{code}")
        return value

    def text(self) -> str:
        begin = self._skip(self.take("Q"))
        return self._data[begin : self.at].decode("utf-8")

    def value(self, kind: int) -> tuple[Any, int]:
        """A value, None where it is not worth keeping, and how many items it has."""
        if kind == _STRING:
            return self.text(), 1
        if kind == _ARRAY:
            return self._array(self.take("I"), self.take("Q"))
        return self.take(_scalar(kind)), 1

    def _array(self, kind: int, length: int) -> tuple[Any, int]:
        if kind == _ARRAY:
            for _ in range(length):
                self.value(kind)
            return None, length
        if kind == _STRING:
            for _ in range(length):
                self._skip(self.take("Q"))
            return None, length
        code = _scalar(kind)
        if length > _LONGEST_KEPT:
            self._skip(length * struct.calcsize(f"<{code}"))
            return None, length
        return [self.take(code) for _ in range(length)], length

    def _skip(self, count: int) -> int:
        """Where what is skipped begins."""
        begin, self.at = self.at, self.at + count
        if self.at > self.size:
            raise struct.error
        return begin


def _scalar(kind: int) -> str:
    if kind not in _SCALARS:
        raise NotGGUFError
    return _SCALARS[kind]
