"""gradeq: a durable, throttled queue that grades student work with an LLM.

Importing this loads neither a server nor an HTTP client.
"""

from gradeq.config import Config, ProviderSettings, load_config
from gradeq.engine import Engine
from gradeq.errors import (
    ChangedError,
    ConfigError,
    ConflictError,
    GradeqError,
    InputError,
    NoPricesError,
    NoReferenceError,
    NoRubricError,
    NotFoundError,
    RubricError,
    SchemaTooNewError,
    StoreError,
    StoreLockedError,
)
from gradeq.model import (
    CriterionGrade,
    Evidence,
    Flag,
    Grade,
    GradeSource,
    Job,
    JobState,
    NewSubmission,
    Submission,
    SubmissionStatus,
)
from gradeq.outcome import Reject, Snooze
from gradeq.results import Result

__version__ = "0.1.0"

__all__ = [
    "ChangedError",
    "Config",
    "ConfigError",
    "ConflictError",
    "CriterionGrade",
    "Engine",
    "Evidence",
    "Flag",
    "Grade",
    "GradeSource",
    "GradeqError",
    "InputError",
    "Job",
    "JobState",
    "NewSubmission",
    "NoPricesError",
    "NoReferenceError",
    "NoRubricError",
    "NotFoundError",
    "ProviderSettings",
    "Reject",
    "Result",
    "RubricError",
    "SchemaTooNewError",
    "Snooze",
    "StoreError",
    "StoreLockedError",
    "Submission",
    "SubmissionStatus",
    "load_config",
]
