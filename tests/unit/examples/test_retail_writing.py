import json
from collections.abc import Iterator
from typing import Any

import pytest

from examples.retail import rules
from examples.retail.catalog import Base, Overlay
from examples.retail.view import Record

ADDRESS = {
    "address1": "Straße 1",
    "address2": "",
    "city": "Łódź",
    "state": "LD",
    "country": "PL",
    "zip": "90",
}


def orders(view: Overlay, status: str, card: bool | None = None) -> Iterator[Record]:
    """The orders in this state, of customers with (or without) a gift card that has not paid for it."""
    for _, order in view.rows("orders"):
        if order["status"] == status and card in (None, bool(spare_cards(view, order))):
            yield order


def user_of(view: Overlay, order: Record) -> Record:
    user = view.get("users", order["user_id"])
    assert user is not None
    return user


def spare_cards(view: Overlay, order: Record) -> list[str]:
    paid_by = order["payment_history"][0]["payment_method_id"]
    return [name for name in user_of(view, order)["payment_methods"] if "gift_card" in name and name != paid_by]


def with_balance(base: Base, order: Record, card: str, balance: float) -> Overlay:
    """A fresh shop in which the card of the order's user holds this much."""
    user = base.tables["users"][order["user_id"]]
    methods = {**user["payment_methods"], card: {**user["payment_methods"][card], "balance": balance}}
    return Overlay(base, {("users", order["user_id"]): {**user, "payment_methods": methods}})


def balance(view: Overlay, order: Record, card: str) -> Any:
    return user_of(view, order)["payment_methods"][card]["balance"]


def dearer(view: Overlay, order: Record) -> tuple[str, str, float]:
    """An item of the order, an available dearer variant of it, and the difference."""
    for item in order["items"]:
        product = view.get("products", item["product_id"])
        assert product is not None
        for variant in product["variants"].values():
            if variant["available"] and variant["price"] > item["price"]:
                return item["item_id"], variant["item_id"], variant["price"] - item["price"]
    raise LookupError(order["order_id"])


def can_be_dearer(view: Overlay, order: Record) -> bool:
    try:
        return bool(dearer(view, order))
    except LookupError:
        return False


# --- refusals ---------------------------------------------------------------------------------------------

PENDING = {
    "cancel_pending_order": "cancelled",
    "modify_pending_order_address": "modified",
    "modify_pending_order_payment": "modified",
    "modify_pending_order_items": "modified",
}
DELIVERED = {"exchange_delivered_order_items": "exchanged", "return_delivered_order_items": "returned"}
FURTHER: dict[str, Record] = {
    "cancel_pending_order": {"reason": "bad"},
    "modify_pending_order_address": ADDRESS,
    "modify_pending_order_payment": {"payment_method_id": "bad"},
    "modify_pending_order_items": {"item_ids": ["bad"], "new_item_ids": [], "payment_method_id": "bad"},
    "exchange_delivered_order_items": {"item_ids": ["bad"], "new_item_ids": [], "payment_method_id": "bad"},
    "return_delivered_order_items": {"item_ids": ["bad"], "payment_method_id": "bad"},
}


@pytest.mark.parametrize("tool", [*PENDING, *DELIVERED])
def test_order_and_status_are_checked_before_all_else(base: Base, shop: Overlay, tool: str) -> None:
    further = FURTHER[tool]
    assert rules.call(shop, tool, {"order_id": "W1", **further}) == "Error: order not found"
    wanted, verb = ("pending", PENDING[tool]) if tool in PENDING else ("delivered", DELIVERED[tool])
    for order_id, order in base.tables["orders"].items():
        if order["status"] != wanted:
            answer = rules.call(shop, tool, {"order_id": order_id, **further})
            assert answer == f"Error: non-{wanted} order cannot be {verb}"
    assert shop.final_hash() == base.final_hash({})


def test_cancel_wants_one_of_two_reasons(shop: Overlay) -> None:
    order = next(orders(shop, "pending"))
    arguments = {"order_id": order["order_id"], "reason": "No longer needed"}
    assert rules.call(shop, "cancel_pending_order", arguments) == "Error: invalid reason"


def test_a_new_address_wants_a_user(shop: Overlay) -> None:
    answer = rules.call(shop, "modify_user_address", {"user_id": "nobody", **ADDRESS})
    assert answer == "Error: user not found"


def test_the_refusals_of_a_new_payment(base: Base) -> None:
    order = next(orders(Overlay(base), "pending", card=True))
    present, amount = (order["payment_history"][0][name] for name in ("payment_method_id", "amount"))
    card = spare_cards(Overlay(base), order)[0]

    def pay(method: str, view: Overlay) -> str:
        arguments = {"order_id": order["order_id"], "payment_method_id": method}
        return rules.call(view, "modify_pending_order_payment", arguments)

    view = with_balance(base, order, card, amount - 0.01)
    assert pay("paypal_0", view) == "Error: payment method not found"
    assert pay(present, view) == "Error: the new payment method should be different from the current one"
    assert pay(card, view) == "Error: insufficient gift card balance to pay for the order"
    assert view.written == set()

    view = with_balance(base, order, card, amount)
    changed = json.loads(pay(card, view))
    assert changed["payment_history"] == [
        *order["payment_history"],
        {"transaction_type": "payment", "amount": amount, "payment_method_id": card},
        {"transaction_type": "refund", "amount": amount, "payment_method_id": present},
    ]
    assert (changed["status"], balance(view, order, card)) == ("pending", 0.0)
    assert pay(present, view) == "Error: there should be exactly one payment for a pending order"


