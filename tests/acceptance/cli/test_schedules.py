"""`callboard schedules`: what is started again and again."""

import signal
from datetime import datetime

from tests.acceptance.cli.desk import Desk

APP = """
    @app.flow
    async def flow(ctx: cb.Context, ticket: Ticket) -> str:
        return await ctx.step(note, ticket.id)

    app.schedule("0 3 1 1 *", flow, name="new-year", input={"id": "ny"}, zone="Asia/Tokyo")
"""


def open_store(desk: Desk) -> None:
    """A worker comes and goes."""
    with desk.begin("worker", "desk") as process:
        assert process.stderr is not None
        assert "runs: flow@1" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def test_what_an_app_declares_is_there_once_a_worker_was(desk: Desk) -> None:
    desk.app(APP)
    open_store(desk)
    (found,) = desk.json("schedules", "list")
    next_at = found.pop("next_at")
    assert found == {
        "name": "new-year", "tenant": "default", "flow": "flow", "cron": "0 3 1 1 *", "zone": "Asia/Tokyo",
        "input": {"id": "ny"}, "overlap": "skip", "catch_up": "last", "state": "scheduled",
        "last_at": None, "last_run": None,
    }  # fmt: skip
    desk.environment["TZ"] = "Asia/Tokyo"
    assert "-01-01 03:00:00" in desk("schedules", "list").stdout
    desk.environment["TZ"] = "UTC"
    assert "-12-31 18:00:00" in desk("schedules", "show", "new-year").stdout
    assert datetime.fromtimestamp(next_at).minute == 0
    assert desk.json("schedules", "pause", "new-year")[0]["state"] == "paused"
    open_store(desk)
    assert desk.json("schedules", "show", "new-year")[0]["state"] == "paused"
    assert desk.json("schedules", "resume", "new-year")[0]["state"] == "scheduled"


def test_put_trigger_and_remove(desk: Desk) -> None:
    desk.app(APP)
    open_store(desk)
    (made,) = desk.json(
        "schedules", "put", "yearly", "--flow", "flow", "--cron", "0 0 29 2 *", "--zone", "Europe/Berlin",
        "--input", '{"id": "leap"}', "--overlap", "queue", "--catch-up", "none",
    )  # fmt: skip
    assert (made["overlap"], made["catch_up"], made["input"]) == ("queue", "none", {"id": "leap"})
    assert [each["name"] for each in desk.json("schedules", "list")] == ["new-year", "yearly"]
    with desk.begin("worker", "desk"):
        desk("schedules", "trigger", "yearly")
        desk.until(lambda: desk.effects() == ["leap"])
        desk.until(lambda: desk.json("schedules", "show", "yearly")[0]["last_run"])
    (after,) = desk.json("schedules", "show", "yearly")
    assert after["next_at"] == made["next_at"]
    (run,) = desk.json("runs", "list", "--label", "schedule=yearly")
    assert run["id"] == after["last_run"]
    assert desk.json("schedules", "remove", "yearly")[0]["state"] == "removed"
    assert [each["name"] for each in desk.json("schedules", "list")] == ["new-year"]


def test_a_schedule_that_nobody_starts_is_seen(desk: Desk) -> None:
    desk.app(APP)
    open_store(desk)
    desk("schedules", "put", "lost", "--flow", "nobody-has-it", "--cron", "* * * * *")
    desk.app(
        """
        from msgspec.structs import replace

        async def main() -> None:
            async with cb.open(app, worker=False) as rt:
                lost = await rt.schedules.get("lost")
                await rt.store.schedules.put(replace(lost, next_at=lost.next_at - 3600))

        asyncio.run(main())
        """,
        name="hour",
    )
    desk("worker", "hour:nothing", expect=2)
    assert {each["name"]: each["state"] for each in desk.json("schedules", "list")} == {
        "lost": "late", "new-year": "scheduled"
    }  # fmt: skip
    (fact,) = [each for each in desk.json("doctor", expect=1) if each["name"] == "schedule lost"]
    assert "has the flow nobody-has-it" in fact["remedy"]


def test_what_cannot_be_done(desk: Desk) -> None:
    desk.app(APP)
    open_store(desk)
    put = ("schedules", "put", "x", "--flow", "flow", "--cron")
    assert "Bad hour" in desk(*put, "0 25 * * *", expect=2).stderr
    assert "IANA name" in desk(*put, "0 5 * * *", "--zone", "Berlin", expect=2).stderr
    assert "not JSON" in desk(*put, "0 5 * * *", "--input", "{", expect=2).stderr
    assert "use one of skip" in desk(*put, "0 5 * * *", "--overlap", "never", expect=2).stderr
    assert "use one of none" in desk(*put, "0 5 * * *", "--catch-up", "never", expect=2).stderr
    for verb in ("show", "pause", "resume", "remove", "trigger"):
        assert "no schedule 'x'" in desk("schedules", verb, "x", expect=1).stderr
    desk("schedules", "pause", "new-year")
    assert "callboard schedules resume new-year" in desk("schedules", "trigger", "new-year", expect=1).stderr
