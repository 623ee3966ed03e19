"""A shop with sixteen tools: the outside system that agents work on, and the agent that works on it."""

from examples.retail.desk import handle
from examples.retail.tools import app

__all__ = ["app", "handle"]
