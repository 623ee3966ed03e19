"""The shop's sixteen tools, as an agent gets them: contracts around calls of an outside system.

Each call carries its idempotency key to the shop. The seven tools that change something are `idempotent`,
since the shop counts a key once; handing over to a person is `once`, and the shop tells afterwards whether a
key was applied; the rest only read.
"""

import asyncio
from pathlib import Path
from typing import Any

import callboard
from callboard import Applied, IdempotencyKey, NotApplied, Settings
from examples.retail.rules import ONCE
from examples.retail.shop import Shop, data_folder

app = callboard.App("retail", config=Path(__file__).with_name("callboard.toml"))
app.upstream("shop", otherwise="fail")  # a call that fails for good is told to the agent


class Counter:
    """Where this process reaches the shop: opened with the worker, beside its store."""

    shop: Shop


@app.on_open
def open_shop(settings: Settings) -> None:
    """The shop's own database lies beside the store as `retail.db`."""
    Counter.shop = Shop(Path(settings.folder) / "retail.db", data_folder())


async def _shop(tool: str, key: IdempotencyKey, **arguments: Any) -> str:
    shop = Counter.shop
    if tool in ONCE:
        return await asyncio.to_thread(shop.apply, key.run_id, key, tool, arguments)
    return await asyncio.to_thread(shop.read, key.run_id, tool, arguments)


async def handed_over(key: IdempotencyKey) -> Applied | NotApplied:
    """Asks the shop whether a hand-over happened."""
    answer = await asyncio.to_thread(Counter.shop.applied, key)
    return NotApplied() if answer is None else Applied(answer)


@app.tool(effect="read", upstream="shop")
async def find_user_id_by_email(email: str, key: IdempotencyKey) -> str:
    """Find a customer's id by e-mail address."""
    return await _shop("find_user_id_by_email", key, email=email)


@app.tool(effect="read", upstream="shop")
async def find_user_id_by_name_zip(first_name: str, last_name: str, zip: str, key: IdempotencyKey) -> str:
    """Find a customer's id by name and zip code, when there is no e-mail address to go by."""
    return await _shop("find_user_id_by_name_zip", key, first_name=first_name, last_name=last_name, zip=zip)


@app.tool(effect="read", upstream="shop")
async def get_user_details(user_id: str, key: IdempotencyKey) -> str:
    """Read a customer's profile, with payment methods and orders."""
    return await _shop("get_user_details", key, user_id=user_id)


@app.tool(effect="read", upstream="shop")
async def get_order_details(order_id: str, key: IdempotencyKey) -> str:
    """Read an order.

    Args:
        order_id: begins with #, such as #W0000000.
    """
    return await _shop("get_order_details", key, order_id=order_id)


@app.tool(effect="read", upstream="shop")
async def get_product_details(product_id: str, key: IdempotencyKey) -> str:
    """Read a product with all its variants.

    Args:
        product_id: the product's id, not that of one of its items.
    """
    return await _shop("get_product_details", key, product_id=product_id)


@app.tool(effect="read", upstream="shop")
async def list_all_product_types(key: IdempotencyKey) -> str:
    """List the names and ids of all products."""
    return await _shop("list_all_product_types", key)


@app.tool(effect="read", upstream="shop")
async def calculate(expression: str, key: IdempotencyKey) -> str:
    """Work out an arithmetic expression of numbers, + - * / and parentheses."""
    return await _shop("calculate", key, expression=expression)


@app.tool(effect="read", upstream="shop")
async def think(thought: str, key: IdempotencyKey) -> str:
    """Write a thought down. It changes nothing and finds nothing out."""
    return await _shop("think", key, thought=thought)


@app.tool(effect="idempotent", upstream="shop")
async def cancel_pending_order(order_id: str, reason: str, key: IdempotencyKey) -> str:
    """Cancel a pending order and refund it, after the customer has confirmed.

    Args:
        order_id: begins with #, such as #W0000000.
        reason: "no longer needed" or "ordered by mistake".
    """
    return await _shop("cancel_pending_order", key, order_id=order_id, reason=reason)


