"""Callboard: durable, governed multi-agent LLM systems in Python."""

from callboard.agents.agent import Agent
from callboard.agents.app import App
from callboard.agents.limits import Limits
from callboard.domain.errors import (
    CallboardError,
    Cancelled,
    LimitReached,
    RunCancelled,
    RunFailed,
    StepFailed,
    TimedOut,
    ToolFailed,
)
from callboard.domain.retry import Retry
from callboard.domain.run import RunStatus
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
    "IdempotencyKey",
    "LimitReached",
    "Limits",
    "NotApplied",
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
