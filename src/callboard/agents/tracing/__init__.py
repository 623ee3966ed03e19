"""Spans of runs, derived from their journals when they have ended. Nothing is recorded for them while a run runs."""

from callboard.agents.tracing.content import Content
from callboard.agents.tracing.installed import Installed
from callboard.agents.tracing.run import spans_of

__all__ = ["Content", "Installed", "spans_of"]