@app.tool(effect="idempotent", upstream="shop")
async def modify_pending_order_address(
    order_id: str, address1: str, address2: str, city: str, state: str, country: str, zip: str, key: IdempotencyKey
) -> str:
    """Send a pending order to another address, after the customer has confirmed."""
    address = {"address1": address1, "address2": address2, "city": city, "state": state}
    return await _shop("modify_pending_order_address", key, order_id=order_id, **address, country=country, zip=zip)


@app.tool(effect="idempotent", upstream="shop")
async def modify_user_address(
    user_id: str, address1: str, address2: str, city: str, state: str, country: str, zip: str, key: IdempotencyKey
) -> str:
    """Change a customer's own address, after the customer has confirmed."""
    address = {"address1": address1, "address2": address2, "city": city, "state": state}
    return await _shop("modify_user_address", key, user_id=user_id, **address, country=country, zip=zip)


@app.tool(effect="idempotent", upstream="shop")
async def modify_pending_order_payment(order_id: str, payment_method_id: str, key: IdempotencyKey) -> str:
    """Pay a pending order in another way, after the customer has confirmed."""
    return await _shop("modify_pending_order_payment", key, order_id=order_id, payment_method_id=payment_method_id)


@app.tool(effect="idempotent", upstream="shop")
async def modify_pending_order_items(
    order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str, key: IdempotencyKey
) -> str:
    """Exchange items of a pending order for other variants of the same products. Possible once for an order.

    Args:
        order_id: begins with #, such as #W0000000.
        item_ids: the items to give back, one entry for each piece.
        new_item_ids: what to send in their place, in the same order.
        payment_method_id: pays or receives the difference in price.
    """
    return await _shop(
        "modify_pending_order_items",
        key,
        order_id=order_id,
        item_ids=item_ids,
        new_item_ids=new_item_ids,
        payment_method_id=payment_method_id,
    )


@app.tool(effect="idempotent", upstream="shop")
async def exchange_delivered_order_items(
    order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str, key: IdempotencyKey
) -> str:
    """Exchange items of a delivered order for other variants of the same products. Possible once for an order.

    Args:
        order_id: begins with #, such as #W0000000.
        item_ids: the items to give back, one entry for each piece.
        new_item_ids: what to send in their place, in the same order.
        payment_method_id: pays or receives the difference in price.
    """
    return await _shop(
        "exchange_delivered_order_items",
        key,
        order_id=order_id,
        item_ids=item_ids,
        new_item_ids=new_item_ids,
        payment_method_id=payment_method_id,
    )


@app.tool(effect="idempotent", upstream="shop")
async def return_delivered_order_items(
    order_id: str, item_ids: list[str], payment_method_id: str, key: IdempotencyKey
) -> str:
    """Take items of a delivered order back, after the customer has confirmed.

    Args:
        order_id: begins with #, such as #W0000000.
        item_ids: the items to take back, one entry for each piece.
        payment_method_id: receives the money: the method that paid, or a gift card.
    """
    return await _shop(
        "return_delivered_order_items", key, order_id=order_id, item_ids=item_ids, payment_method_id=payment_method_id
    )


@app.tool(effect="once", upstream="shop", reconcile=handed_over, timeout=10.0)
async def transfer_to_human_agents(summary: str, key: IdempotencyKey) -> str:
    """Hand the customer over to a person, with a summary of what they want."""
    return await _shop("transfer_to_human_agents", key, summary=summary)


TOOLS = (
    find_user_id_by_email,
    find_user_id_by_name_zip,
    get_user_details,
    get_order_details,
    get_product_details,
    list_all_product_types,
    calculate,
    think,
    cancel_pending_order,
    modify_pending_order_address,
    modify_user_address,
    modify_pending_order_payment,
    modify_pending_order_items,
    exchange_delivered_order_items,
    return_delivered_order_items,
    transfer_to_human_agents,
)
