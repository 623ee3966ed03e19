"""The HTTP API: runs, sessions, approvals and everything else that programs ask for."""

from callboard.apps.gateway.application import application

__all__ = ["application"]
