"""What runs cost, summed: by what each run is, and by who of its agents asked which model."""

from typing import Protocol

import msgspec

from callboard.domain.bill import Bill
from callboard.domain.run import RunStatus
from callboard.domain.usage import Usage


class Cost(msgspec.Struct, frozen=True):
    """What runs cost that stand alike.

    Attributes:
        day: on which they ended, by the calendar in UTC, `2026-11-21`; of those that go on, the day of the question.
        flow: its name.
        version: of the flow.
        child: whether another run had started them; what a root costs in all is its own and its children's.
        status: how they stand.
        runs: how many they are.
        usage: what they spent together, each for itself.
    """

    day: str
    flow: str
    version: str
    child: bool
    status: RunStatus
    runs: int
    usage: Usage


class Billed(msgspec.Struct, frozen=True):
    """What one agent's calls of one model came to in runs that stand alike.

    A run in which an agent asked two models is in two of these, and counted in one: so a sum over an agent's has each
    of its runs once.

    Attributes:
        day, flow, status: as a Cost has them.
        bill: who asked whom, and what that came to; its usage has no reasoning and no written tokens.
        of_agent: runs, for sums over an agent's.
        of_model: runs, for sums over a model's.
    """

    day: str
    flow: str
    status: RunStatus
    bill: Bill
    of_agent: int
    of_model: int


class Spending(msgspec.Struct, frozen=True):
    """What runs cost, and what of that agents' calls of models came to, as both stood in one moment.

    Bills are less than costs where something was spent for no agent, and where runs are older than the record of it.
    """

    costs: list[Cost]
    bills: list[Billed]


class Costs(Protocol):
    """Sums over a tenant's runs: those that ended at `since` (epoch seconds) or later, and those that have not ended,
    which count on the day of `now`."""

    async def runs(self, tenant: str, since: float, now: float) -> list[Cost]:
        """What the runs cost, by day, flow, version, child and status."""
        ...

    async def spending(self, tenant: str, since: float, now: float) -> Spending:
        """The same, and what agents' calls of models cost in them, by day, flow, status, agent and model."""
        ...

    async def tenants(self, limit: int) -> list[str]:
        """The tenants that have runs, by name, for operators."""
        ...
