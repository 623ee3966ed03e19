"""The nine tools that leave the database as it is."""

import json

from examples.retail.arithmetic import evaluate
from examples.retail.view import Refused, View, answer, find


def find_user_id_by_email(view: View, /, email: str) -> str:
    """Answer the id of the first user with this e-mail, case ignored."""
    for user_id, user in view.rows("users"):
        if user["email"].lower() == email.lower():
            return user_id
    raise Refused("user not found")


def find_user_id_by_name_zip(view: View, /, first_name: str, last_name: str, zip: str) -> str:
    """Answer the id of the first user with these names, case ignored, and exactly this zip code."""
    wanted = (first_name.lower(), last_name.lower(), zip)
    for user_id, user in view.rows("users"):
        name = user["name"]
        if (name["first_name"].lower(), name["last_name"].lower(), user["address"]["zip"]) == wanted:
            return user_id
    raise Refused("user not found")


def get_user_details(view: View, /, user_id: str) -> str:
    """Answer the user as JSON."""
    return answer(find(view, "users", user_id))


def get_order_details(view: View, /, order_id: str) -> str:
    """Answer the order as JSON."""
    return answer(find(view, "orders", order_id))


def get_product_details(view: View, /, product_id: str) -> str:
    """Answer the product with all its variants as JSON."""
    return answer(find(view, "products", product_id))


def list_all_product_types(view: View, /) -> str:
    """Answer a JSON object from product name to product id, sorted by name."""
    return json.dumps({product["name"]: key for key, product in view.rows("products")}, sort_keys=True)


def calculate(view: View, /, expression: str) -> str:
    """Answer the value of an arithmetic expression, rounded to two places."""
    try:
        return repr(round(evaluate(expression), 2))
    except ValueError as error:
        raise Refused(str(error)) from error


def think(view: View, /, thought: str) -> str:
    """Answer nothing: a place for the model to write a thought down."""
    return ""


def transfer_to_human_agents(view: View, /, summary: str) -> str:
    """Hand the customer over. The database stays as it is, yet it must happen once only."""
    return "Transfer successful"
