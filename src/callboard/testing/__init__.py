"""The users' test kit: a clock to wind, a runtime in memory, kills at every commit, a scripted model."""

from callboard.models import Fault, ScriptedModel, call
from callboard.testing.clock import WindingClock
from callboard.testing.crash import survives_kills
from callboard.testing.runtime import TestRuntime, runtime

__all__ = ["Fault", "ScriptedModel", "TestRuntime", "WindingClock", "call", "runtime", "survives_kills"]
