"""Whom an agent may ask in a runtime: the candidates of its route, or its one model, with their gates."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from callboard.agents.role import Role
from callboard.agents.surroundings import Surroundings
from callboard.domain.errors import InputInvalid
from callboard.models.asking import Option
from callboard.models.info import info_of
from callboard.models.model import Model
from callboard.models.route import Candidate, Route


@dataclass(frozen=True, slots=True)
class Lineup:
    """A route with what it takes to ask each of its candidates. `unable` says why one cannot be asked here at all,
    `ruled` that the route has more to say than whom to ask."""

    route: Route
    options: tuple[Option | None, ...]
    unable: dict[str, str]
    ruled: bool


def lineup(around: Surroundings, model: Model | str | None, route: str | None) -> Lineup:
    """Finds the candidates. Raises InputInvalid for a route or a model that nobody knows."""
    if route is not None:
        found = route_of(around, route)
    else:
        found = Route(name="", candidates=(Candidate(model=model if isinstance(model, str) else _named(model)),))
    unable: dict[str, str] = {}
    options = tuple(
        [_option(around, each, None if isinstance(model, str) else model, unable) for each in found.candidates]
    )
    return Lineup(found, options, unable, route is not None)


def route_of(around: Surroundings, name: str) -> Route:
    """The route of that name. Raises InputInvalid."""
    found = around.routes.get(name)
    if found is None:
        known = ", ".join(sorted(around.routes)) or "none"
        raise InputInvalid(f"there is no route {name!r}", remedy=f"app.route and [routes] have: {known}")
    return found


def check(around: Surroundings, roles: Iterable[Role]) -> None:
    """Raises InputInvalid, naming the agent or the route, where one names what is not there."""
    for route in around.routes.values():
        for candidate in route.candidates:
            with _said_of(f"route {route.name}"):
                around.models.check(candidate.model)
    for role in roles:
        with _said_of(f"agent {role.name}"):
            _check(around, role.model, role.route, role.task)
            if role.compaction is not None:
                _check(around, role.compaction.model, role.compaction.route, role.task)


def _check(around: Surroundings, model: Model | str | None, route: str | None, task: str | None) -> None:
    if isinstance(model, str):
        around.models.check(model)
    if route is not None:
        candidates = route_of(around, route).candidates
        if not any(not each.tasks or task in each.tasks for each in candidates):
            raise InputInvalid(
                f"route {route} has no candidate for the task {task!r}",
                remedy=f"name one of {', '.join(sorted({each for one in candidates for each in one.tasks}))}",
            )


@contextmanager
def _said_of(who: str) -> Iterator[None]:
    try:
        yield
    except InputInvalid as error:
        raise InputInvalid(f"{who}: {error.what}", why=error.why, remedy=error.remedy) from error


def _named(model: Model | None) -> str:
    assert model is not None
    return model.name


def _option(around: Surroundings, candidate: Candidate, model: Model | None, unable: dict[str, str]) -> Option | None:
    try:
        found = around.models.get(candidate.model) if model is None else model
    except InputInvalid as error:  # a key or a library is missing on this machine
        unable[candidate.model] = str(error)
        return None
    info = info_of(found)
    return Option(candidate, found, info, around.upstreams.gate(info.upstream or info.name))
