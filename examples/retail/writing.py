"""The seven tools that change the database.

Each makes all its checks first, builds new records instead of altering those it was given, and puts them into
the view last: a call that is refused, or that fails half-way, has changed nothing.
"""

from collections import Counter

from examples.retail.view import Record, Refused, View, answer, find


def cancel_pending_order(view: View, /, order_id: str, reason: str) -> str:
    """Cancel a pending order and refund every entry of its payment history; answer the order."""
    order = _order(view, order_id, "pending", "non-pending order cannot be cancelled")
    if reason not in ("no longer needed", "ordered by mistake"):
        raise Refused("invalid reason")
    user = find(view, "users", order["user_id"])
    refunds = []
    for entry in order["payment_history"]:
        refunds.append(_entry("refund", entry["amount"], entry["payment_method_id"]))
        user = _credited(user, entry["payment_method_id"], entry["amount"])
    view.put("users", order["user_id"], user)
    history = order["payment_history"] + refunds
    return _put_order(view, order, status="cancelled", cancel_reason=reason, payment_history=history)


def modify_pending_order_address(
    view: View,
    /,
    order_id: str,
    address1: str,
    address2: str,
    city: str,
    state: str,
    country: str,
    zip: str,
) -> str:
    """Send a pending order elsewhere; answer the order."""
    order = _order(view, order_id, "pending", "non-pending order cannot be modified")
    return _put_order(view, order, address=_address(address1, address2, city, state, country, zip))


def modify_user_address(
    view: View,
    /,
    user_id: str,
    address1: str,
    address2: str,
    city: str,
    state: str,
    country: str,
    zip: str,
) -> str:
    """Replace a user's default address; orders keep theirs. Answer the user."""
    user = find(view, "users", user_id)
    changed = {**user, "address": _address(address1, address2, city, state, country, zip)}
    view.put("users", user_id, changed)
    return answer(changed)


def modify_pending_order_payment(view: View, /, order_id: str, payment_method_id: str) -> str:
    """Pay a pending order by another method and refund the old one; answer the order."""
    order = _order(view, order_id, "pending", "non-pending order cannot be modified")
    user = find(view, "users", order["user_id"])
    method = _method(user, payment_method_id)
    history = order["payment_history"]
    if len(history) != 1 or history[0]["transaction_type"] != "payment":
        raise Refused("there should be exactly one payment for a pending order")
    amount, old_method_id = history[0]["amount"], history[0]["payment_method_id"]
    if payment_method_id == old_method_id:
        raise Refused("the new payment method should be different from the current one")
    _check_balance(method, amount, "order")

    user = _credited(user, payment_method_id, -amount)
    view.put("users", order["user_id"], _credited(user, old_method_id, amount))
    moved = [_entry("payment", amount, payment_method_id), _entry("refund", amount, old_method_id)]
    return _put_order(view, order, payment_history=history + moved)


def modify_pending_order_items(
    view: View, /, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
) -> str:
    """Swap items of a pending order and settle the price difference at once; answer the order."""
    order = _order(view, order_id, "pending", "non-pending order cannot be modified")
    variants = _variants(view, order, item_ids, new_item_ids)
    user = find(view, "users", order["user_id"])
    method = _method(user, payment_method_id)
    difference = _difference(order, item_ids, variants)
    _check_balance(method, difference, "new item")

    items = list(order["items"])
    for item_id, variant in zip(item_ids, variants, strict=True):
        # Looked up anew each time: an earlier pair may have taken, or brought in, an item with this id.
        place = next(n for n, item in enumerate(items) if item["item_id"] == item_id)
        items[place] = items[place] | {name: variant[name] for name in ("item_id", "price", "options")}
    entry = _entry("payment" if difference > 0 else "refund", abs(difference), payment_method_id)
    history = [*order["payment_history"], entry]
    view.put("users", order["user_id"], _credited(user, payment_method_id, -difference))
    return _put_order(view, order, items=items, status="pending (item modified)", payment_history=history)


