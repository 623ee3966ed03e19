"""The users' test kit: a clock to wind, a runtime in memory, kills at every commit, a scripted model, calls that go
wrong on order."""

from callboard.models import Fault, ScriptedModel, call
from callboard.resilience.faults import FaultKind, FaultRule, read_rules
from callboard.testing.chaos import Chaos, Round, chaos, every_kind, sweep
from callboard.testing.chaos_report import ChaosReport
from callboard.testing.clock import WindingClock
from callboard.testing.crash import survives_kills
from callboard.testing.evidence import Weathered
from callboard.testing.runtime import TestRuntime, runtime

__all__ = [
    "Chaos",
    "ChaosReport",
    "Fault",
    "FaultKind",
    "FaultRule",
    "Round",
    "ScriptedModel",
    "TestRuntime",
    "Weathered",
    "WindingClock",
    "call",
    "chaos",
    "every_kind",
    "read_rules",
    "runtime",
    "survives_kills",
    "sweep",
]
