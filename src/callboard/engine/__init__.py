"""Durable execution: flows, replay, claims, waits. Knows nothing of models, tools or policy."""
