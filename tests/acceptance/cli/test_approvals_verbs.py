"""`callboard approvals`: questions to people, and their answers."""

from tests.acceptance.cli.desk import Desk, tickets

ASKING = """
    @app.flow
    async def flow(ctx: cb.Context, ticket: Ticket) -> object:
        decision = await ctx.ask({"pay": ticket.id})
        return [decision.status, decision.value, decision.by, decision.note]
"""


def test_list_and_decide(desk: Desk) -> None:
    desk.app(ASKING)
    desk.input(tickets(3))
    runs = {line["run_id"]: line["key"] for line in desk.run(expect=1)}
    asked = {runs[each["run_id"]]: each["id"] for each in desk.json("approvals", "list")}
    assert set(asked) == {"t1", "t2", "t3"}
    run_of_t1 = next(run for run, key in runs.items() if key == "t1")
    assert [each["id"] for each in desk.json("approvals", "list", "--run", run_of_t1)] == [asked["t1"]]
    assert '{"pay":"t1"}' in desk("approvals", "list").stdout

    (approved,) = desk.json("approvals", "approve", asked["t1"], "--by", "ada", "--note", "fine by me")
    assert approved == {
        "id": asked["t1"], "status": "approved", "by": "ada", "run_id": run_of_t1, "run_status": "ready"
    }  # fmt: skip
    desk.environment["LOGNAME"] = "grace"
    assert desk.json("approvals", "reject", asked["t2"])[0]["by"] == "grace"
    desk("approvals", "edit", asked["t3"], "--value", '{"pay": 3}', "--by", "ada")
    assert [line["output"] for line in desk.run()] == [
        ["approved", {"pay": "t1"}, "ada", "fine by me"],
        ["rejected", None, "grace", ""],
        ["edited", {"pay": 3}, "ada", ""],
    ]
    assert desk.json("approvals", "list") == []
    assert len(desk.json("approvals", "list", "--status", "approved")) == 1


def test_what_cannot_be_decided(desk: Desk) -> None:
    desk.app(ASKING)
    desk.input(tickets(1))
    desk.run(expect=1)
    (asked,) = desk.json("approvals", "list")
    assert "no approval" in desk("approvals", "approve", "nobody", expect=1).stderr
    assert "not JSON" in desk("approvals", "edit", asked["id"], "--value", "{", expect=2).stderr
    assert "unknown" in desk("approvals", "list", "--status", "lost", expect=2).stderr
    desk("approvals", "reject", asked["id"])
    assert "already" in desk("approvals", "approve", asked["id"], expect=1).stderr
