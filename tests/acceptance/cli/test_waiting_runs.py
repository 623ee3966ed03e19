"""Runs that wait for somebody outside are reported and do not hold the command up; the others are waited for."""

from tests.acceptance.cli.desk import Desk, tickets

WAITING = """
    @app.flow
    async def child(ctx: cb.Context, kind: str) -> str:
        if kind == "quick":
            await ctx.sleep(0.8)
            return "slept"
        return await ctx.wait("go")

    @app.flow
    async def flow(ctx: cb.Context, ticket: Ticket) -> object:
        match ticket.text:
            case "person":
                return (await ctx.ask({"pay": 5})).value
            case "person in time":
                return (await ctx.ask({"pay": 5}, timeout=600)).value
            case "signal":
                return await ctx.wait("go")
            case "timer":
                await ctx.sleep(0.8)
                return "slept"
            case "quick child" | "stuck child":
                return await ctx.spawn(child, ticket.text.split()[0])
            case _:
                return "done"
"""


def test_only_what_waits_for_somebody_outside_is_reported_as_waiting(desk: Desk) -> None:
    desk.app(WAITING)
    kinds = ["person", "person in time", "signal", "stuck child", "timer", "quick child", "nothing"]
    desk.input([{"id": kind, "text": kind} for kind in kinds])
    # One run at a time: those that wait must not use up the places of the others.
    found = {line["key"]: line for line in desk.run("--concurrency", "1", expect=1)}
    waiting = {key for key, line in found.items() if line["status"] == "waiting"}
    assert waiting == {"person", "person in time", "signal", "stuck child"}
    assert found["person"]["output"] is None
    assert found["person"]["error"] is None
    assert found["timer"]["output"] == "slept"
    assert found["quick child"]["output"] == "slept"


def test_a_run_that_waited_goes_on_when_the_command_is_repeated(desk: Desk) -> None:
    desk.app(WAITING)
    desk.input([{"id": "t1", "text": "person"}, {"id": "t2", "text": "signal"}])
    first = desk.run(expect=1)
    asked = desk.json("approvals", "list")
    desk("approvals", "approve", asked[0]["id"])
    desk("runs", "signal", first[1]["run_id"], "go", '"gone"')
    second = desk.run()
    assert [line["output"] for line in second] == [{"pay": 5}, "gone"]
    assert [line["run_id"] for line in second] == [line["run_id"] for line in first]


def test_a_run_that_the_code_no_longer_fits_is_reported_as_blocked_and_can_be_retried(desk: Desk) -> None:
    waiting = """
        @app.flow
        async def flow(ctx: cb.Context, ticket: Ticket) -> str:
            await ctx.step(note, ticket.id)
            return await ctx.wait("{signal}")
    """
    desk.app(waiting.replace("{signal}", "go"))
    desk.input(tickets(1))
    (first,) = desk.run(expect=1)
    desk("runs", "signal", first["run_id"], "go", "1")
    desk.app(waiting.replace("{signal}", "other"))
    (second,) = desk.run(expect=1)
    assert second["status"] == "blocked"
    assert second["error"]["code"] == "version_mismatch"
    desk.app(waiting.replace("{signal}", "go"))
    assert desk.run(expect=1)[0]["status"] == "blocked"
    assert desk.run("--retry-failed")[0]["status"] == "succeeded"
    assert desk.effects() == ["t1"]


def test_a_run_of_a_version_that_is_not_here_is_reported_as_it_stands(desk: Desk) -> None:
    source = """
        @app.flow(version="{version}")
        async def flow(ctx: cb.Context, ticket: Ticket) -> str:
            return await ctx.wait("go")
    """
    desk.app(source.replace("{version}", "1"))
    desk.input(tickets(1))
    (first,) = desk.run(expect=1)
    desk("runs", "signal", first["run_id"], "go", '"gone"')
    desk.app(source.replace("{version}", "2"))
    assert desk.run(expect=1)[0]["status"] == "ready"
    desk.app(source.replace("{version}", "1"))
    assert desk.run()[0]["output"] == "gone"
