"""Callboard: durable, governed multi-agent LLM systems in Python.

Names are loaded on first use, so that `callboard --help` does not wait for what it does not need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from callboard.agents.agent import Agent
    from callboard.agents.app import App
    from callboard.agents.limits import Limits
    from callboard.domain.errors import (
        CallboardError,
        LimitReached,
        Overloaded,
        RunCancelled,
        RunFailed,
        StepFailed,
        TimedOut,
        ToolFailed,
    )
    from callboard.domain.heartbeat import Heartbeat
    from callboard.domain.retry import Retry
    from callboard.domain.run import RunStatus
    from callboard.domain.suspension import Cancelled
    from callboard.engine.context import Context
    from callboard.engine.handle import RunHandle
    from callboard.engine.waits import Decision
    from callboard.models import ScriptedModel
    from callboard.runtime import Runtime, open
    from callboard.settings import Settings
    from callboard.tools import Applied, IdempotencyKey, NotApplied, Unknown, UpstreamDown, UpstreamRejected

__all__ = [
    "Agent",
    "App",
    "Applied",
    "CallboardError",
    "Cancelled",
    "Context",
    "Decision",
    "Heartbeat",
    "IdempotencyKey",
    "LimitReached",
    "Limits",
    "NotApplied",
    "Overloaded",
    "Retry",
    "RunCancelled",
    "RunFailed",
    "RunHandle",
    "RunStatus",
    "Runtime",
    "ScriptedModel",
    "Settings",
    "StepFailed",
    "TimedOut",
    "ToolFailed",
    "Unknown",
    "UpstreamDown",
    "UpstreamRejected",
    "open",
]

_HOMES = {
    "Agent": "callboard.agents.agent",
    "App": "callboard.agents.app",
    "Applied": "callboard.tools",
    "CallboardError": "callboard.domain.errors",
    "Cancelled": "callboard.domain.suspension",
    "Context": "callboard.engine.context",
    "Decision": "callboard.engine.waits",
    "Heartbeat": "callboard.domain.heartbeat",
    "IdempotencyKey": "callboard.tools",
    "LimitReached": "callboard.domain.errors",
    "Limits": "callboard.agents.limits",
    "NotApplied": "callboard.tools",
    "Overloaded": "callboard.domain.errors",
    "Retry": "callboard.domain.retry",
    "RunCancelled": "callboard.domain.errors",
    "RunFailed": "callboard.domain.errors",
    "RunHandle": "callboard.engine.handle",
    "RunStatus": "callboard.domain.run",
    "Runtime": "callboard.runtime",
    "ScriptedModel": "callboard.models",
    "Settings": "callboard.settings",
    "StepFailed": "callboard.domain.errors",
    "TimedOut": "callboard.domain.errors",
    "ToolFailed": "callboard.domain.errors",
    "Unknown": "callboard.tools",
    "UpstreamDown": "callboard.tools",
    "UpstreamRejected": "callboard.tools",
    "open": "callboard.runtime",
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
