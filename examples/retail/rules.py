"""The shop's sixteen tools by name, and the one way to call them: pure functions over a view."""

from collections.abc import Callable, Mapping
from typing import Any

from examples.retail import reading, writing
from examples.retail.view import Refused, View


def _by_name(*tools: Callable[..., str]) -> dict[str, Callable[..., str]]:
    return {tool.__name__: tool for tool in tools}


WRITING = _by_name(
    writing.cancel_pending_order,
    writing.exchange_delivered_order_items,
    writing.modify_pending_order_address,
    writing.modify_pending_order_items,
    writing.modify_pending_order_payment,
    writing.modify_user_address,
    writing.return_delivered_order_items,
)
"""The seven tools that change the database, by name."""

TOOLS = WRITING | _by_name(
    reading.calculate,
    reading.find_user_id_by_email,
    reading.find_user_id_by_name_zip,
    reading.get_order_details,
    reading.get_product_details,
    reading.get_user_details,
    reading.list_all_product_types,
    reading.think,
    reading.transfer_to_human_agents,
)
"""All sixteen tools, by name."""

ONCE = frozenset(WRITING) | {"transfer_to_human_agents"}
"""The tools with an effect on the world: each call of theirs must happen once only."""


def call(view: View, tool: str, arguments: Mapping[str, Any]) -> str:
    """Run one tool and return its answer; a failure of the caller's making is an answer too.

    Missing, surplus or unusable arguments and refusals answer ``Error: ...``, an unknown name
    ``Unknown action NAME``. Nothing is raised for them.
    """
    if tool not in TOOLS:
        return f"Unknown action {tool}"
    try:
        return TOOLS[tool](view, **arguments)
    except Refused as refusal:
        return f"Error: {refusal}"
    except (AttributeError, TypeError) as misuse:
        # Tools do not check types: a number in place of a text shows up here, as does a missing name.
        return f"Error: {misuse}"
