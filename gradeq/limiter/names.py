"""Which pool is meant: people know a pool by its provider's name, or by a part of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gradeq.errors import ConflictError, NotFoundError

_Test = Callable[["KnownPool"], bool]


@dataclass(frozen=True, slots=True)
class KnownPool:
    """A pool by its name, with the providers that use it. `is_live`: of this process."""

    name: str
    providers: tuple[str, ...] = ()
    is_parked: bool = False
    is_live: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The shortest first."""
        return (*self.providers, self.name)


def find_pool(wanted: str, known: Iterable[KnownPool]) -> KnownPool:
    """By the whole name, by a provider's name, or by a part that only one has.

    Of several that fit, the parked one is meant, then the one of this process. Raises
    NotFoundError where none fits and ConflictError where several do, each with what there is.
    """
    pools = list(known)
    word = wanted.strip().casefold()
    tests: tuple[_Test, ...] = (
        lambda one: one.name.casefold() == word,
        lambda one: word in map(str.casefold, one.providers),
        lambda one: bool(word) and any(word in name.casefold() for name in one.names),
    )
    for test in tests:
        if fitting := _narrowed([one for one in pools if test(one)]):
            return _only(wanted, fitting)
    raise NotFoundError(f"there is no pool {wanted!r} (known: {_listed(pools) or 'none yet'})")


def _narrowed(fitting: list[KnownPool]) -> list[KnownPool]:
    is_better: tuple[_Test, ...] = (lambda one: one.is_parked, lambda one: one.is_live)
    for test in is_better:
        fitting = [one for one in fitting if test(one)] or fitting
    return fitting


def _only(wanted: str, fitting: list[KnownPool]) -> KnownPool:
    if len(fitting) > 1:
        raise ConflictError(
            f"{wanted!r} may be any of {len(fitting)} pools; nothing was changed. "
            f"Name one of them: {_listed(fitting)}"
        )
    return fitting[0]


def _listed(pools: Iterable[KnownPool]) -> str:
    return ", ".join(repr(one.name) for one in pools)
