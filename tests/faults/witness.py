"""The retail example with a witness at the shop's door, and its own data for a call of each side-effect class."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import callboard.testing as kit
from examples.retail import app, handle, tools
from examples.retail.shop import Shop, data_folder

LAST = "transfer_to_human_agents"
"""The tool that must never be called twice: everything else that has an effect may be, with the same key."""


class Witness(Shop):
    """The shop, which also notes each call that arrives; the ledger itself shows one row for each key, whatever comes.

    Those who open it for another worker find what was noted before.
    """

    arrived: ClassVar[Counter[tuple[str, str]]] = Counter()

    def apply(self, run_id: str, key: str, tool: str, arguments: Mapping[str, Any]) -> str:
        """Notes the call and makes it."""
        Witness.arrived[tool, key] += 1
        return super().apply(run_id, key, tool, arguments)


def shipped() -> list[dict[str, Any]]:
    """The example's own tasks."""
    lines = (data_folder() / "tasks.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def one_of_each() -> dict[str, dict[str, Any]]:
    """A call that succeeds, for each side-effect class."""
    cancel = next(
        action
        for task in shipped()
        for action in task["actions"]
        if action["name"] == "cancel_pending_order" and not action["answer"].startswith("Error")
    )
    order = {"order_id": cancel["arguments"]["order_id"]}
    return {
        "read": {"name": "get_order_details", "arguments": order},
        "idempotent": {"name": cancel["name"], "arguments": cancel["arguments"]},
        "once": {"name": LAST, "arguments": {"summary": "wants to speak to a person"}},
    }


async def play(
    folder: Path, rules: list[dict[str, Any]], given: list[dict[str, Any]], *, seed: int = 1
) -> tuple[list[kit.Weathered], kit.ChaosReport, dict[str, int]]:
    """Handles tasks while rules strike; how they came through, the report, and the shop's counts."""
    Witness.arrived.clear()
    async with kit.chaos(app, rules, seed=seed, path=folder / "store.db") as storm:
        found = await storm.play(handle, given)
        return found, storm.report(), tools.Counter.shop.counts()


def task(*actions: dict[str, Any]) -> dict[str, Any]:
    """A task of these calls."""
    return {"id": "one", "user_id": "somebody", "instruction": "do it", "actions": list(actions)}


def repeated() -> list[tuple[str, str]]:
    """Calls that arrived more often than they may: a `once` call twice."""
    return [call for call, count in Witness.arrived.items() if call[0] == LAST and count > 1]
