"""What is installed: flows and agents."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Response

from callboard.apps.entrance import At, StrictRoute
from callboard.apps.gateway.answering import answer, gives, refuses
from callboard.runtime import FlowCard

router = APIRouter(prefix="/v1/flows", tags=["flows"], route_class=StrictRoute)


class FlowList(msgspec.Struct, frozen=True, kw_only=True):
    """Flows and agents, by name."""

    items: list[FlowCard]


_Name = Annotated[
    str, Path(min_length=1, max_length=200, description="A flow's or an agent's name.", examples=["triage"])
]


@router.get("", responses=gives(FlowList, "What is installed."), summary="List flows and agents")
async def flows(desk: At) -> Response:
    """Flows and agents of this process's app, in their newest version, with the schemas of their inputs and outputs."""
    return answer(FlowList(items=desk.catalog.flows()))


@router.get("/{name}", responses=gives(FlowCard, "It.") | refuses(404), summary="Look at a flow or an agent")
async def flow(desk: At, name: _Name) -> Response:
    """One of them: for an agent with its prompt, tools, route and limits."""
    return answer(desk.catalog.flow(name))


VIEWS = (FlowList, FlowCard)
