"""Tools: functions with a contract that agents may call."""

from callboard.tools.contract import (
    Applied,
    IdempotencyKey,
    NotApplied,
    Reconciled,
    SideEffect,
    Unknown,
    UpstreamBusy,
    UpstreamDown,
    UpstreamRejected,
    retryable,
)
from callboard.tools.tool import Tool
from callboard.tools.toolbox import Toolbox

__all__ = [
    "Applied",
    "IdempotencyKey",
    "NotApplied",
    "Reconciled",
    "SideEffect",
    "Tool",
    "Toolbox",
    "Unknown",
    "UpstreamBusy",
    "UpstreamDown",
    "UpstreamRejected",
    "retryable",
]
