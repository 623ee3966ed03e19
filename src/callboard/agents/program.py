"""What a runtime needs of the program whose runs it executes: an App, or what looks like one."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from callboard.agents.dependencies import Dependencies
from callboard.agents.role import Role
from callboard.agents.surroundings import Surroundings
from callboard.agents.tool import JournaledTool
from callboard.engine.flow import Flow
from callboard.engine.timetable import Plan
from callboard.resilience.counters import Counters
from callboard.resilience.faults import Faults
from callboard.settings import Settings
from callboard.store.budgets import Limit
from callboard.store.store import Store


class Flows(Protocol):
    """What a runtime needs of an app: its flows, agents' among them."""

    def flows(self) -> Iterable[Flow]:
        """All flows, every version."""
        ...

    def roles(self) -> Iterable[Role]:
        """What its agents are, for doors that show them."""
        ...

    @property
    def tools(self) -> Mapping[str, JournaledTool]:
        """What its flows and agents may call."""
        ...

    def schedules(self) -> Iterable[Plan]:
        """All schedules, which a worker puts into the store when it opens."""
        ...

    def surround(
        self,
        settings: Settings,
        store: Store,
        counters: Counters,
        faults: Faults | None = None,
        limits: Callable[[], Sequence[Limit]] = tuple,
        clock: Callable[[], float] = time.monotonic,
    ) -> Surroundings:
        """What agents and tools find around them; `limits` are what operators allow, as they are now.

        `clock` has the seconds by which gates go. Raises InputInvalid for a configuration that cannot be.
        """
        ...

    def dependencies(self, around: Surroundings) -> Dependencies:
        """The upstreams of its tools and models, for doors that list them."""
        ...

    async def opened(self, settings: Settings) -> None:
        """Called before a worker in this process executes anything, to open what the tools need."""
        ...
