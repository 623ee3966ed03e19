"""What a process knows of the program whose runs it tells of."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from callboard.agents.role import Role
from callboard.agents.tool import JournaledTool
from callboard.telemetry.span import Shared, Value
from callboard.tools import Tool

_MANY = 1_000


@dataclass(frozen=True, slots=True)
class Installed:
    """Tools and agents, by name: a journal has their names only. `facts` keeps what is said of them again and again."""

    tools: Mapping[str, Tool]
    roles: Mapping[str, Role]
    facts: dict[tuple[str, ...], Shared] = field(default_factory=dict)

    def said(self, key: tuple[str, ...], make: Callable[..., dict[str, Value]]) -> Shared:
        """The facts under a key. They are made once, of what stands in the key behind its first word."""
        found = self.facts.get(key)
        if found is None:
            if len(self.facts) >= _MANY:
                self.facts.clear()
            found = self.facts[key] = Shared(make(*key[1:]))
        return found

    @classmethod
    def of(cls, tools: Mapping[str, JournaledTool], roles: Iterable[Role]) -> "Installed":
        """Those of an app."""
        return cls({name: each.tool for name, each in tools.items()}, {role.name: role for role in roles})
