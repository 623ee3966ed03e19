import hashlib
import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from examples.retail import make_data, rules
from examples.retail.catalog import TABLES, Base, Overlay, canonical, data_folder, load
from examples.retail.view import Record, Table

PROJECT = Path(__file__).parents[3]
SHIPPED = PROJECT / "examples" / "retail" / "data"
PUBLIC = Path(os.environ.get("CALLBOARD_SHARED", PROJECT.parent / "shared")) / "data" / "retail"


def tasks(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


# --- canonical form and hash ------------------------------------------------------------------------------


def test_the_canonical_form_is_the_documented_one() -> None:
    value = {
        "orders": {"#W2": {"total": 12.340000000000003, "ok": True}, "#W10": {"total": 47.0, "n": 3}},
        "note": 'Straße "q" €\n',
        "none": None,
    }
    text = canonical(value)
    assert len(text) == 126
    assert text.decode() == (
        '{"none":null,"note":"Straße \\"q\\" €\\n","orders":'
        '{"#W10":{"n":3,"total":47.0},"#W2":{"ok":true,"total":12.340000000000003}}}'
    )
    expected = "03f1a8528682b22854f46df92e5dcd902b2343e43dda16dcf9524e7d5b3ce133"
    assert hashlib.sha256(text).hexdigest() == expected


def test_the_hash_of_changes_is_that_of_the_whole_database(base: Base) -> None:
    rng = random.Random(1)
    for _ in range(20):
        changes: dict[Any, Record] = {}
        for table in ("orders", "users"):
            for record_id in rng.sample([*base.tables[table]], rng.randint(0, 4)):
                changes[table, record_id] = base.tables[table][record_id] | {"note": "ß" * rng.randint(0, 50)}
        whole = {
            table: {key: changes.get((table, key), record) for key, record in records.items()}
            for table, records in base.tables.items()
        }
        assert base.final_hash(changes) == hashlib.sha256(canonical(whole)).hexdigest()


# --- whole tasks ------------------------------------------------------------------------------------------


def replay(base: Base, all_tasks: list[Record]) -> Counter[str]:
    """Make the calls of each task on a fresh database; count what came out as written down."""
    seen: Counter[str] = Counter()
    for task in all_tasks:
        view = Overlay(base)
        for action in task["actions"]:
            answer = rules.call(view, action["name"], action["arguments"])
            assert answer == action["answer"], task["id"]
            seen["refused" if answer.startswith("Error: ") else "changed"] += 1
        assert view.final_hash() == task["final_hash"], task["id"]
        seen["tasks"] += 1
    return seen


def test_the_shipped_tasks_come_out_as_written(base: Base) -> None:
    shipped = tasks(SHIPPED / "tasks.jsonl")
    seen = replay(base, shipped)
    assert seen["tasks"] == 40
    assert {action["name"] for task in shipped for action in task["actions"]} == set(rules.WRITING)
    refusals = {
        (action["name"], action["answer"])
        for task in shipped
        for action in task["actions"]
        if action["answer"].startswith("Error: ")
    }
    what = "Error: insufficient gift card balance to pay for the"
    assert refusals == {
        ("modify_pending_order_payment", f"{what} order"),
        ("modify_pending_order_items", f"{what} new item"),
        ("exchange_delivered_order_items", f"{what} price difference"),
    }


def test_the_public_tasks_come_out_as_written() -> None:
    if not PUBLIC.is_dir():
        pytest.skip(f"no public retail data in {PUBLIC}: set CALLBOARD_SHARED to the folder that has it")
    public = tasks(PUBLIC / "tasks_dev.jsonl") + tasks(PUBLIC / "tasks_train.jsonl")
    assert replay(load(PUBLIC), public) == {"tasks": 520, "changed": 773, "refused": 20}


def test_the_shipped_data_is_what_the_script_makes(tmp_path: Path) -> None:
    make_data.main(tmp_path)
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == ["orders.json", "products.json", "tasks.jsonl", "users.json"]
    for name in made:
        assert (tmp_path / name).read_bytes() == (SHIPPED / name).read_bytes(), name


def test_the_tool_list_names_the_tools_and_which_of_them_write() -> None:
    listed = json.loads((SHIPPED / "tools.json").read_text("utf-8"))
    assert {tool["name"] for tool in listed} == set(rules.TOOLS)
    assert {tool["name"] for tool in listed if tool["effect"] == "write"} == set(rules.WRITING)


def test_a_missing_folder_or_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CALLBOARD_RETAIL_DATA", raising=False)
    assert data_folder() == SHIPPED
    monkeypatch.setenv("CALLBOARD_RETAIL_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"CALLBOARD_RETAIL_DATA: there is no folder .*nowhere"):
        data_folder()
    make_data.main(tmp_path)
    monkeypatch.setenv("CALLBOARD_RETAIL_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"has no tools\.json, policy\.md"):
        data_folder()


# --- reading tools ----------------------------------------------------------------------------------------


def test_a_user_is_found_by_email_and_by_name_with_case_ignored(base: Base, shop: Overlay) -> None:
    for user_id, user in base.tables["users"].items():
        name = {part: text.upper() for part, text in user["name"].items() if "ß" not in text}
        if len(name) == 2:
            wanted = {**name, "zip": user["address"]["zip"]}
            assert rules.call(shop, "find_user_id_by_name_zip", wanted) == user_id
        assert rules.call(shop, "find_user_id_by_email", {"email": user["email"].upper()}) == user_id
    assert rules.call(shop, "find_user_id_by_email", {"email": "x"}) == "Error: user not found"
    nobody = {"first_name": "Zoë", "last_name": "Lindqvist", "zip": "0"}
    assert rules.call(shop, "find_user_id_by_name_zip", nobody) == "Error: user not found"


@pytest.mark.parametrize("table", TABLES)
def test_details_are_the_stored_record_as_json(base: Base, shop: Overlay, table: Table) -> None:
    kind = table.removesuffix("s")
    for record_id, record in base.tables[table].items():
        answer = rules.call(shop, f"get_{kind}_details", {f"{kind}_id": record_id})
        assert answer.isascii()
        assert answer == json.dumps(record)
        missing = rules.call(shop, f"get_{kind}_details", {f"{kind}_id": record_id[1:]})
        assert missing == f"Error: {kind} not found"


def test_product_types_are_sorted_by_name(base: Base, shop: Overlay) -> None:
    listed = json.loads(rules.call(shop, "list_all_product_types", {}))
    assert list(listed) == sorted(product["name"] for product in base.tables["products"].values())
    assert set(listed.values()) == set(base.tables["products"])


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("2 + 2", "4.0"),
        ("10 / 4", "2.5"),
        ("  -3 + +5 * (2 - .5) ", "4.5"),
        ("7 // 2 ** 2", "1.0"),
        ("2 ** -1", "0.5"),
        ("1 ** 99999999", "1.0"),
        ("0.125 * 1", "0.12"),
        ("12.345 + 0", "12.35"),
        ("1 / 0", "Error: division by zero"),
        ("1.0 // 0", "Error: division by zero"),
        ("2 + x", "Error: invalid characters in expression"),
        ("1_0", "Error: invalid characters in expression"),
        ("9 ** 9 ** 9", "Error: number too large"),
        ("2.0 ** 99999", "Error: number too large"),
        ("10 ** 400", "Error: number too large"),
        ("9" * 400 + ".0", "Error: number too large"),
        ("(-8) ** 0.5", "Error: invalid expression"),
        ("", "Error: invalid expression"),
        ("()", "Error: invalid expression"),
        ("...", "Error: invalid expression"),
        ("1 2", "Error: invalid expression"),
        ("(1)(2)", "Error: invalid expression"),
        ("(" * 300 + "1" + ")" * 300, "Error: invalid expression"),
        ("1+" * 500 + "1", "Error: expression too long"),
    ],
)
def test_calculate(shop: Overlay, expression: str, answer: str) -> None:
    assert rules.call(shop, "calculate", {"expression": expression}) == answer


def test_signs_nested_deeply_are_no_crash(shop: Overlay) -> None:
    answer = rules.call(shop, "calculate", {"expression": "-" * 999 + "1"})
    assert answer in ("-1.0", "Error: invalid expression")


def test_think_and_transfer_leave_the_database_alone(base: Base, shop: Overlay) -> None:
    assert rules.call(shop, "think", {"thought": "…"}) == ""
    assert rules.call(shop, "transfer_to_human_agents", {"summary": "s"}) == "Transfer successful"
    assert shop.final_hash() == base.final_hash({})


# --- calls that are wrong as such -------------------------------------------------------------------------


@pytest.mark.parametrize("tool", sorted(rules.TOOLS))
def test_missing_surplus_and_odd_arguments_are_answered(base: Base, shop: Overlay, tool: str) -> None:
    listed = json.loads((SHIPPED / "tools.json").read_text("utf-8"))
    names = next(entry["parameters"]["required"] for entry in listed if entry["name"] == tool)
    full = dict.fromkeys(names, "x")
    odd_values: list[Any] = [None, 5, ["x"], {}]
    assert rules.call(shop, tool, {**full, "surplus": 1}).startswith("Error: ")
    assert rules.call(shop, tool, {**full, "view": 1}).startswith("Error: ")
    for name in names:
        fewer = {key: value for key, value in full.items() if key != name}
        assert rules.call(shop, tool, fewer).startswith("Error: ")
        for odd in odd_values:
            assert isinstance(rules.call(shop, tool, {**full, name: odd}), str)
    assert shop.final_hash() == base.final_hash({})


def test_an_unknown_tool_is_answered(shop: Overlay) -> None:
    assert rules.call(shop, "open_till", {}) == "Unknown action open_till"


def test_a_record_that_is_not_in_the_base_cannot_be_put(shop: Overlay) -> None:
    with pytest.raises(KeyError):
        shop.put("orders", "#W0", {})