@pytest.mark.parametrize(
    ("status", "tool", "purpose"),
    [
        ("pending", "modify_pending_order_items", "new item"),
        ("delivered", "exchange_delivered_order_items", "price difference"),
    ],
)
def test_the_refusals_of_other_items(base: Base, status: str, tool: str, purpose: str) -> None:
    fresh = Overlay(base)
    order = next(order for order in orders(fresh, status, card=True) if can_be_dearer(fresh, order))
    old, new, difference = dearer(fresh, order)
    card = spare_cards(fresh, order)[0]
    poor = with_balance(base, order, card, round(difference - 0.01, 2))

    def change(item_ids: list[str], new_ids: list[str], method: str = card) -> str:
        arguments = {"item_ids": item_ids, "new_item_ids": new_ids, "payment_method_id": method}
        return rules.call(poor, tool, {"order_id": order["order_id"], **arguments})

    assert change(["1", "2"], []) == "Error: 1 not found"
    held = sum(item["item_id"] == old for item in order["items"])
    assert change([old] * (held + 1), []) == f"Error: {old} not found"
    assert change([old], []) == "Error: the number of items to be exchanged should match"
    assert change([old], ["3"]) == "Error: new item 3 not found or available"
    product = next(item["product_id"] for item in order["items"] if item["item_id"] == old)
    for variant in base.tables["products"][product]["variants"].values():
        if not variant["available"]:
            assert change([old], [variant["item_id"]]).endswith("not found or available")
    for other in base.tables["products"].values():
        if other["product_id"] != product:
            foreign = next(iter(other["variants"]))
            assert change([old], [foreign]) == f"Error: new item {foreign} not found or available"
    assert change([old], [new], "paypal_0") == "Error: payment method not found"
    assert change([old], [new]) == f"Error: insufficient gift card balance to pay for the {purpose}"
    assert poor.written == set()


def test_the_refusals_of_a_return(shop: Overlay) -> None:
    def give_back(order: Record, item_ids: list[str], method: str) -> str:
        arguments = {"order_id": order["order_id"], "item_ids": item_ids, "payment_method_id": method}
        return rules.call(shop, "return_delivered_order_items", arguments)

    seen = 0
    for order in orders(shop, "delivered"):
        original = order["payment_history"][0]["payment_method_id"]
        assert give_back(order, ["bad"], "paypal_0") == "Error: payment method not found"
        for method in user_of(shop, order)["payment_methods"]:
            answer = give_back(order, ["bad"], method)
            if method == original or "gift_card" in method:
                assert answer == "Error: some item not found"
            else:
                text = "Error: payment method should be either the original payment method or a gift card"
                assert answer == text
                seen += 1
        once_too_often = [item["item_id"] for item in order["items"]] + [order["items"][0]["item_id"]]
        assert give_back(order, once_too_often, original) == "Error: some item not found"
    assert seen > 0
    assert shop.written == set()


# --- changes ----------------------------------------------------------------------------------------------


def test_cancel_refunds_every_entry_and_the_gift_card_at_once(base: Base) -> None:
    order = next(orders(Overlay(base), "pending", card=True))
    card = spare_cards(Overlay(base), order)[0]
    amount = order["payment_history"][0]["amount"]
    view = with_balance(base, order, card, 5000)
    arguments = {"order_id": order["order_id"], "payment_method_id": card}
    rules.call(view, "modify_pending_order_payment", arguments)
    assert balance(view, order, card) == round(5000 - amount, 2)

    wanted = {"order_id": order["order_id"], "reason": "ordered by mistake"}
    changed = json.loads(rules.call(view, "cancel_pending_order", wanted))
    assert list(changed) == [*order, "cancel_reason"]
    assert changed["status"] == "cancelled"
    kinds = [entry["transaction_type"] for entry in changed["payment_history"]]
    assert kinds == ["payment", "payment", "refund", "refund", "refund", "refund"]
    assert balance(view, order, card) == 5000.0
    again = rules.call(view, "cancel_pending_order", wanted)
    assert again == "Error: non-pending order cannot be cancelled"


def test_an_address_is_replaced_in_the_documented_order(base: Base, shop: Overlay) -> None:
    order = next(orders(shop, "pending"))
    for _ in range(2):  # may be repeated freely
        arguments = {"order_id": order["order_id"], **ADDRESS}
        answer = rules.call(shop, "modify_pending_order_address", arguments)
        assert '"address": ' + json.dumps(ADDRESS) in answer
        assert "Stra\\u00dfe" in answer
    assert user_of(shop, order) == base.tables["users"][order["user_id"]]
    answer = rules.call(shop, "modify_user_address", {"user_id": order["user_id"], **ADDRESS})
    assert json.loads(answer) == base.tables["users"][order["user_id"]] | {"address": ADDRESS}


