"""Models: what they are asked, what they stream back, and a scripted one."""

from callboard.models.info import Ability, ModelInfo, Price, info_of
from callboard.models.model import (
    CallDelta,
    Considered,
    Delta,
    FinishReason,
    Model,
    ModelRequest,
    ModelResponse,
    ReasoningDelta,
    RestartDelta,
    RetryLater,
    StreamPart,
    TextDelta,
    respond,
)
from callboard.models.reply import Reply, call
from callboard.models.route import Candidate, Order, Route, route
from callboard.models.scripted import Fault, Script, ScriptedModel

__all__ = [
    "Ability",
    "CallDelta",
    "Candidate",
    "Considered",
    "Delta",
    "Fault",
    "FinishReason",
    "Model",
    "ModelInfo",
    "ModelRequest",
    "ModelResponse",
    "Order",
    "Price",
    "ReasoningDelta",
    "Reply",
    "RestartDelta",
    "RetryLater",
    "Route",
    "Script",
    "ScriptedModel",
    "StreamPart",
    "TextDelta",
    "call",
    "info_of",
    "respond",
    "route",
]
