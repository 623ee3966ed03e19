"""What agents and tools find around them in one runtime: gates, models, routes, prices, budgets, kept answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from callboard.agents.charging import Charging
from callboard.agents.lens import Lens
from callboard.engine.context import Context
from callboard.models.pricing import Prices
from callboard.models.registry import Models
from callboard.models.route import Route
from callboard.resilience.gate import Upstreams
from callboard.store.answers import Answers

if TYPE_CHECKING:
    from callboard.telemetry.exposition import UpstreamLevel


@dataclass(frozen=True, slots=True)
class Surroundings:
    """One of each; every runtime has its own. `lens` is there while somebody only looks at a run."""

    upstreams: Upstreams
    models: Models
    routes: Mapping[str, Route]
    prices: Prices
    charging: Charging
    answers: Answers
    lens: Lens | None = None

    def levels(self) -> "list[UpstreamLevel]":
        """How the upstreams stand that this process has called, by what it knows without asking anybody."""
        from callboard.telemetry.exposition import UpstreamLevel

        found = []
        for gate in self.upstreams.all():
            seen, limit = gate.seen(), gate.upstream.concurrency
            found.append(UpstreamLevel(gate.upstream.name, str(seen.phase), seen.inside, limit))
        return found

    @classmethod
    def of(cls, ctx: Context) -> "Surroundings":
        """Those of the runtime that executes this run."""
        return ctx.carried(cls)
