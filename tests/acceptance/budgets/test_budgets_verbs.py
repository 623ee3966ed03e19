"""Budgets by the command: set, listed with what is used of them, lifted; and the page's own commands."""

import re
import shlex
from pathlib import Path

import pytest

from tests.acceptance.cli.desk import Desk

PAGE = Path(__file__).parents[3] / "docs" / "costs.md"

APP = """
    from callboard.testing import ScriptedModel

    app.budget("agent", "clerk", calls=10)
    app.budget("run", calls=3)
    app.budget("session", calls=8, period="day")
    clerk = app.agent("clerk", model=ScriptedModel(["four"], price=(0, 1_000_000)), max_output_tokens=50)

    @app.flow
    async def flow(ctx: cb.Context, ticket: Ticket) -> str:
        for n in range(int(ticket.text)):
            await clerk.run(ctx, "go")
        return "done"
"""


@pytest.fixture
def begun(desk: Desk) -> Desk:
    desk.app(APP)
    desk.input([{"id": "a", "text": "2"}])
    desk.run()
    return desk


def test_a_limit_that_is_set_refuses_what_has_no_room_and_lets_it_through_when_it_is_lifted(begun: Desk) -> None:
    (made,) = begun.json("budgets", "set", "tenant", "default", "--calls", "3", "--by", "anna", "--warn", "0.5")
    assert (made["tenant"], made["scope"], made["name"], made["per"]) == ("default", "tenant", "default", "ever")
    assert (made["calls"], made["warn"], made["by"]) == (3, [0.5], "anna")
    begun.input([{"id": "b", "text": "2"}])
    (line,) = begun.run()
    assert line["status"] == "succeeded"  # nothing was counted for the tenant before there was a limit
    begun.input([{"id": "c", "text": "2"}])
    (line,) = begun.run(expect=1)
    assert line["error"]["code"] == "limit_reached"
    assert "budget tenant default has no room" in line["error"]["message"]
    (listed,) = begun.json("budgets", "list")
    assert (listed["budget"], listed["account"], listed["by"]) == ("tenant default", "tenant", "anna")
    assert listed["measures"] == {"calls": {"limit": 3, "used": 3, "held": 0, "left": 0, "share": 1.0}}
    (gone,) = begun.json("budgets", "remove", "tenant", "default")
    assert gone["removed"]
    assert begun.json("budgets", "list") == []
    (line,) = begun.run("--retry-failed")
    assert line["status"] == "succeeded"


def test_what_an_app_declares_is_listed_with_it_the_fullest_first(begun: Desk) -> None:
    assert begun.json("budgets", "list") == []
    found = begun.json("budgets", "list", "--app", "desk")
    assert [(each["budget"], each["by"]) for each in found] == [
        ("run *", "the app"),
        ("agent clerk", "the app"),
        ("session * per day", "the app"),
    ]
    run, agent, session = (each["measures"]["calls"] for each in found)
    assert (run["used"], run["left"], agent["used"], agent["share"]) == (2, 1, 2, 0.2)
    assert found[0]["account"].startswith("run:")
    assert (session["used"], found[2]["account"]) == (0, "")
    shown = begun("budgets", "list", "--app", "desk", "--limit", "2").stdout.splitlines()
    assert len(shown) == 3
    assert re.search(r"agent clerk +agent:clerk +calls +10 +2 +0 +8 +20 +the app", shown[2])


def test_what_is_set_stands_in_place_of_what_is_declared(begun: Desk) -> None:
    begun("budgets", "set", "agent", "clerk", "--usd", "0.5", "--calls", "4", "--by", "anna")
    found = {each["budget"]: each for each in begun.json("budgets", "list", "--app", "desk")}
    agent = found["agent clerk"]
    assert agent["by"] == "anna"
    assert agent["measures"]["calls"]["limit"] == 4
    assert agent["measures"]["usd"] == {"limit": 0.5, "used": 2e-6, "held": 0, "left": 0.499998, "share": 4e-6}
    assert begun.json("budgets", "list", "--tenant", "other") == []


def test_money_of_a_configuration_is_listed_without_an_app(begun: Desk) -> None:
    (begun.folder / "board.toml").write_text('[[budgets]]\nscope = "tenant"\nperiod = "day"\nusd = "20"\n')
    begun.environment["CALLBOARD_CONFIG"] = "board.toml"
    (found,) = begun.json("budgets", "list")
    assert (found["budget"], found["measures"]["usd"]["limit"]) == ("tenant * per day", 20.0)


def test_what_cannot_be_a_budget_is_refused(begun: Desk) -> None:
    for arguments, says in (
        ("set tenant acme", "limits nothing"),
        ("set team acme --calls 1", "team"),
        ("set tenant acme --calls 1 --per week", "week"),
        ("set tenant acme --usd 0.12345678", "six decimals"),
        ("set tenant acme --calls 1 --warn 80", "0.8 for 80 %"),
    ):
        assert says in begun("budgets", *arguments.split(), expect=2).stderr
    assert "no limit was set for agent clerk" in begun("budgets", "remove", "agent", "clerk", expect=1).stderr


def test_the_commands_of_the_page_work(begun: Desk) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) >= 7
    for line in lines:
        name, *arguments = shlex.split(line)
        assert name == "callboard"
        begun(*arguments)
