"""Tasks for the shipped shop: what a customer wants, the right calls, and what the rules answer to them."""

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from examples.retail import rules
from examples.retail.catalog import Base, Overlay
from examples.retail.view import Record


@dataclass(frozen=True)
class Wish:
    """A wish in the customer's words, the call that is right for it, and what the customer must be told."""

    words: str
    tool: str
    arguments: Record
    outputs: tuple[str, ...] = ()


def make_tasks(rng: random.Random, base: Base, number: int) -> Iterator[Record]:
    """Yield ``number`` tasks, each for a fresh database and with one to four calls.

    Users take turns. Some wishes end in a refusal, as the customer insists on a gift card that is too poor.
    """
    wishes = _Wishes(rng, base)
    users = itertools.cycle(base.tables["users"].items())
    for count, (user_id, user) in enumerate(itertools.islice(users, number)):
        chosen = list(wishes.of(user, user["orders"]))
        if not chosen or count % 7 == 0:
            chosen.append(wishes.move_home(user_id))
        name = f"{user['name']['first_name']} {user['name']['last_name']}"
        known_by = f"your e-mail is {user['email']}" if count % 2 else f"your zip is {user['address']['zip']}"
        view = Overlay(base)
        yield {
            "id": f"shop-{count:03}",
            "user_id": user_id,
            "instruction": " ".join([f"You are {name}, {known_by}.", *(wish.words for wish in chosen)]),
            "actions": [
                {
                    "name": wish.tool,
                    "arguments": wish.arguments,
                    "answer": rules.call(view, wish.tool, wish.arguments),
                }
                for wish in chosen
            ],
            "final_hash": view.final_hash(),
            "outputs": [text for wish in chosen for text in wish.outputs],
        }


class _Wishes:
    """Draws wishes about orders; the kinds of wishes take turns, so that all of them occur."""

    def __init__(self, rng: random.Random, base: Base) -> None:
        self._rng = rng
        self._tables = base.tables
        self._kinds: dict[str, Iterator[Callable[[Record], Iterator[Wish]]]] = {
            "pending": itertools.cycle((self._swap, self._cancel, self._pay, self._redirect, self._pay_and_swap)),
            "delivered": itertools.cycle((self._exchange, self._give_back)),
        }

    def of(self, user: Record, order_ids: list[str]) -> Iterator[Wish]:
        """Yield wishes about one or two of the orders; one that is on its way gives no wish."""
        for order_id in self._rng.sample(order_ids, self._rng.randint(1, 2)):
            order = self._tables["orders"][order_id]
            if order["status"] in self._kinds:
                yield from next(self._kinds[order["status"]])(order)

    def move_home(self, user_id: str) -> Wish:
        address = self._new_address()
        words = f"You have moved: your default address is now {_written(address)}."
        return Wish(words, "modify_user_address", {"user_id": user_id, **address})

    def _cancel(self, order: Record) -> Iterator[Wish]:
        reason = self._rng.choice(["no longer needed", "ordered by mistake"])
        words = f"Call off {order['order_id']}, it was {reason}. Ask how much you get back."
        arguments = {"order_id": order["order_id"], "reason": reason}
        paid = order["payment_history"][0]["amount"]
        yield Wish(words, "cancel_pending_order", arguments, (f"{paid:.2f}",))

    def _redirect(self, order: Record) -> Iterator[Wish]:
        address = self._new_address()
        words = f"Have {order['order_id']} sent to {_written(address)}."
        yield Wish(words, "modify_pending_order_address", {"order_id": order["order_id"], **address})

    def _pay(self, order: Record) -> Iterator[Wish]:
        present = order["payment_history"][0]["payment_method_id"]
        others = [method for method in self._methods(order) if method != present]
        if others:
            method = self._rng.choice(others)
            words = f"Pay {order['order_id']} with {method} instead."
            arguments = {"order_id": order["order_id"], "payment_method_id": method}
            yield Wish(words, "modify_pending_order_payment", arguments)

    def _pay_and_swap(self, order: Record) -> Iterator[Wish]:
        yield from self._pay(order)
        yield from self._swap(order)

    def _swap(self, order: Record) -> Iterator[Wish]:
        yield from self._change(order, "modify_pending_order_items", "Before it leaves, change")

    def _exchange(self, order: Record) -> Iterator[Wish]:
        yield from self._change(order, "exchange_delivered_order_items", "It has come, now exchange")

    def _change(self, order: Record, tool: str, words: str) -> Iterator[Wish]:
        pairs = []
        for item in self._rng.sample(order["items"], self._rng.randint(1, len(order["items"]))):
            variants = self._tables["products"][item["product_id"]]["variants"].values()
            fit = [one for one in variants if one["available"] and one["item_id"] != item["item_id"]]
            if fit:
                pairs.append((item, self._rng.choice(fit)))
        method = self._rng.choice(self._methods(order))
        changes = "; ".join(
            f"{old['name']} ({_listed(old['options'])}) for {_listed(new['options'])}" for old, new in pairs
        )
        arguments = {
            "order_id": order["order_id"],
            "item_ids": [old["item_id"] for old, _ in pairs],
            "new_item_ids": [new["item_id"] for _, new in pairs],
            "payment_method_id": method,
        }
        if pairs:
            yield Wish(f"{words} in {order['order_id']}: {changes}; settle it with {method}.", tool, arguments)

    def _give_back(self, order: Record) -> Iterator[Wish]:
        items = self._rng.sample(order["items"], self._rng.randint(1, len(order["items"])))
        original = order["payment_history"][0]["payment_method_id"]
        method = self._rng.choice([m for m in self._methods(order) if m == original or "gift_card" in m])
        names = ", ".join(item["name"] for item in items)
        words = f"From {order['order_id']} give back: {names}; the money goes to {method}. Ask how much it is."
        arguments = {
            "order_id": order["order_id"],
            "item_ids": [item["item_id"] for item in items],
            "payment_method_id": method,
        }
        total = sum(item["price"] for item in items)
        yield Wish(words, "return_delivered_order_items", arguments, (f"{total:.2f}",))

    def _methods(self, order: Record) -> list[str]:
        return list(self._tables["users"][order["user_id"]]["payment_methods"])

    def _new_address(self) -> Record:
        """Where another customer lives, as a stranger's address is as good as any."""
        address = self._rng.choice(list(self._tables["users"].values()))["address"]
        return {
            "address1": address["address1"],
            "address2": f"Flat {self._rng.randint(1, 99)}",
            **{name: address[name] for name in ("city", "state", "country", "zip")},
        }


def _listed(options: Record) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.items())


def _written(address: Record) -> str:
    return ", ".join(address.values())
