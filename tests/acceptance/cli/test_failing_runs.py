"""Runs that fail: what their output lines say, how the command exits, and how they are tried again."""

from tests.acceptance.cli.desk import Desk, tickets

FAILING = """
    import os

    def fragile(name: str) -> str:
        note(name)
        if name == "t2" and not os.path.exists("repaired"):
            raise ValueError("out of order")
        return name

    @app.flow
    async def flow(ctx: cb.Context, ticket: Ticket) -> str:
        return await ctx.step(fragile, ticket.id)
"""


def test_a_failure_is_reported_and_the_exit_code_says_that_not_all_succeeded(desk: Desk) -> None:
    desk.app(FAILING)
    desk.input(tickets(3))
    found = desk.run(expect=1)
    assert [line["status"] for line in found] == ["succeeded", "failed", "succeeded"]
    assert found[1]["output"] is None
    assert found[1]["error"]["code"] == "step_failed"
    assert "out of order" in found[1]["error"]["message"]
    assert set(found[1]["error"]) == {"code", "kind", "message"}


def test_a_failed_run_stays_failed_until_it_is_asked_to_be_retried(desk: Desk) -> None:
    desk.app(FAILING)
    desk.input(tickets(3))
    first = desk.run(expect=1)
    (desk.folder / "repaired").touch()
    assert desk.run(expect=1) == first
    again = desk.run("--retry-failed")
    assert [line["output"] for line in again] == ["t1", "t2", "t3"]
    assert [line["run_id"] for line in again] == [line["run_id"] for line in first]
    assert sorted(desk.effects()) == ["t1", "t2", "t2", "t3"]


def test_retrying_what_still_fails_ends_and_reports_it(desk: Desk) -> None:
    desk.app(FAILING)
    desk.input(tickets(3))
    desk.run(expect=1)
    assert desk.run("--retry-failed", expect=1)[1]["status"] == "failed"
    assert desk.effects().count("t2") == 2


def test_a_cancelled_run_is_reported_as_such(desk: Desk) -> None:
    desk.app("""
        @app.flow
        async def flow(ctx: cb.Context, ticket: Ticket) -> str:
            return await ctx.wait("go")
    """)
    desk.input(tickets(1))
    (first,) = desk.run(expect=1)
    desk("runs", "cancel", first["run_id"], "--reason", "no longer wanted")
    (second,) = desk.run(expect=1)
    assert second["status"] == "cancelled"
    assert second["error"]["code"] == "run_cancelled"
    assert "no longer wanted" in second["error"]["message"]
