"""Policy: what may be done. It decides, and never acts or stores."""

from callboard.policy.budget import Budget, Period, Scope, budget
from callboard.policy.charges import Rule, Rules
from callboard.policy.warnings import Warned, warnings

__all__ = ["Budget", "Period", "Rule", "Rules", "Scope", "Warned", "budget", "warnings"]