def exchange_delivered_order_items(
    view: View, /, order_id: str, item_ids: list[str], new_item_ids: list[str], payment_method_id: str
) -> str:
    """Note the wish to exchange items of a delivered order, nothing is paid yet; answer the order."""
    order = _order(view, order_id, "delivered", "non-delivered order cannot be exchanged")
    variants = _variants(view, order, item_ids, new_item_ids)
    method = _method(find(view, "users", order["user_id"]), payment_method_id)
    difference = round(_difference(order, item_ids, variants), 2)
    _check_balance(method, difference, "price difference")
    return _put_order(
        view,
        order,
        status="exchange requested",
        exchange_items=sorted(item_ids),
        exchange_new_items=sorted(new_item_ids),
        exchange_payment_method_id=payment_method_id,
        exchange_price_difference=difference,
    )


def return_delivered_order_items(view: View, /, order_id: str, item_ids: list[str], payment_method_id: str) -> str:
    """Note the wish to return items of a delivered order, nothing is refunded yet; answer the order."""
    order = _order(view, order_id, "delivered", "non-delivered order cannot be returned")
    _method(find(view, "users", order["user_id"]), payment_method_id)
    original = order["payment_history"][0]["payment_method_id"]
    if "gift_card" not in payment_method_id and payment_method_id != original:
        raise Refused("payment method should be either the original payment method or a gift card")
    if _first_surplus(order, item_ids) is not None:
        raise Refused("some item not found")
    return _put_order(
        view,
        order,
        status="return requested",
        return_items=sorted(item_ids),
        return_payment_method_id=payment_method_id,
    )


def _order(view: View, order_id: str, status: str, otherwise: str) -> Record:
    order = find(view, "orders", order_id)
    if order["status"] != status:
        raise Refused(otherwise)
    return order


def _put_order(view: View, order: Record, **changes: object) -> str:
    """Store and answer the order; members it had keep their place, new ones go to the end."""
    changed = {**order, **changes}
    view.put("orders", order["order_id"], changed)
    return answer(changed)


def _method(user: Record, method_id: str) -> Record:
    method: Record | None = user["payment_methods"].get(method_id)
    if method is None:
        raise Refused("payment method not found")
    return method


def _check_balance(method: Record, amount: float, purpose: str) -> None:
    if method["source"] == "gift_card" and method["balance"] < amount:
        raise Refused(f"insufficient gift card balance to pay for the {purpose}")


def _credited(user: Record, method_id: str, amount: float) -> Record:
    """The user with ``amount`` added to a gift card, in cents; any other method leaves the user as is."""
    methods = user["payment_methods"]
    method = methods.get(method_id)
    if method is None or method["source"] != "gift_card":
        return user
    balance = round(method["balance"] + amount, 2)
    return {**user, "payment_methods": {**methods, method_id: {**method, "balance": balance}}}


def _entry(kind: str, amount: float, method_id: str) -> Record:
    return {"transaction_type": kind, "amount": amount, "payment_method_id": method_id}


def _address(address1: str, address2: str, city: str, state: str, country: str, zip_code: str) -> Record:
    return {
        "address1": address1,
        "address2": address2,
        "city": city,
        "state": state,
        "country": country,
        "zip": zip_code,
    }


def _first_surplus(order: Record, item_ids: list[str]) -> str | None:
    """The first id that is asked for more often than the order holds it."""
    held = Counter(item["item_id"] for item in order["items"])
    asked = Counter(item_ids)
    return next((item_id for item_id in item_ids if asked[item_id] > held[item_id]), None)


def _item(order: Record, item_id: str) -> Record:
    item: Record = next(item for item in order["items"] if item["item_id"] == item_id)
    return item


def _variants(view: View, order: Record, item_ids: list[str], new_item_ids: list[str]) -> list[Record]:
    """Check the pairs of old and new ids; return the variant that each new id stands for."""
    surplus = _first_surplus(order, item_ids)
    if surplus is not None:
        raise Refused(f"{surplus} not found")
    if len(item_ids) != len(new_item_ids):
        raise Refused("the number of items to be exchanged should match")
    variants = []
    for item_id, new_id in zip(item_ids, new_item_ids, strict=True):
        product = find(view, "products", _item(order, item_id)["product_id"])
        variant = product["variants"].get(new_id)
        if variant is None or not variant["available"]:
            raise Refused(f"new item {new_id} not found or available")
        variants.append(variant)
    return variants


def _difference(order: Record, item_ids: list[str], variants: list[Record]) -> float:
    total: float = 0
    # A plain loop, as sum() compensates rounding errors since Python 3.12 and would give other last digits.
    for item_id, variant in zip(item_ids, variants, strict=True):
        total += variant["price"] - _item(order, item_id)["price"]
    return total
