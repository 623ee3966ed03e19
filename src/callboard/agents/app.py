"""An app: the flows, tools and agents of one program, by name."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, overload

from callboard.agents.agent import Agent
from callboard.agents.tool import JournaledTool
from callboard.domain.errors import InputInvalid
from callboard.engine.flow import Body, Flow
from callboard.engine.timetable import Plan
from callboard.models import Model
from callboard.settings import Settings
from callboard.tools import SideEffect, Tool, Toolbox

Runnable = TypeVar("Runnable", bound=Flow | Agent)


class App:
    """Collects flows, tools and agents. Nothing is global: two apps in one process do not know of each other."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._flows: dict[str, Flow] = {}
        self._models: dict[str, Model] = {}
        self._on_open: list[Callable[[Settings], Any]] = []
        self._plans: dict[tuple[str | None, str], Plan] = {}
        self.toolbox = Toolbox()

    def flows(self) -> Iterable[Flow]:
        """All flows, agents' among them, every version."""
        return list(self._flows.values())

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
        self, /, *, effect: SideEffect | str = SideEffect.ONCE, **contract: Any
    ) -> Callable[[Callable[..., Any]], JournaledTool]: ...
    def tool(
        self, fn: Callable[..., Any] | None = None, /, *, effect: SideEffect | str = SideEffect.ONCE, **contract: Any
    ) -> object:
        """Declares a function as a tool; with or without arguments.

        Args:
            effect: what a call does to the world. `read`: nothing, it may be repeated at will. `idempotent`: a
                call repeated with the same key counts once. `once`, the default: it must never be repeated.
            contract: name, description, timeout (seconds), retry, fallback, reconcile, max_result (bytes), as
                callboard.tools.Tool.of takes them.

        Raises InputInvalid when the function or the contract cannot work, or the name is taken.
        """

        def declare(body: Callable[..., Any]) -> JournaledTool:
            tool = Tool.of(body, effect, **contract)
            self.toolbox.add(tool)
            return JournaledTool(body, tool)

        return declare if fn is None else declare(fn)

    def model(self, name: str, model: Model) -> None:
        """Gives a model a name, by which agents may ask for it."""
        self._models[name] = model

    def agent(self, name: str, *, model: Model | str, **role: Any) -> Agent:
        """Declares an agent.

        Args:
            name: how runs and journals name it.
            model: a model, or the name of one.
            role: prompt, tools, output (the type of its answer), limits, temperature, max_output_tokens,
                model_timeout (seconds), repairs, version, as Agent takes them.

        Raises InputInvalid when a part of it cannot work, or the name is taken.
        """
        if isinstance(model, str):
            if model not in self._models:
                known = ", ".join(sorted(self._models)) or "none"
                raise InputInvalid(f"agent {name}: no model {model!r}", remedy=f"app.model(...) has: {known}")
            model = self._models[model]
        agent = Agent(name, model=model, **role)
        self._add(agent.flow)
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
