"""Enquiries: an agent that people talk to about their orders, in a conversation that is kept.

The scripted model behind the route `concierge` answers from the conversation alone, as a resumed run needs it.
"""

import json
import re

from callboard import Limits, ScriptedModel
from callboard.domain.message import Message, ToolResult
from callboard.models import ModelRequest, Reply, call
from examples.retail.tools import app, get_order_details

_ORDER = re.compile(r"#W\d{7}")
_MONEY = re.compile(r"\b(cost|price|pay|paid|much)\b", re.IGNORECASE)
_PLACE = re.compile(r"\b(where|address|sent|arrive|deliver\w*)\b", re.IGNORECASE)


def reply(request: ModelRequest) -> Reply:
    """The scripted model: reads the order that was named last, then answers what was asked last."""
    asked = [number for number, message in enumerate(request.messages) if message.role == "user"]
    said = " ".join(request.messages[number].text for number in asked)
    orders = _ORDER.findall(said)
    if not orders:
        return "Which order is it about? Its number begins with #W."
    found = _results(request.messages[asked[-1] :])
    if not found:
        return call("get_order_details", order_id=orders[-1])
    try:
        order = json.loads(found[-1])
    except ValueError:
        return f"There is no order {orders[-1]} that I could find."
    question = request.messages[asked[-1]].text
    if _MONEY.search(question):
        total = sum(float(item["price"]) for item in order["items"])
        return f"Order {orders[-1]} came to {total:.2f} dollars for {len(order['items'])} items."
    if _PLACE.search(question):
        address = order["address"]
        return f"Order {orders[-1]} is {order['status']}; it goes to {address['address1']}, {address['city']}."
    return f"Order {orders[-1]} is {order['status']}. Would you like to know where it goes, or what it came to?"


def _results(messages: tuple[Message, ...]) -> list[str]:
    """What tools answered in these messages."""
    return [str(part.content) for message in messages for part in message.parts if isinstance(part, ToolResult)]


app.model("scripted-concierge", ScriptedModel(reply, latency=0.05, per_chunk=0.01, price=(1_000_000, 4_000_000)))

concierge = app.agent(
    "concierge",
    route="concierge",
    prompt="You answer what customers ask about their orders, in one or two sentences. Look the order up; never guess.",
    tools=(get_order_details,),
    max_output_tokens=500,
    limits=Limits(turns=8, tool_calls=8, usd="0.10"),
)
