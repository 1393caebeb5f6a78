"""An application's own graders and job kinds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradeq.assembly import Assembly, Registration
from gradeq.errors import ConfigError
from gradeq.handlers.base import GraderFacts
from gradeq.handlers.coded import GraderFunction, JobFunction
from gradeq.model import GRADING
from gradeq.outcome import MAX_ATTEMPTS


class Graders:
    """The engine's half that takes them in, before it is opened."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly

    def grader(
        self,
        name: str,
        *,
        max_attempts: int = MAX_ATTEMPTS,
        timeout: float = 120.0,
        concurrency: int = 5,
        requests_per_minute: float | None = None,
    ) -> Callable[[GraderFunction], GraderFunction]:
        """Register a coroutine `Job -> Grade`; it may raise Snooze(seconds) or Reject(why).

        `timeout` in seconds bounds each call, `concurrency` and `requests_per_minute` all of them.
        Raises what `job_kind` does.
        """
        register = self.job_kind(
            name,
            kind=GRADING,
            max_attempts=max_attempts,
            timeout=timeout,
            concurrency=concurrency,
            requests_per_minute=requests_per_minute,
        )

        def decorate(function: GraderFunction) -> GraderFunction:
            register(function)
            return function

        return decorate

    def job_kind(
        self,
        name: str,
        *,
        kind: str | None = None,
        max_attempts: int = MAX_ATTEMPTS,
        timeout: float = 120.0,
        concurrency: int = 5,
        requests_per_minute: float | None = None,
    ) -> Callable[[JobFunction], JobFunction]:
        """Register a coroutine `Job -> anything JSON can hold` for jobs with payloads.

        Raises ConfigError for what could never work, ConflictError for a name that is taken, or
        when the engine is open.
        """
        self._assembly.refuse_when_open()
        _refuse_impossible(name, max_attempts, timeout, concurrency, requests_per_minute)

        def decorate(function: JobFunction) -> JobFunction:
            self._assembly.register(
                Registration(
                    name,
                    kind or name,
                    function,
                    max_attempts,
                    timeout,
                    concurrency,
                    requests_per_minute,
                )
            )
            return function

        return decorate

    def about(self, grader: str) -> GraderFacts:
        """Its kind, its model, whether it works overnight. Raises NotFoundError."""
        return self._assembly.facts(grader)

    def timeout_of(self, grader: str) -> float | None:
        """The seconds that one call of this grader may take; None for an unknown one."""
        return self._assembly.timeout(grader)

    @property
    def graders(self) -> Sequence[str]:
        """The names that may be submitted to."""
        return tuple(self._assembly.names())


def _refuse_impossible(
    name: object,
    max_attempts: int,
    timeout: float,
    concurrency: int,
    requests_per_minute: float | None,
) -> None:
    """Told where it is written, not when the engine opens or the first job fails."""
    if not isinstance(name, str) or not name.strip():
        raise ConfigError('a grader needs a name: @engine.grader("words"), with the brackets')
    for option, value, least in (
        ("max_attempts", max_attempts, 1),
        ("concurrency", concurrency, 1),
    ):
        if value < least:
            raise ConfigError(f"grader {name!r}: {option} is {value}; it must be {least} or more")
    for limit, seconds in (("timeout", timeout), ("requests_per_minute", requests_per_minute)):
        if seconds is not None and not seconds > 0:
            raise ConfigError(f"grader {name!r}: {limit} is {seconds:g}; it must be above 0")
