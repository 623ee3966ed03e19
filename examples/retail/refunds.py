"""Refunds: an agent looks the case up and says what it comes to; above an amount a person decides, and may change it.

The scripted model behind the route `assessor` answers from the conversation alone, as a resumed run needs it.
"""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from callboard import Context, Limits, ScriptedModel
from callboard.domain.message import ToolResult
from callboard.models import ModelRequest, Reply, call
from examples.retail.tools import app, get_order_details, get_user_details, return_delivered_order_items

APPROVE_ABOVE = 100.0  # dollars; what is refunded above this, a person has seen
PATIENCE = 2 * 86_400.0  # seconds that a person has for it; nobody's answer is no


class Claim(BaseModel):
    """What a customer wants back."""

    model_config = ConfigDict(extra="forbid")
    order_id: str
    item_ids: list[str]
    payment_method_id: str
    reason: str = ""


class Proposal(BaseModel):
    """What a person decides about, and may change: which items are taken back and who gets the money."""

    order_id: str
    item_ids: list[str]
    payment_method_id: str
    amount: float
    reason: str = ""
    assessment: str = ""
    problem: str = ""  # why an edited proposal could not be used, when it is asked once more


class Refund(BaseModel):
    """What came of it. `answer` is the shop's; `by` and `note` are those of whoever decided."""

    order_id: str
    refunded: bool
    amount: float
    answer: str = ""
    by: str = ""
    note: str = ""


def assess(request: ModelRequest) -> Reply:
    """The scripted model: reads the order, then its customer, then says what is wanted back."""
    wish = json.loads(next(m for m in request.messages if m.role == "user").text)
    if request.turn == 0:
        return call("get_order_details", order_id=wish["order_id"])
    results = [part for m in request.messages for part in m.parts if isinstance(part, ToolResult)]
    order = _record(results[0].content)
    if order is None:
        return f"There is nothing to refund: {results[0].content}"
    if request.turn == 1:
        return call("get_user_details", user_id=order["user_id"])
    names = ", ".join(item["name"] for item in _items(order, wish["item_ids"])) or "nothing of this order"
    paid = order["payment_history"][0]["payment_method_id"]
    back = "the way it was paid" if paid == wish["payment_method_id"] else "not the way it was paid"
    return f"{order['user_id']} sends back {names}; the order is {order['status']}. The money would go {back}."


app.model("scripted-assessor", ScriptedModel(assess, price=(1_000_000, 4_000_000)))

assessor = app.agent(
    "assessor",
    route="assessor",
    prompt="You look into claims for refunds. Read the order and its customer, then say in two sentences what is asked "
    "for and whether anything speaks against it. You decide nothing.",
    tools=(get_order_details, get_user_details),
    max_output_tokens=1_000,
    limits=Limits(turns=8, tool_calls=8, usd="0.25"),
)


@app.flow
async def refund_with_approval(ctx: Context, claim: Claim) -> Refund:
    """Takes items back. Above a hundred dollars a person approves, rejects or changes the refund first."""
    order = _record(read := await get_order_details.call(ctx, order_id=claim.order_id))
    if order is None:
        return Refund(order_id=claim.order_id, refunded=False, amount=0.0, answer=read)
    transcript = await assessor.converse(ctx, claim.model_dump())
    proposal = Proposal(**claim.model_dump(), amount=_amount(order, claim.item_ids), assessment=transcript.output)
    by = note = ""
    while proposal.amount > APPROVE_ABOVE:
        decision = await ctx.ask(proposal.model_dump(exclude_defaults=True), timeout=PATIENCE)
        by, note = decision.by, decision.note
        if not decision.approved:
            said = note or ("rejected" if decision.status == "rejected" else "nobody decided in time")
            return Refund(order_id=claim.order_id, refunded=False, amount=0.0, answer=said, by=by, note=note)
        if problem := _problem(order, decision.value):
            proposal = proposal.model_copy(update={"problem": problem})
            continue
        proposal = Proposal.model_validate(decision.value)
        break
    amount = _amount(order, proposal.item_ids)
    answer = await return_delivered_order_items.call(
        ctx,
        order_id=proposal.order_id,
        item_ids=proposal.item_ids,
        payment_method_id=proposal.payment_method_id,
    )
    done = _record(answer) is not None
    return Refund(
        order_id=proposal.order_id, refunded=done, amount=amount if done else 0.0, answer=answer, by=by, note=note
    )


def _problem(order: dict[str, Any], value: Any) -> str:
    """Why this cannot be what is refunded; empty if it can."""
    try:
        edited = Proposal.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc']) or 'the proposal'}: {first['msg']}"
    if edited.order_id != order["order_id"]:
        return f"order_id: this is about {order['order_id']}"
    if edited.amount != (whole := _amount(order, edited.item_ids)):
        return f"amount: these items cost {whole:.2f}"
    return ""


def _amount(order: dict[str, Any], item_ids: list[str]) -> float:
    """What these items of the order cost together, in dollars."""
    return round(sum((float(item["price"]) for item in _items(order, item_ids)), 0.0), 2)


def _items(order: dict[str, Any], item_ids: list[str]) -> list[dict[str, Any]]:
    """One item of the order for each id; ids that it has not, or not so often, give none: the shop refuses them."""
    left, found = list(order["items"]), []
    for item_id in item_ids:
        item = next((each for each in left if each["item_id"] == item_id), None)
        if item is not None:
            left.remove(item)
            found.append(item)
    return found


def _record(answer: Any) -> dict[str, Any] | None:
    """What the shop answered with, or None for a refusal."""
    try:
        found = json.loads(answer)
    except (TypeError, ValueError):
        return None
    return found if isinstance(found, dict) else None
