"""`callboard chaos`: a file in, calls that go wrong, and a report with an exit code."""

import json

from tests.acceptance.cli.desk import Desk

SHOP = """
app.upstream("shop", otherwise="fail")

@app.tool(effect="read", upstream="shop")
async def look(what: str) -> str:
    "Looks."
    return what

async def happened(key: str) -> cb.Applied | cb.NotApplied:
    notes = open("effects.txt").read().split() if __import__("os").path.exists("effects.txt") else []
    return cb.Applied("done") if key in notes else cb.NotApplied()

@app.tool(effect="once", upstream="shop", reconcile=happened)
async def buy(what: str, key: cb.IdempotencyKey) -> str:
    "Buys."
    return note(key)

@app.flow
async def flow(ctx: cb.Context, ticket: Ticket) -> str:
    return await buy.call(ctx, what=await look.call(ctx, what=ticket.id))
"""


def test_without_rules_every_kind_strikes_every_tool(desk: Desk) -> None:
    desk.app(SHOP)
    desk.input([{"id": "a"}, {"id": "b"}])
    done = desk("chaos", "desk:flow", "--input", "in.jsonl", "--json")
    report = json.loads(done.stdout)
    lines = {line["policy"]: line for line in report["lines"]}
    assert {name: line.get("unmet", []) for name, line in lines.items() if name.startswith("tool ")} == {
        "tool look": [],
        "tool buy": [],
    }
    assert all(check["ok"] for check in report["checks"])
    assert len(desk.effects()) == len(set(desk.effects()))
    assert "kill, answer lost: " in done.stderr
    assert not (desk.folder / "callboard.db").exists()


def test_rules_from_a_file_strike_and_what_they_did_not_is_named(desk: Desk) -> None:
    desk.app(SHOP)
    desk.input([{"id": "a"}, {"id": "b"}])
    (desk.folder / "rules.toml").write_text('[[rules]]\nkind = "503"\ntarget = "look"\nnth = 1\n')
    done = desk("chaos", "desk:flow", "--input", "in.jsonl", "--rules", "rules.toml", "--limit", "1")
    assert "tool look: as declared" in done.stdout
    assert "did        retried" in done.stdout
    assert "tool buy: nothing ever struck or used it" in done.stdout
    assert desk.effects() and len(desk.effects()) == 1


def test_a_policy_that_is_not_kept_ends_with_one(desk: Desk) -> None:
    desk.app(
        SHOP
        + """
import dataclasses
from callboard.agents import calling

def never(self, attempt, failure):  # the app breaks the machinery, so that a promise is not kept
    return None

calling.Calling.again = never
"""
    )
    desk.input([{"id": "a"}])
    (desk.folder / "rules.toml").write_text('[[rules]]\nkind = "503"\ntarget = "look"\nnth = 1\n')
    done = desk("chaos", "desk:flow", "--input", "in.jsonl", "--rules", "rules.toml", expect=1)
    assert "tool look: NOT AS DECLARED (1)" in done.stdout
    assert "retried (upstream_down) was declared; failed (upstream_down)" in done.stdout


def test_what_cannot_be_read_is_named(desk: Desk) -> None:
    desk.app(SHOP)
    desk.input(["no JSON"])
    (desk.folder / "rules.toml").write_text('[[rules]]\nkind = "504"\n')
    assert "line 1" in desk("chaos", "desk:flow", "--input", "in.jsonl", expect=2).stderr
    done = desk("chaos", "desk:flow", "--input", "in.jsonl", "--rules", "rules.toml", expect=2)
    assert "rules.toml, rule 1" in done.stderr
