"""Models: what they are asked, what they stream back, and a scripted one."""

from callboard.models.model import (
    CallDelta,
    Delta,
    FinishReason,
    Model,
    ModelRequest,
    ModelResponse,
    ReasoningDelta,
    RetryLater,
    StreamPart,
    TextDelta,
    respond,
)
from callboard.models.reply import Reply, call
from callboard.models.scripted import Fault, Script, ScriptedModel

__all__ = [
    "CallDelta",
    "Delta",
    "Fault",
    "FinishReason",
    "Model",
    "ModelRequest",
    "ModelResponse",
    "ReasoningDelta",
    "Reply",
    "RetryLater",
    "Script",
    "ScriptedModel",
    "StreamPart",
    "TextDelta",
    "call",
    "respond",
]
