"""A provider that is no provider: a server on this machine that behaves like the real ones."""

from gradeq.providers.simulated.faults import Fault, FaultPlan, FaultRule
from gradeq.providers.simulated.server import Simulator
from gradeq.providers.simulated.settings import DEFAULT_MODEL, SimulatorSettings
from gradeq.providers.simulated.stats import Standing, Stats

__all__ = [
    "DEFAULT_MODEL",
    "Fault",
    "FaultPlan",
    "FaultRule",
    "Simulator",
    "SimulatorSettings",
    "Standing",
    "Stats",
]
