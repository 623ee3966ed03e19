"""What is installed: flows and agents, what they are made of, and a form that starts one."""

from typing import TYPE_CHECKING, Any

import msgspec

from callboard.apps.console import forms
from callboard.apps.console.costs import Measured, figure, measured
from callboard.apps.console.picture import of_agent, of_flow
from callboard.apps.console.rendering import HOME, page, redirect
from callboard.apps.console.schema_form import fields, value, wire
from callboard.domain.errors import CallboardError, Denied, InputInvalid, StoreError
from callboard.runtime import Desk, FlowCard, Runtime, Search

if TYPE_CHECKING:
    from fastapi import APIRouter, Request, Response

_AT = f"{HOME}/catalog"
_BUDGETS = 200
_LATELY = 7 * 86_400.0  # seconds for which runs are summed up


def routes(rt: Runtime) -> "APIRouter":
    """The catalogue, one page for each flow and agent, and the start."""
    from fastapi import APIRouter, Request, Response

    from callboard.apps.entrance import At, form

    made = APIRouter(prefix=_AT)

    @made.get("")
    async def catalog(request: Request, desk: At, q: str = "") -> Response:
        cards = [card for card in desk.catalog.flows() if _named(card, q)]
        routed = {name: _route(route) for name, route in sorted(desk.catalog.routes().items())}
        agents, flows = [c for c in cards if c.agent is not None], [c for c in cards if c.agent is None]
        return page(request, desk, "catalog.html", agents=agents, flows=flows, routes=routed, q=q)

    @made.get("/{name:path}")
    async def one(request: Request, desk: At, name: str) -> Response:
        return await _page(request, desk, rt, name, {}, {})

    @made.post("/{name:path}/start")
    async def start(request: Request, desk: At, name: str) -> Response:
        card, given = desk.catalog.flow(name), await form(request)
        asked, wrong = value(fields(card.input), given)
        if wrong:
            return await _page(request, desk, rt, name, given, wrong)
        try:
            handle = await desk.runs.start(
                name,
                asked,
                key=forms.text(given, "key", needed=False, most=500) or None,
                labels=_labels(given.get("labels", "")) or None,
                delay=_delay(given.get("delay", "")),
            )
        except (Denied, StoreError):
            raise
        except CallboardError as error:
            return await _page(request, desk, rt, name, given, {"": str(error)})
        return redirect(request, f"{HOME}/runs/{handle.id}")

    return made


def _named(card: Any, words: str) -> bool:
    """Whether all words stand in what the list shows of it."""
    said = f"{card.name} {card.about}" if card.agent is None else f"{card.name} {card.agent.prompt}"
    return all(word in said.casefold() for word in words.casefold().split())


async def _page(
    request: "Request", desk: Desk, rt: Runtime, name: str, given: dict[str, str], wrong: dict[str, str]
) -> "Response":
    card = desk.catalog.flow(name)
    routed = desk.catalog.routes()
    asked = routed.get(card.agent.route) if card.agent is not None and card.agent.route is not None else None
    now = rt.services.clock.now()
    lately = await desk.runs.totals(Search(flows=(name,), since=now - _LATELY))
    return page(
        request,
        desk,
        "flow.html",
        status=422 if wrong else 200,
        card=card,
        form=fields(card.input),
        wire=wire,
        figure=figure,
        given=given,
        wrong=wrong,
        picture=of_flow(card) if card.agent is None else of_agent(card, asked),
        route=None if asked is None else _route(asked),
        lately=lately,
        budgets=await _budgets(desk, card),
    )


async def _budgets(desk: Desk, card: FlowCard) -> list[Measured]:
    """The budgets that a run of it counts to, those of its tenant included; none for who may not see them."""
    try:
        found = await desk.budgets.standings(_BUDGETS)
    except Denied:
        return []
    own = "flow" if card.agent is None else "agent"
    return measured(
        [
            each
            for each in found
            if each["scope"] == "tenant" or (each["scope"] == own and each["name"] in ("*", card.name))
        ]
    )


def _route(route: Any) -> dict[str, Any]:
    """A route as a page shows it: its candidates, and its rules as far as they say something."""
    found: dict[str, Any] = msgspec.to_builtins(route, enc_hook=str)
    rules = {
        key: each for key, each in found.items() if key not in ("name", "candidates") and each not in (None, {}, [])
    }
    candidates = [
        {key: each for key, each in candidate.items() if each not in (None, {}, [], ())}
        for candidate in found["candidates"]
    ]
    return {"candidates": candidates, "rules": rules}


def _labels(text: str) -> dict[str, str]:
    """Labels, `name=value`, one a line or with blanks between. Raises InputInvalid."""
    found: dict[str, str] = {}
    for each in text.split():
        name, equals, said = each.partition("=")
        if not name or not equals:
            raise InputInvalid(f"label {each[:80]!r} is not a name and a value", remedy="write team=red")
        found[name] = said
    return found


def _delay(text: str) -> float:
    if not text.strip():
        return 0.0
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 366 * 86_400:
        raise InputInvalid(f"delay={text[:40]!r} is no number of seconds", remedy="write 90 for a minute and a half")
    return seconds
