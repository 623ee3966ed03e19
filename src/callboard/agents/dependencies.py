"""The upstreams of an app: who uses each, under which policy, how it stands, and what is left open about it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from callboard.agents.calling import policy_of
from callboard.agents.consequences import of_model, of_tool, undecided_model, undecided_tool
from callboard.agents.lineup import lineup
from callboard.agents.role import Role
from callboard.agents.surroundings import Surroundings
from callboard.agents.tool import JournaledTool
from callboard.domain.errors import NotFound, StoreError
from callboard.domain.retry import NEVER, Retry
from callboard.models import Model, ScriptedModel
from callboard.resilience.breaker import Phase
from callboard.resilience.gate import Gate


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A tool or a model that stands on an upstream.

    Attributes:
        what: `tool` or `model`.
        name: what it is called.
        effect: the tool's side effect; for models empty.
        by: the route or the agent that asks the model; for tools empty.
        fails: what happens when it fails, in words.
        open: what nobody has decided about that, with what to do; empty if all is decided.
    """

    what: str
    name: str
    effect: str = ""
    by: str = ""
    fails: str = ""
    open: str = ""


class Dependency(msgspec.Struct, frozen=True, kw_only=True):
    """An upstream.

    Attributes:
        name: its name.
        declared: whether somebody decided about it; else the default policy holds.
        policy: connect, first, total, retry, ... as Upstream has them.
        state: how it stands, as Look has it; without a phase where it cannot be seen.
        users: who stands on it.
        open: what is left open about it, with what to do; empty if it has its decision.
    """

    name: str
    declared: bool
    policy: dict[str, Any]
    state: dict[str, Any]
    users: list[User]
    open: str


class Dependencies:
    """Finds the upstreams of an app.

    Args:
        around: gates, models and routes of the runtime.
        tools: the app's tools by name.
        roles: its agents'.
    """

    def __init__(self, around: Surroundings, tools: Mapping[str, JournaledTool], roles: Iterable[Role]) -> None:
        self._around = around
        self._tools = tools
        self._roles = tuple(roles)

    async def all(self) -> list[Dependency]:
        """All of them, by name."""
        users: dict[str, list[User]] = {gate.upstream.name: [] for gate in self._around.upstreams.all()}
        for upstream, user in (*self._tool_users(), *self._model_users()):
            found = users.setdefault(upstream, [])
            if user not in found:
                found.append(user)
        return [await self._dependency(self._gate(name), users[name]) for name in sorted(users)]

    async def reset(self, name: str) -> dict[str, Any]:
        """Closes a breaker by hand; no app is needed to know its name. Returns how the upstream stood before.

        Raises NotFound where none of that name was ever opened, StoreError.
        """
        gate = self._gate(name)
        before = await gate.look()
        if before.phase is Phase.CLOSED and not before.since:
            raise NotFound(
                f"no breaker of an upstream {name!r} was ever opened", remedy="callboard upstreams APP lists them"
            )
        await gate.reset()
        return _plain(before)

    async def _dependency(self, gate: Gate, users: list[User]) -> Dependency:
        left = [user.open for user in users if user.open]
        try:
            state = _plain(await gate.look())
        except StoreError as error:  # a door whose log-in may not read the shared counters
            state = {"phase": None, "why": f"not to be seen from here: {error}"}
        return Dependency(
            name=gate.upstream.name,
            declared=gate.declared,
            policy=_plain(gate.upstream),
            state=state,
            users=users,
            open="; ".join(left),
        )

    def _tool_users(self) -> Iterator[tuple[str, User]]:
        for journaled in self._tools.values():
            tool = journaled.tool
            gate = self._gate(tool.upstream)
            handlings = None if journaled.policy is None else journaled.policy.by_kind
            yield (
                tool.upstream,
                User(
                    what="tool",
                    name=tool.name,
                    effect=str(tool.effect),
                    fails=of_tool(tool, gate.upstream, _granted(gate, policy_of(tool, gate)), handlings),
                    open=undecided_tool(tool, gate.upstream, handlings),
                ),
            )

    def _model_users(self) -> Iterator[tuple[str, User]]:
        asked: dict[str, tuple[Model | str | None, str | None]] = {
            f"route {name}": (None, name) for name in self._around.routes
        }
        asked |= {f"agent {role.name}": (role.model, None) for role in self._roles if role.route is None}
        for by, (model, route) in asked.items():
            line = lineup(self._around, model, route)
            names = [each.model for each in line.route.candidates]
            for name, option in zip(names, line.options, strict=True):
                upstream = name.partition(":")[0] if option is None else option.gate.upstream.name
                policy, others = self._gate(upstream).upstream, [each for each in names if each != name]
                scripted = option is not None and isinstance(option.model, ScriptedModel)
                yield (
                    upstream,
                    User(
                        what="model",
                        name=name,
                        by=by,
                        fails=of_model(name, _granted(self._gate(upstream), policy.retry), others),
                        open="" if scripted else undecided_model(name, policy, others),
                    ),
                )

    def _gate(self, name: str) -> Gate:
        return self._around.upstreams.gate(name)


def _granted(gate: Gate, retry: Retry) -> Retry:
    """How often it is tried, if retries may be any share of its calls at all."""
    return retry if gate.upstream.retry_share else NEVER


def _plain(value: msgspec.Struct) -> dict[str, Any]:
    """Every field, those with default values too."""
    return {
        field: _plain(each) if isinstance(each, msgspec.Struct) else msgspec.to_builtins(each, str_keys=True)
        for field, each in msgspec.structs.asdict(value).items()
    }
