"""What a server and its model take of a dialect, learned from what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

from gradeq.outcome import ErrorClass
from gradeq.providers.base import Failure
from gradeq.providers.complaint import Complaint, read_complaint

Form = TypeVar("Form")

_ADAPTABLE = (400, 422)


class Learner(Generic[Form]):
    """Holds the form in which to ask. `adapt` leaves out of a form what a complaint refuses, or
    gives None where it refuses something else."""

    def __init__(self, first_form: Form, adapt: Callable[[Form, Complaint], Form | None]) -> None:
        self.form = first_form
        self._adapt = adapt

    def learned(self, failure: Failure, body: bytes, sent: Form) -> Failure | None:
        """The same failure as one to ask again at once, where the form `sent` was at fault.

        Calls sent before the first refusal was read are refused too; they teach nothing new.
        """
        if failure.error is not ErrorClass.BAD_REQUEST or failure.status not in _ADAPTABLE:
            return None
        complaint = read_complaint(body)
        if self._adapt(sent, complaint) is None:
            return None
        self.form = self._adapt(self.form, complaint) or self.form
        said = failure.reason.partition("”. ")[0]
        return replace(
            failure,
            error=ErrorClass.SNOOZED,
            reason=f"{said}”. gradeq leaves that out from now on and asks again at once.",
            signals=replace(failure.signals, retry_after=0.0),
        )
