"""What runs cost, and how full budgets are."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from callboard.apps.entrance import At, Entrance, StrictRoute
from callboard.apps.gateway.answering import WITH_BODY, Limit, answer, gives, refuses
from callboard.apps.gateway.starting import Body, Flag, Number, Whole

router = APIRouter(prefix="/v1", tags=["costs"], route_class=StrictRoute)

_MONTH = 30 * 86_400.0


class CostTable(msgspec.Struct, frozen=True, kw_only=True):
    """Sums; money in dollars."""

    items: list[dict[str, Any]]
    since: float
    by: str


class BudgetTable(msgspec.Struct, frozen=True, kw_only=True):
    """Budgets with their accounts, the fullest first."""

    items: list[dict[str, Any]]


class BudgetView(msgspec.Struct, frozen=True, kw_only=True):
    """A limit as it was set or lifted."""

    budget: dict[str, Any]


_Amount = Annotated[str, Field(pattern=r"^\d{1,9}(\.\d{1,6})?$")]
_Count = Annotated[Whole, Field(ge=0, le=10**15)]
_Scope = Annotated[
    str, Path(min_length=1, max_length=40, pattern=r"^[a-z_]+$", description="What it is about.", examples=["agent"])
]
_Which = Annotated[str, Path(min_length=1, max_length=200, description="Which of these.", examples=["resolver"])]


class SetBudget(Body):
    """The most that may be used; at least one measure."""

    usd: _Amount | None = Field(default=None, examples=["25.00"], description="Dollars, as text.")
    tokens: _Count | None = None
    calls: _Count | None = None
    seconds: Number | None = Field(default=None, ge=0, le=10**12)
    period: Literal["ever", "day", "month"] = Field(default="ever", examples=["day"])
    warn: list[Annotated[Number, Field(gt=0, le=1)]] | None = Field(default=None, max_length=10, examples=[[0.8]])
    everywhere: Flag = Field(default=False, description="In every tenant; it takes a grant in all.")


@router.get("/costs", responses=gives(CostTable, "The sums."), summary="Sum up what runs cost")
async def costs(
    request: Request,
    desk: At,
    by: Annotated[
        Literal["flow", "version", "status", "agent", "model", "day", "tenant"],
        Query(description="What is told apart.", examples=["flow"]),
    ] = "flow",
    since: Annotated[
        float | None, Query(ge=0, le=253_402_300_799, description="Epoch seconds; 30 days ago by default.")
    ] = None,
) -> Response:
    """Of the runs that ended since, and of those that are under way. By tenant: of all whose costs you may see."""
    entrance: Entrance = request.app.state.entrance
    start = entrance.rt.services.clock.now() - _MONTH if since is None else since
    sums = await desk.costs.sums(start, by)
    return answer(CostTable(items=sums.table(), since=start, by=by))


@router.get("/budgets", responses=gives(BudgetTable, "The budgets."), summary="See how full budgets are")
async def budgets(desk: At, limit: Limit = 50) -> Response:
    """Budgets in force, with what was used and what is held."""
    return answer(BudgetTable(items=await desk.budgets.standings(limit)))


@router.put(
    "/budgets/{scope}/{name}",
    responses=gives(BudgetView, "As it is now.") | WITH_BODY,
    summary="Set a budget",
)
async def set_budget(desk: At, scope: _Scope, name: _Which, body: SetBudget) -> Response:
    """Sets a limit in place of the one before it."""
    limits: dict[str, Any] = body.model_dump(exclude={"everywhere"}, exclude_none=True)
    return answer(BudgetView(budget=await desk.budgets.set(scope, name, everywhere=body.everywhere, **limits)))


@router.delete(
    "/budgets/{scope}/{name}",
    responses=gives(BudgetView, "What it was about.") | refuses(404),
    summary="Lift a budget",
)
async def remove_budget(
    desk: At,
    scope: _Scope,
    name: _Which,
    period: Annotated[Literal["ever", "day", "month"], Query(description="Over which time it counted.")] = "ever",
    everywhere: Annotated[bool, Query(description="That of every tenant.")] = False,
) -> Response:
    """Lifts a limit that was set here; what an app declares is changed in its code."""
    return answer(BudgetView(budget=await desk.budgets.remove(scope, name, period, everywhere=everywhere)))


VIEWS = (CostTable, BudgetTable, BudgetView)
