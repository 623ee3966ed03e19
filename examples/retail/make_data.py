"""Make the shipped shop: ``python -m examples.retail.make_data`` rewrites four files in ``data``.

Products, users, orders and tasks are drawn from word lists with one fixed seed, so that each run writes the
same bytes; ``tools.json`` and ``policy.md`` are written by hand and left alone.
"""

import itertools
import json
import random
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from examples.retail.catalog import Base
from examples.retail.make_tasks import make_tasks
from examples.retail.view import Record

# Of all seeds, one whose tasks show every writing tool and all three refusals for a poor gift card.
_SEED = 36
_ORDERS = 30
_TASKS = 40

# Seven, while there are twelve users: so each user comes to have orders in different states.
_STATUSES = ("pending", "delivered", "pending", "processed", "pending", "delivered", "delivered")

# name: (lowest price, options)
_PRODUCTS: dict[str, tuple[int, dict[str, list[str]]]] = {
    "Copper Teapot": (58, {"capacity": ["0.6 l", "1.0 l"], "handle": ["walnut", "copper"]}),
    "Oolong Sampler": (19, {"tins": ["4", "8"], "roast": ["light", "medium", "dark"]}),
    "Porcelain Cup": (14, {"glaze": ["celadon", "ink blue", "crème"], "size": ["small", "large"]}),
    "Field Notebook": (9, {"ruling": ["dots", "lines", "plain"], "cover": ["kraft", "linen"]}),
    "Fountain Pen": (74, {"nib": ["F", "M", "B"], "body": ["brass", "resin"]}),
    "Letter Press": (212, {"plate": ["A6", "A5"], "frame": ["beech", "steel"]}),
    "Rain Poncho": (39, {"size": ["S", "M", "L"], "color": ["moss", "signal red"]}),
    "Camp Stove": (96, {"fuel": ["gas", "spirit"], "burners": ["1", "2"]}),
}

# first name, last name, street, second line, town, country, state, zip, payment methods ("gift 40" is a gift
# card with that balance). Cards of little worth are there to be refused.
_USERS = [
    ("Zoë", "Lindqvist", "Ålgatan 4", "", "Malmö", "Sweden", "M", "21145", ["gift 12", "paypal"]),
    ("José", "Ibáñez", "Calle Mayor 31", "2º B", "Zaragoza", "Spain", "AR", "50001", ["visa", "gift 400"]),
    ("Łukasz", "Wójcik", "ul. Długa 8", "m. 14", "Gdańsk", "Poland", "PM", "80827", ["mastercard"]),
    ("Thảo", "Nguyễn", "12 Harbor Row", "Unit 3", "Seattle", "USA", "WA", "98101", ["paypal", "visa"]),
    ("Søren", "Aagaard", "Nørregade 19", "", "Aarhus", "Denmark", "82", "8000", ["visa", "gift 25"]),
    ("Maeve", "O'Rourke", "7 Quay Street", "Flat 2", "Galway", "Ireland", "G", "H91", ["gift 900", "visa"]),
    ("Jürgen", "Weiß", "Gartenstraße 55", "Hinterhaus", "Jena", "Germany", "TH", "07743", ["paypal"]),
    ("Chiamaka", "Eze", "90 Elm Lane", "Apt 12", "Houston", "USA", "TX", "77002", ["mastercard", "gift 8"]),
    ("Élodie", "Fabre", "3 rue des Lilas", "", "Nîmes", "France", "OCC", "30000", ["visa", "paypal"]),
    ("Haruki", "Ōta", "2-11 Kitano", "", "Kobe", "Japan", "28", "6500002", ["gift 150", "mastercard"]),
    ("Priya", "Raman", "48 Lake View", "Suite 5", "Chicago", "USA", "IL", "60614", ["visa", "gift 60"]),
    ("Tomás", "Quispe", "Av. El Sol 210", "", "Cusco", "Peru", "CUS", "08002", ["paypal", "gift 33"]),
]

_PLAIN = str.maketrans({"ł": "l", "ø": "o", "ß": "ss", "'": ""})


def _plain(name: str) -> str:
    """The name in the few letters that ids and e-mail addresses are made of."""
    letters = unicodedata.normalize("NFKD", name.lower().translate(_PLAIN))
    return letters.encode("ascii", "ignore").decode()


