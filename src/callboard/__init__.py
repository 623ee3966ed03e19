"""Callboard: durable, governed multi-agent LLM systems in Python."""

from callboard.agents.app import App
from callboard.engine.context import Context
from callboard.runtime import Runtime, open

__all__ = ["App", "Context", "Runtime", "open"]
