"""An app: the flows, tools and agents of one program, by name."""

from collections.abc import Callable, Iterable
from typing import overload

from callboard.domain.errors import InputInvalid
from callboard.engine.flow import Body, Flow


class App:
    """Collects flows, tools and agents. Nothing is global: two apps in one process do not know of each other."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._flows: dict[str, Flow] = {}

    def flows(self) -> Iterable[Flow]:
        """All flows, agents' among them, every version."""
        return list(self._flows.values())

    @overload
    def flow(self, fn: Body, /) -> Flow: ...
    @overload
    def flow(self, /, *, name: str | None = None, version: str = "1") -> Callable[[Body], Flow]: ...
    def flow(self, fn: Body | None = None, /, *, name: str | None = None, version: str = "1") -> object:
        """Declares an async function `f(ctx, input)` as a flow; with or without arguments.

        Raises InputInvalid when the function cannot be a flow, or name and version are taken.
        """

        def declare(body: Body) -> Flow:
            return self._add(Flow(body, name=name, version=version))

        return declare if fn is None else declare(fn)

    def _add(self, flow: Flow) -> Flow:
        if flow.full_name in self._flows:
            raise InputInvalid(
                f"app {self.name} has a flow {flow.full_name} already", remedy="choose another name or version"
            )
        self._flows[flow.full_name] = flow
        return flow
