"""Pauses and limits that operators set on tenants, flows and tools while everything runs."""

from enum import StrEnum
from typing import Protocol

import msgspec


class Scope(StrEnum):
    """What a control is about."""

    TENANT = "tenant"
    FLOW = "flow"
    TOOL = "tool"


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant, flow (by name, all versions) or tool.

    Attributes:
        paused: nothing of it is begun; what is running goes on. For a tool: calls wait.
        running: how many of its runs may be executed at a time, over all workers; None for any number. Runs
            that wait do not count. Not for tools.
        by: who set it.
        at: when, in epoch seconds.
    """

    scope: Scope
    name: str
    paused: bool = False
    running: int | None = None
    by: str = ""
    at: float = 0.0


class Controls(Protocol):
    """Sets and reads controls. They hold for all workers at once; nothing is interrupted by them."""

    async def put(self, control: Control) -> None:
        """Sets a control, in place of the one before it."""
        ...

    async def remove(self, scope: Scope, name: str) -> bool:
        """Lifts it; False when there was none."""
        ...

    async def all(self) -> list[Control]:
        """All of them, by scope and name."""
        ...
