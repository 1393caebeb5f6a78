"""A text that remembers where each of its characters came from."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Mapped:
    """`text`, changed from an original; character i stands for original[starts[i]:ends[i]].

    Changes are made one after the other and the offsets always lead back to the first text.
    """

    text: str
    starts: Sequence[int] = field(repr=False)
    ends: Sequence[int] = field(repr=False)

    @classmethod
    def of(cls, text: str) -> Mapped:
        """A text that has not been changed yet."""
        return cls(text, range(len(text)), range(1, len(text) + 1))

    def replaced(self, changes: Iterable[tuple[int, int, str]]) -> Mapped:
        """With each text[start:end] replaced; changes ascend, do not overlap, none is empty."""
        pieces: list[str] = []
        starts, ends = array("q"), array("q")
        done = 0

        def keep(until: int) -> None:
            pieces.append(self.text[done:until])
            starts.extend(self.starts[done:until])
            ends.extend(self.ends[done:until])

        for start, end, new in changes:
            keep(start)
            pieces.append(new)
            starts.extend([self.starts[start]] * len(new))
            ends.extend([self.ends[end - 1]] * len(new))
            done = end
        if not done:
            return self
        keep(len(self.text))
        return Mapped("".join(pieces), starts, ends)

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Where text[start:end] (not empty) stands in the original, end exclusive."""
        return self.starts[start], self.ends[end - 1]