def test_swapped_items_settle_the_unrounded_difference(base: Base) -> None:
    fresh = Overlay(base)
    order = next(order for order in orders(fresh, "pending", card=True) if can_be_dearer(fresh, order))
    old, new, difference = dearer(fresh, order)
    card = spare_cards(fresh, order)[0]
    view = with_balance(base, order, card, 1000)
    wanted = {"order_id": order["order_id"], "payment_method_id": card}
    pairs = {"item_ids": [old], "new_item_ids": [new]}
    changed = json.loads(rules.call(view, "modify_pending_order_items", wanted | pairs))
    assert changed["status"] == "pending (item modified)"
    entry = {"transaction_type": "payment", "amount": difference, "payment_method_id": card}
    assert changed["payment_history"] == [*order["payment_history"], entry]
    assert balance(view, order, card) == round(1000 - difference, 2)
    place = [item["item_id"] for item in order["items"]].index(old)
    assert changed["items"][place]["item_id"] == new
    assert list(changed["items"][place]) == list(order["items"][place])
    for tool, refused in PENDING.items():
        answer = rules.call(view, tool, {"order_id": order["order_id"], **FURTHER[tool]})
        assert answer == f"Error: non-pending order cannot be {refused}"


def test_the_same_item_in_its_place_is_a_refund_of_nothing(base: Base) -> None:
    fresh = Overlay(base)
    order = next(orders(fresh, "pending", card=True))
    card = spare_cards(fresh, order)[0]
    view = with_balance(base, order, card, 7)
    wanted: Record = {"order_id": order["order_id"], "payment_method_id": card}
    changed = rules.call(view, "modify_pending_order_items", wanted | {"item_ids": [], "new_item_ids": []})
    assert '{"transaction_type": "refund", "amount": 0, ' in changed
    # An integer stays one, even rounded.
    assert json.dumps(balance(view, order, card)) == "7"


def test_a_pair_takes_the_first_item_that_has_the_old_id_by_then(base: Base, shop: Overlay) -> None:
    order = next(orders(shop, "pending", card=True))
    first, method = order["items"][0], order["payment_history"][0]["payment_method_id"]
    variants = base.tables["products"][first["product_id"]]["variants"].values()
    a, b = [variant for variant in variants if variant["available"]][:2]
    items = [first | {"item_id": variant["item_id"], "price": 9000} for variant in (a, b)]
    view = Overlay(base, {("orders", order["order_id"]): order | {"items": items}})
    pairs = {"item_ids": [a["item_id"], b["item_id"]], "new_item_ids": [b["item_id"], a["item_id"]]}
    wanted = {"order_id": order["order_id"], **pairs, "payment_method_id": method}
    changed = json.loads(rules.call(view, "modify_pending_order_items", wanted))
    # The first pair turns the first item into a b; the second pair finds that one and turns it back.
    assert [item["item_id"] for item in changed["items"]] == [a["item_id"], b["item_id"]]
    assert [item["price"] for item in changed["items"]] == [a["price"], 9000]


def test_exchange_and_return_only_note_the_wish(base: Base) -> None:
    fresh = Overlay(base)
    order = next(order for order in orders(fresh, "delivered") if can_be_dearer(fresh, order))
    old, new, difference = dearer(fresh, order)
    method = order["payment_history"][0]["payment_method_id"]
    wanted: Record = {"order_id": order["order_id"], "item_ids": [old], "payment_method_id": method}

    view = Overlay(base)
    if "gift_card" in method:
        view = with_balance(base, order, method, 1000)
    exchanged = json.loads(rules.call(view, "exchange_delivered_order_items", {**wanted, "new_item_ids": [new]}))
    assert exchanged == order | {
        "status": "exchange requested",
        "exchange_items": [old],
        "exchange_new_items": [new],
        "exchange_payment_method_id": method,
        "exchange_price_difference": round(difference, 2),
    }
    returned = json.loads(rules.call(Overlay(base), "return_delivered_order_items", wanted))
    assert returned == order | {
        "status": "return requested",
        "return_items": [old],
        "return_payment_method_id": method,
    }


def test_ids_are_noted_sorted_each_list_on_its_own(base: Base) -> None:
    order = next(order for order in orders(Overlay(base), "delivered") if len(order["items"]) > 1)
    item_ids = sorted((item["item_id"] for item in order["items"]), reverse=True)
    method = order["payment_history"][0]["payment_method_id"]
    wanted = {"order_id": order["order_id"], "item_ids": item_ids, "payment_method_id": method}
    answer = json.loads(rules.call(Overlay(base), "return_delivered_order_items", wanted))
    assert answer["return_items"] == item_ids[::-1]


def test_half_a_surrogate_pair_can_be_hashed(base: Base, shop: Overlay) -> None:
    order = next(orders(shop, "pending"))
    arguments = {"order_id": order["order_id"], **ADDRESS, "city": "\ud83d"}
    assert '"city": "\\ud83d"' in rules.call(shop, "modify_pending_order_address", arguments)
    assert shop.final_hash() != base.final_hash({})
