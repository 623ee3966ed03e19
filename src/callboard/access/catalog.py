"""What is installed: flows and agents, with what they take, call and may use up."""

from collections.abc import Mapping
from typing import Any

import msgspec

from callboard.access.guard import Guard
from callboard.access.house import House
from callboard.access.structure import named_by
from callboard.agents.agent import Agent
from callboard.agents.role import Role
from callboard.agents.surroundings import Surroundings
from callboard.agents.tool import JournaledTool
from callboard.domain.errors import NotFound
from callboard.engine.flow import Flow
from callboard.models.route import Route
from callboard.policy.access import Action


class ToolCard(msgspec.Struct, frozen=True, kw_only=True):
    """A tool of an agent.

    Attributes:
        effect: what a call does to the world: `read`, `idempotent`, `once`.
        parameters: JSON schema.
        upstream: what it calls.
        timeout: seconds for one call.
        handles: what has been declared beside its retries: `fallback`, `compensate`, `reconcile`, `on_failure`.
    """

    name: str
    description: str
    effect: str
    parameters: dict[str, Any]
    upstream: str
    timeout: float
    attempts: int
    handles: tuple[str, ...]


class AgentCard(msgspec.Struct, frozen=True, kw_only=True):
    """An agent: prompt, whom it asks, tools, limits. `model` is a name or a reference; one of it and `route` is set."""

    prompt: str
    model: str | None
    route: str | None
    task: str | None
    tools: tuple[ToolCard, ...]
    limits: dict[str, Any]
    options: dict[str, Any]
    release: str


class Use(msgspec.Struct, frozen=True):
    """What a flow's code names: `kind` is agent, tool or flow; `about` a tool's effect, an agent's or a flow's
    version."""

    kind: str
    name: str
    about: str


class FlowCard(msgspec.Struct, frozen=True, kw_only=True):
    """A flow or an agent.

    Attributes:
        input, output: JSON schemas; None where anything goes.
        about: what its author says of it.
        needs: the label that a worker must have.
        older: versions that are installed beside the newest.
        agent: what it is made of, where it is one.
        startable: whether who asks may start it.
        uses: of a flow: the agents, tools and flows that its code names.
    """

    name: str
    version: str
    input: dict[str, Any] | None
    output: dict[str, Any] | None
    about: str
    needs: str | None
    older: tuple[str, ...]
    agent: AgentCard | None
    startable: bool
    uses: tuple[Use, ...] = ()


class Catalog:
    """What one principal may see of what is installed in this process."""

    def __init__(self, house: House, guard: Guard) -> None:
        self._house = house
        self._guard = guard

    def flows(self) -> list[FlowCard]:
        """Flows and agents by name, in their newest version. Raises Denied."""
        self._guard.check(Action.AGENTS_READ)
        services = self._house.services
        names = sorted({flow.name for flow in services.flows.values()})
        return [self._card(name) for name in names if self._guard.may(Action.AGENTS_READ, name)]

    def flow(self, name: str) -> FlowCard:
        """One of them. Raises Denied; NotFound, also for what is not the principal's to see."""
        self._guard.check(Action.AGENTS_READ)
        if self._house.services.find(name) is None or not self._guard.may(Action.AGENTS_READ, name):
            raise NotFound(f"no flow {name[:200]!r} in this app", remedy="the catalogue lists what is installed")
        return self._card(name)

    def routes(self) -> Mapping[str, Route]:
        """By which agents ask for models. Raises Denied."""
        self._guard.check(Action.AGENTS_READ)
        return dict(self._house.services.carried[Surroundings].routes)

    def _card(self, name: str) -> FlowCard:
        flow = self._house.services.find(name)
        assert flow is not None
        role = self._house.roles.get(name)
        return FlowCard(
            name=name,
            version=flow.version,
            input=flow.input.schema(),
            output=flow.output.schema() if role is None else role.output.schema,
            about=(flow.fn.__doc__ or "").strip(),
            needs=flow.needs,
            older=self._older(flow),
            agent=None if role is None else _agent(role),
            startable=self._guard.may(Action.RUNS_START, name),
            uses=() if role is not None else tuple(_use(each) for each in named_by(flow.fn)),
        )

    def _older(self, flow: Flow) -> tuple[str, ...]:
        known = self._house.services.flows.values()
        return tuple(each.version for each in known if each.name == flow.name and each.version != flow.version)


def _use(named: Agent | JournaledTool | Flow) -> Use:
    match named:
        case Agent():
            return Use("agent", named.name, named.flow.version)
        case JournaledTool():
            return Use("tool", named.name, str(named.tool.effect))
        case Flow():
            return Use("flow", named.name, named.version)


def _agent(role: Role) -> AgentCard:
    model = role.model if role.model is None or isinstance(role.model, str) else role.model.name
    options = {
        "temperature": role.temperature,
        "reasoning": role.reasoning,
        "max_output_tokens": role.max_output_tokens,
        "model_timeout": role.model_timeout,
        "repairs": role.repairs,
        "compaction": None if role.compaction is None else "on",
        "cache": None if role.cache is None else "on",
        "stop": [stop.name for stop in role.stop] or None,
    }
    return AgentCard(
        prompt=role.prompt,
        model=model,
        route=role.route,
        task=role.task,
        tools=tuple(_tool(tool) for tool in role.tools.values()),
        limits=msgspec.structs.asdict(role.limits),
        options={name: value for name, value in options.items() if value is not None},
        release=role.release.hex(),
    )


def _tool(journaled: JournaledTool) -> ToolCard:
    tool = journaled.tool
    spec = tool.spec()
    declared = {
        "fallback": tool.fallback,
        "compensate": tool.compensate,
        "reconcile": tool.reconcile,
        "on_failure": journaled.policy,
    }
    return ToolCard(
        name=tool.name,
        description=tool.description,
        effect=str(tool.effect),
        parameters=spec.parameters,
        upstream=tool.upstream,
        timeout=tool.timeout,
        attempts=tool.retry.attempts,
        handles=tuple(name for name, there in declared.items() if there is not None),
    )
