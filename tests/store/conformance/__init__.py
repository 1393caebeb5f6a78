"""What every Store must do, whatever it is made of.

A store's test module subclasses each suite and gives the fixtures `clock` (a ManualClock) and
`make_store` (see helpers.StoreMaker). After every test all counters are compared with a recount.
The module machine asks the same in any order, with crashes in between.
"""

from .batches import BatchSuite, RetrySuite, StatusSuite
from .claiming import ClaimSuite
from .grading import GradeSuite, JudgedSuite, ReleaseSuite, ReviewSuite, WalkSuite
from .history import EventSuite, LifeSuite, ResultSuite
from .leases import LeaseSuite, RecoverySuite
from .money import CapSuite, DaySuite, ReservationSuite, WriteOffSuite
from .overnight import CollectSuite, NightCrashSuite, NightSuite, PostSuite
from .overview import OverviewSuite
from .papers import ArchiveSuite, PaperSuite
from .people import CourseSuite, LinkSuite, PassSuite, PeopleSuite
from .reading import PositionSuite, ReadingSuite
from .salvage import CrashedAnswerSuite, SalvageSuite
from .settling import BadOutcomeSuite, SettleSuite
from .streaks import ConfiguredStreakSuite, StreakSuite
from .submitting import IdempotencySuite, SubmitSuite

__all__ = [
    "ArchiveSuite",
    "BadOutcomeSuite",
    "BatchSuite",
    "CapSuite",
    "ClaimSuite",
    "CollectSuite",
    "ConfiguredStreakSuite",
    "CourseSuite",
    "CrashedAnswerSuite",
    "DaySuite",
    "EventSuite",
    "GradeSuite",
    "IdempotencySuite",
    "JudgedSuite",
    "LeaseSuite",
    "LifeSuite",
    "LinkSuite",
    "NightCrashSuite",
    "NightSuite",
    "OverviewSuite",
    "PaperSuite",
    "PassSuite",
    "PeopleSuite",
    "PositionSuite",
    "PostSuite",
    "ReadingSuite",
    "RecoverySuite",
    "ReleaseSuite",
    "ReservationSuite",
    "ResultSuite",
    "RetrySuite",
    "ReviewSuite",
    "SalvageSuite",
    "SettleSuite",
    "StatusSuite",
    "StreakSuite",
    "SubmitSuite",
    "WalkSuite",
    "WriteOffSuite",
]
