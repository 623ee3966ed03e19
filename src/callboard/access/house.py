"""What a desk works with: the runtime, as far as this room needs to know it."""

from typing import Any, Protocol

from callboard.agents.budgeting import Budgeting
from callboard.agents.costs import Costs
from callboard.agents.dependencies import Dependencies
from callboard.agents.lens import Saw
from callboard.agents.role import Role
from callboard.engine.commands import Commands
from callboard.engine.handle import RunHandle
from callboard.engine.services import Services
from callboard.engine.sessions import Conversations
from callboard.engine.timetable import ScheduleCommands
from callboard.settings import Settings


class House(Protocol):
    """A runtime."""

    services: Services
    settings: Settings
    commands: Commands
    sessions: Conversations
    schedules: ScheduleCommands
    budgets: Budgeting
    upstreams: Dependencies
    costs: Costs
    roles: dict[str, Role]

    async def start(
        self,
        flow: Any,
        input: Any = None,
        *,
        key: str | None = None,
        tenant: str | None = None,
        priority: int = 0,
        labels: dict[str, str] | None = None,
        start_at: float | None = None,
        delay: float = 0.0,
        by: str | None = None,
        trace: str | None = None,
        webhook: str | None = None,
    ) -> RunHandle:
        """Starts a run, see Runtime.start."""
        ...

    def handle(self, run_id: str, *, tenant: str | None = None) -> RunHandle:
        """A handle on a run."""
        ...

    async def seen(self, run_id: str, *, tenant: str | None = None, until: int | None = None) -> Saw:
        """What the models of a run saw."""
        ...
