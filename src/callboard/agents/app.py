"""An app: the flows, tools and agents of one program, by name."""

import inspect
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar, overload

from callboard.agents.agent import Agent
from callboard.agents.charging import Charging
from callboard.agents.configuration import Configuration, provided, read_configuration
from callboard.agents.dependencies import Dependencies
from callboard.agents.handling import OnFailure
from callboard.agents.lineup import check
from callboard.agents.role import Role
from callboard.agents.surroundings import Surroundings
from callboard.agents.tool import JournaledTool
from callboard.domain.errors import InputInvalid
from callboard.engine.flow import Body, Flow
from callboard.engine.timetable import Plan
from callboard.models import Candidate, Model, Route, route
from callboard.models.pricing import Prices
from callboard.models.registry import Models
from callboard.policy import Budget, budget
from callboard.resilience.counters import Counters
from callboard.resilience.faults import Faults
from callboard.resilience.gate import Upstreams
from callboard.resilience.upstream import Upstream, upstream
from callboard.settings import Settings
from callboard.store.budgets import Limit
from callboard.store.store import Store
from callboard.tools import SideEffect, Tool, Toolbox

Runnable = TypeVar("Runnable", bound=Flow | Agent)


class App:
    """Collects flows, tools and agents. Nothing is global: two apps in one process do not know of each other.

    Args:
        name: the app's name.
        config: a TOML file with models, routes, upstreams, prices and budgets, see `agents/configuration.py`; the
            settings' `config` is read in its place where it is set. What it says stands over what code declares.
    """

    def __init__(self, name: str, *, config: str | Path | None = None) -> None:
        self.name = name
        self._config = config
        self._routes: dict[str, Route] = {}
        self._upstreams: dict[str, Upstream] = {}
        self._budgets: list[Budget] = []
        self._flows: dict[str, Flow] = {}
        self._agents: list[Agent] = []
        self._models: dict[str, Model] = {}
        self._on_open: list[Callable[[Settings], Any]] = []
        self._plans: dict[tuple[str | None, str], Plan] = {}
        self.toolbox = Toolbox()
        self.tools: dict[str, JournaledTool] = {}

    def flows(self) -> Iterable[Flow]:
        """All flows, agents' among them, every version."""
        return list(self._flows.values())

    def roles(self) -> Iterable[Role]:
        """What its agents are, each in the order in which it was declared."""
        return [agent.role for agent in self._agents]

    def schedules(self) -> Iterable[Plan]:
        """All schedules."""
        return list(self._plans.values())

    @overload
    def flow(self, fn: Body, /) -> Flow: ...
    @overload
    def flow(
        self, /, *, name: str | None = None, version: str = "1", needs: str | None = None
    ) -> Callable[[Body], Flow]: ...
    def flow(
        self, fn: Body | None = None, /, *, name: str | None = None, version: str = "1", needs: str | None = None
    ) -> object:
        """Declares an async function `f(ctx, input)` as a flow; with or without arguments.

        `needs` is a label that a worker must have to execute it.

        Raises InputInvalid when the function cannot be a flow, or name and version are taken.
        """

        def declare(body: Body) -> Flow:
            return self._add(Flow(body, name=name, version=version, needs=needs))

        return declare if fn is None else declare(fn)

    @overload
    def tool(self, fn: Callable[..., Any], /) -> JournaledTool: ...
    @overload
    def tool(
        self,
        /,
        *,
        effect: SideEffect | str = SideEffect.ONCE,
        on_failure: OnFailure | None = None,
        **contract: Any,
    ) -> Callable[[Callable[..., Any]], JournaledTool]: ...
    def tool(
        self,
        fn: Callable[..., Any] | None = None,
        /,
        *,
        effect: SideEffect | str = SideEffect.ONCE,
        on_failure: OnFailure | None = None,
        **contract: Any,
    ) -> object:
        """Declares a function as a tool; with or without arguments.

        Args:
            effect: what a call does to the world. `read`: nothing, it may be repeated at will. `idempotent`: a
                call repeated with the same key counts once. `once`, the default: it must never be repeated.
            on_failure: what is done about a call that has failed: callboard.retry(), use(...), escalate(),
                compensate() or fail(), or a dict of these by kind.
            contract: name, description, timeout (seconds), retry, fallback, reconcile, compensate, empty, max_result
                (bytes), as callboard.tools.Tool.of takes them.

        Raises InputInvalid when the function or the contract cannot work, or the name is taken.
        """

        def declare(body: Callable[..., Any]) -> JournaledTool:
            tool = Tool.of(body, effect, **contract)
            self.toolbox.add(tool)
            declared = self.tools[tool.name] = JournaledTool(body, tool, on_failure)
            return declared

        return declare if fn is None else declare(fn)

    def model(self, name: str, model: Model) -> None:
        """Gives a model a name, by which agents may ask for it."""
        self._models[name] = model

    def route(self, name: str, *candidates: Candidate | str, **rules: Any) -> None:
        """Declares a route by which agents ask for a model.

        Args:
            name: such as `fast` or `smart`.
            candidates: models in order of preference: names given with `app.model`, references such as
                `provider:model`, or `Candidate(...)` with what each is for.
            rules: order (listed, cost, latency, quality), max_usd, max_latency, min_quality, as Route takes them.

        Raises InputInvalid when a part of it cannot work.
        """
        self._routes[name] = route(name, *candidates, **rules)

    def upstream(self, name: str, **policy: Any) -> None:
        """Declares what is decided about an outside dependency; tools name it with `upstream=`.

        Args:
            name: the tool's API, the model provider, the database.
            policy: connect, first, total, retry, retry_share, concurrency, requests, tokens, patience, breaker,
                hedge, otherwise, as Upstream takes them; dicts where a part has parts.

        Raises InputInvalid when a part of it cannot work.
        """
        self._upstreams[name] = upstream(name, **policy)

    def budget(self, scope: str, name: str = "*", **limits: Any) -> None:
        """Declares a hard limit on what models may cost.

        Args:
            scope: tenant, flow, agent, session or run.
            name: which one; `*` for each of them, with a count of its own.
            limits: period (ever, day, month), usd (dollars as text), tokens, calls, seconds, warn, as Budget takes
                them.

        Raises InputInvalid when a part of it cannot work.
        """
        self._budgets.append(budget(scope, name, **limits))

    def surround(
        self,
        settings: Settings,
        store: Store,
        counters: Counters,
        faults: Faults | None = None,
        limits: Callable[[], Sequence[Limit]] = tuple,
        clock: Callable[[], float] = time.monotonic,
    ) -> Surroundings:
        """What agents and tools find around them in a runtime.

        `limits` are what operators allow, as they are now; `clock` has the seconds by which gates go.

        Raises InputInvalid for a bad configuration.
        """
        path = settings.config or self._config
        config = Configuration() if path is None else read_configuration(path)
        named = {name: each for name, each in self._models.items() if name not in config.models}
        around = Surroundings(
            upstreams=Upstreams({**self._upstreams, **config.upstreams}, counters, faults=faults, clock=clock),
            models=Models(named, provided(config.models), config.models),
            routes={**self._routes, **config.routes},
            prices=Prices(config.prices),
            charging=Charging((*self._budgets, *config.budgets), limits),
            answers=store.answers,
        )
        for reference in config.models.values():
            around.models.check(reference.reference)
        check(around, self.roles())
        return around

    def dependencies(self, around: Surroundings) -> Dependencies:
        """The upstreams of this app in a runtime, for those who look at them."""
        return Dependencies(around, self.tools, self.roles())

    def agent(self, name: str, *, model: Model | str | None = None, route: str | None = None, **role: Any) -> Agent:
        """Declares an agent.

        Args:
            name: how runs and journals name it.
            model: a model, the name of one, or a reference such as `provider:model`,
            route: or the name of a route, which chooses for each call. One of the two.
            role: prompt, tools, output (the type of its answer), limits, temperature, max_output_tokens, reasoning,
                model_timeout (seconds), repairs, task (for the route), compact (True or Compaction), cache, version, as
                Agent takes them.

        Raises InputInvalid when a part of it cannot work, or the name is taken; an unknown model or route is found when
        a runtime opens.
        """
        known = self._models.get(model) if isinstance(model, str) else None
        agent = Agent(name, model=model, route=route, who=None if known is None else known.name, **role)
        self._add(agent.flow)
        self._agents.append(agent)
        return agent

    @overload
    def schedule(self, cron: str, flow: Runnable | str, /, **options: Any) -> None: ...
    @overload
    def schedule(self, cron: str, /, **options: Any) -> Callable[[Runnable], Runnable]: ...
    def schedule(self, cron: str, flow: Any = None, /, *, name: str | None = None, **options: Any) -> Any:
        """Declares that a flow or an agent is started again and again; as a call, or as a decorator above `@app.flow`.

        Workers put it into the store when they begin. There it stays, also when it is no longer declared:
        `callboard schedules remove`.

        Args:
            cron: minute, hour, day, month, weekday, as `0 9 * * 1-5`; six fields begin with seconds.
            flow: a flow or an agent of this app, or the name of one.
            name: how it is called; the flow's name by default.
            options: input (JSON-like, None by default), zone (an IANA name, UTC by default), overlap (`skip`, the
                default, `queue`, `replace` or `allow`: what happens while the run before has not ended),
                catch_up (`last`, the default, `none` or `all`: which missed starts are made up for),
                tenant (that of the settings by default).

        Raises InputInvalid when a part of it cannot work, the flow is not of this app, or the name is taken.
        """

        def declare(target: Any) -> Any:
            found = getattr(target, "flow", target)
            known = [each for each in self._flows.values() if each is found or each.name == found]
            if not known:
                names = ", ".join(sorted({each.name for each in self._flows.values()})) or "none"
                raise InputInvalid(f"app {self.name} has no flow {target!r} to schedule", remedy=f"it has: {names}")
            plan = Plan.of(known[-1].name if name is None else name, known[-1], cron, **options)
            if (plan.tenant, plan.name) in self._plans:
                raise InputInvalid(f"app {self.name} has a schedule {plan.name} already", remedy="choose another name")
            self._plans[plan.tenant, plan.name] = plan
            return target

        if flow is None:
            return declare
        declare(flow)
        return None

    def on_open(self, fn: Callable[[Settings], Any]) -> Callable[[Settings], Any]:
        """Declares a function, async or not, that opens what tools need (a pool, a client) in each worker process.

        It is called with the settings before the worker executes anything.
        """
        self._on_open.append(fn)
        return fn

    async def opened(self, settings: Settings) -> None:
        """Calls what was declared with `on_open`, in order."""
        for fn in self._on_open:
            result = fn(settings)
            if inspect.isawaitable(result):
                await result

    def _add(self, flow: Flow) -> Flow:
        if flow.full_name in self._flows:
            raise InputInvalid(
                f"app {self.name} has a flow {flow.full_name} already", remedy="choose another name or version"
            )
        self._flows[flow.full_name] = flow
        return flow
