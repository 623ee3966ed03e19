"""What agents and tools find around them in one runtime: gates, models, routes, prices, budgets, kept answers."""

from collections.abc import Mapping
from dataclasses import dataclass

from callboard.agents.charging import Charging
from callboard.engine.context import Context
from callboard.models.pricing import Prices
from callboard.models.registry import Models
from callboard.models.route import Route
from callboard.resilience.gate import Upstreams
from callboard.store.answers import Answers


@dataclass(frozen=True, slots=True)
class Surroundings:
    """One of each; every runtime has its own."""

    upstreams: Upstreams
    models: Models
    routes: Mapping[str, Route]
    prices: Prices
    charging: Charging
    answers: Answers

    @classmethod
    def of(cls, ctx: Context) -> "Surroundings":
        """Those of the runtime that executes this run."""
        return ctx.carried(cls)