def make_products(rng: random.Random) -> dict[str, Record]:
    """Make each product with all combinations of its options; about one in five is out of stock."""
    products: dict[str, Record] = {}
    for number, (name, (price, options)) in enumerate(_PRODUCTS.items(), start=1):
        product_id = f"70000000{number:02}"
        variants: dict[str, Record] = {}
        for values in itertools.product(*options.values()):
            item_id = str(rng.randrange(10**9, 10**10))
            variants[item_id] = {
                "item_id": item_id,
                "options": dict(zip(options, values, strict=True)),
                "available": rng.random() > 0.2,
                "price": round(price * rng.uniform(1.0, 1.4), 2),
            }
        products[product_id] = {"name": name, "product_id": product_id, "variants": variants}
    return products


def make_users(rng: random.Random) -> dict[str, Record]:
    """Make the users, each with no orders yet."""
    users: dict[str, Record] = {}
    for first, last, address1, address2, city, country, state, zip_code, kinds in _USERS:
        plain = [_plain(name) for name in (first, last)]
        number = rng.randrange(1000, 10000)
        methods = [_make_method(rng, kind) for kind in kinds]
        users[f"{plain[0]}_{plain[1]}_{number}"] = {
            "name": {"first_name": first, "last_name": last},
            "address": {
                "address1": address1,
                "address2": address2,
                "city": city,
                "country": country,
                "state": state,
                "zip": zip_code,
            },
            "email": f"{plain[0]}.{plain[1]}{number}@example.org",
            "payment_methods": {method["id"]: method for method in methods},
            "orders": [],
        }
    return users


def _make_method(rng: random.Random, kind: str) -> Record:
    number = rng.randrange(10**6, 10**7)
    if kind == "paypal":
        return {"source": "paypal", "id": f"paypal_{number}"}
    if kind.startswith("gift"):
        return {"source": "gift_card", "balance": int(kind.split()[1]), "id": f"gift_card_{number}"}
    last_four = f"{rng.randrange(10000):04}"
    return {"source": "credit_card", "brand": kind, "last_four": last_four, "id": f"credit_card_{number}"}


def make_orders(rng: random.Random, products: Mapping[str, Record], users: Mapping[str, Record]) -> dict[str, Record]:
    """Make the orders and enter each with its user, whose first payment method has paid for it."""
    orders: dict[str, Record] = {}
    places = zip(range(_ORDERS), itertools.cycle(users), itertools.cycle(_STATUSES), strict=False)
    for number, user_id, status in places:
        order_id = f"#W{rng.randrange(10**6, 10**7)}"
        items = [_make_item(rng, product) for product in rng.sample([*products.values()], rng.randint(1, 3))]
        if number % 5 == 0:
            items.append(dict(items[0]))  # two of the same, which the counting rules are about
        parcel = {
            "tracking_id": [str(rng.randrange(10**11, 10**12))],
            "item_ids": [item["item_id"] for item in items],
        }
        payment = {
            "transaction_type": "payment",
            "amount": round(sum(item["price"] for item in items), 2),
            "payment_method_id": next(iter(users[user_id]["payment_methods"])),
        }
        orders[order_id] = {
            "order_id": order_id,
            "user_id": user_id,
            "address": users[user_id]["address"],
            "items": items,
            "fulfillments": [] if status == "pending" else [parcel],
            "status": status,
            "payment_history": [payment],
        }
        users[user_id]["orders"].append(order_id)
    return orders


def _make_item(rng: random.Random, product: Record) -> Record:
    variant = rng.choice([*product["variants"].values()])
    named = {name: product[name] for name in ("name", "product_id")}
    return named | {name: variant[name] for name in ("item_id", "price", "options")}


def _write_table(path: Path, table: Mapping[str, Record]) -> None:
    """Write one record to a line: small, yet a change shows up as a change of its own lines."""
    lines = (f"{json.dumps(key)}: {json.dumps(record, ensure_ascii=False)}" for key, record in table.items())
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def _write_lines(path: Path, records: Iterable[Record]) -> None:
    path.write_text("".join(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records), "utf-8")


def main(folder: Path) -> None:
    """Write ``products.json``, ``users.json``, ``orders.json`` and ``tasks.jsonl`` into ``folder``."""
    rng = random.Random(_SEED)
    products, users = make_products(rng), make_users(rng)
    orders = make_orders(rng, products, users)
    for name, table in (("products", products), ("users", users), ("orders", orders)):
        _write_table(folder / f"{name}.json", table)
    base = Base.of({"orders": orders, "products": products, "users": users})
    _write_lines(folder / "tasks.jsonl", make_tasks(rng, base, _TASKS))


if __name__ == "__main__":
    main(Path(__file__).parent / "data")
