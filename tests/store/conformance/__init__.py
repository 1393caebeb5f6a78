"""What every Store must do, whatever it is made of.

A store's test module subclasses each suite and gives the fixtures `clock` (a ManualClock) and
`make_store` (see helpers.StoreMaker). Every test ends with a recount of all counters.
"""

from .batches import BatchSuite, RetrySuite, StatusSuite
from .claiming import ClaimSuite
from .grading import GradeSuite, ReleaseSuite
from .leases import LeaseSuite, RecoverySuite
from .papers import ArchiveSuite, PaperSuite
from .reading import EventSuite, LifeSuite, PositionSuite, ReadingSuite, ResultSuite
from .salvage import CrashedAnswerSuite, SalvageSuite
from .settling import BadOutcomeSuite, ConfiguredStreakSuite, SettleSuite, StreakSuite
from .submitting import IdempotencySuite, SubmitSuite

__all__ = [
    "ArchiveSuite",
    "BadOutcomeSuite",
    "BatchSuite",
    "ClaimSuite",
    "ConfiguredStreakSuite",
    "CrashedAnswerSuite",
    "EventSuite",
    "GradeSuite",
    "IdempotencySuite",
    "LeaseSuite",
    "LifeSuite",
    "PaperSuite",
    "PositionSuite",
    "ReadingSuite",
    "RecoverySuite",
    "ReleaseSuite",
    "ResultSuite",
    "RetrySuite",
    "SalvageSuite",
    "SettleSuite",
    "StatusSuite",
    "StreakSuite",
    "SubmitSuite",
]
