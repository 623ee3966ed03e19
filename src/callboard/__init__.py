"""Callboard: durable, governed multi-agent LLM systems in Python.

Names are loaded on first use, so that `callboard --help` does not wait for what it does not need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from callboard.agents.agent import Agent
    from callboard.agents.answers import Cache
    from callboard.agents.app import App
    from callboard.agents.compaction import Compaction
    from callboard.agents.handling import compensate, escalate, fail, retry, use
    from callboard.agents.limits import Limits
    from callboard.agents.progress import Progress
    from callboard.agents.stops import Stop, after_tool, unsure, when_said
    from callboard.domain.attempted import Failed, Ok
    from callboard.domain.chat import Chat
    from callboard.domain.errors import (
        CallboardError,
        CompensationFailed,
        Incomplete,
        LimitReached,
        Overloaded,
        RunCancelled,
        RunFailed,
        StepFailed,
        TimedOut,
        ToolFailed,
    )
    from callboard.domain.heartbeat import Heartbeat
    from callboard.domain.partial import Partial
    from callboard.domain.retry import Retry
    from callboard.domain.run import RunStatus
    from callboard.domain.suspension import Cancelled
    from callboard.engine.context import Context
    from callboard.engine.handle import RunHandle
    from callboard.engine.waits import Decision
    from callboard.models import Candidate, ScriptedModel
    from callboard.policy import Budget
    from callboard.resilience.upstream import Upstream
    from callboard.runtime import Runtime, open
    from callboard.settings import Settings
    from callboard.telemetry.current import traceparent
    from callboard.tools import (
        Applied,
        IdempotencyKey,
        NotApplied,
        Unknown,
        UpstreamBusy,
        UpstreamDown,
        UpstreamRejected,
    )

__all__ = [
    "Agent",
    "App",
    "Applied",
    "Budget",
    "Cache",
    "CallboardError",
    "Cancelled",
    "Candidate",
    "Chat",
    "Compaction",
    "CompensationFailed",
    "Context",
    "Decision",
    "Failed",
    "Heartbeat",
    "IdempotencyKey",
    "Incomplete",
    "LimitReached",
    "Limits",
    "NotApplied",
    "Ok",
    "Overloaded",
    "Partial",
    "Progress",
    "Retry",
    "RunCancelled",
    "RunFailed",
    "RunHandle",
    "RunStatus",
    "Runtime",
    "ScriptedModel",
    "Settings",
    "StepFailed",
    "Stop",
    "TimedOut",
    "ToolFailed",
    "Unknown",
    "Upstream",
    "UpstreamBusy",
    "UpstreamDown",
    "UpstreamRejected",
    "after_tool",
    "compensate",
    "escalate",
    "fail",
    "open",
    "retry",
    "traceparent",
    "unsure",
    "use",
    "when_said",
]

_HOMES = {
    "Agent": "callboard.agents.agent",
    "App": "callboard.agents.app",
    "Applied": "callboard.tools",
    "Budget": "callboard.policy",
    "Cache": "callboard.agents.answers",
    "CallboardError": "callboard.domain.errors",
    "Cancelled": "callboard.domain.suspension",
    "Candidate": "callboard.models",
    "Chat": "callboard.domain.chat",
    "Compaction": "callboard.agents.compaction",
    "CompensationFailed": "callboard.domain.errors",
    "Context": "callboard.engine.context",
    "Decision": "callboard.engine.waits",
    "Failed": "callboard.domain.attempted",
    "Heartbeat": "callboard.domain.heartbeat",
    "IdempotencyKey": "callboard.tools",
    "Incomplete": "callboard.domain.errors",
    "LimitReached": "callboard.domain.errors",
    "Limits": "callboard.agents.limits",
    "NotApplied": "callboard.tools",
    "Ok": "callboard.domain.attempted",
    "Overloaded": "callboard.domain.errors",
    "Partial": "callboard.domain.partial",
    "Progress": "callboard.agents.progress",
    "Retry": "callboard.domain.retry",
    "RunCancelled": "callboard.domain.errors",
    "RunFailed": "callboard.domain.errors",
    "RunHandle": "callboard.engine.handle",
    "RunStatus": "callboard.domain.run",
    "Runtime": "callboard.runtime",
    "ScriptedModel": "callboard.models",
    "Settings": "callboard.settings",
    "StepFailed": "callboard.domain.errors",
    "Stop": "callboard.agents.stops",
    "TimedOut": "callboard.domain.errors",
    "ToolFailed": "callboard.domain.errors",
    "Unknown": "callboard.tools",
    "Upstream": "callboard.resilience.upstream",
    "UpstreamBusy": "callboard.tools",
    "UpstreamDown": "callboard.tools",
    "UpstreamRejected": "callboard.tools",
    "after_tool": "callboard.agents.stops",
    "compensate": "callboard.agents.handling",
    "escalate": "callboard.agents.handling",
    "fail": "callboard.agents.handling",
    "open": "callboard.runtime",
    "retry": "callboard.agents.handling",
    "traceparent": "callboard.telemetry.current",
    "unsure": "callboard.agents.stops",
    "use": "callboard.agents.handling",
    "when_said": "callboard.agents.stops",
}


def __getattr__(name: str) -> Any:
    """Loads a public name from where it lives."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
