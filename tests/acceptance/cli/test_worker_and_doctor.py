"""`callboard worker` executes what others start; `callboard doctor` says how things are."""

import signal

from tests.acceptance.cli.desk import ECHO, Desk, tickets

SLOW = """
    async def work(name: str) -> str:
        note("begin")
        await told()
        return note("end")

    @app.flow
    async def flow(ctx: cb.Context, ticket: Ticket) -> str:
        return await ctx.step(work, ticket.id)
"""


def started(desk: Desk) -> None:
    """A run in the store that nobody executes."""
    desk.app(SLOW)
    desk.app(
        """
        import desk

        async def main() -> None:
            async with cb.open(desk.app, worker=False) as rt:
                await rt.start(desk.flow, {"id": "t1"})

        asyncio.run(main())
        """,
        name="starting",
    )
    desk("run", "starting:nothing", "--input", "desk.py", "--output", "out.jsonl", expect=2)


def test_a_worker_executes_runs_and_drains_when_it_is_told_to_stop(desk: Desk) -> None:
    started(desk)
    (ready,) = [fact for fact in desk.json("doctor", expect=1) if fact["name"] == "runs ready"]
    assert "callboard worker" in ready["remedy"]
    with desk.begin("worker", "desk", "--concurrency", "2") as process:
        desk.until(desk.effects)
        (worker,) = [fact for fact in desk.json("doctor") if fact["name"] == "worker"]
        assert worker["alive"] is True
        assert worker["running"] == 1
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        said: list[str] = []
        while not said or "stopping" not in said[-1]:
            said.append(process.stderr.readline())
            assert said[-1], said
        desk.tell()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert any("flow@1" in line for line in said)
    assert desk.effects() == ["begin", "end"]
    assert not [fact for fact in desk.json("doctor") if fact["name"] == "worker"]


def test_a_second_signal_ends_a_worker_at_once(desk: Desk) -> None:
    started(desk)
    with desk.begin("worker", "desk:app") as process:
        desk.until(desk.effects)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        desk.until(lambda: "stopping" in process.stderr.readline())  # type: ignore[union-attr]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 130
    found = {fact["name"]: fact for fact in desk.json("doctor", expect=1)}
    assert found["worker"]["alive"] is False
    assert "start a worker" in found["worker"]["remedy"]


def test_an_app_that_cannot_be_found(desk: Desk) -> None:
    desk.app(ECHO)
    desk.app(ECHO + "other = cb.App('other')\n", name="several")
    (desk.folder / "empty.py").touch()
    assert "has no app" in desk("worker", "empty", expect=2).stderr
    assert "several apps" in desk("worker", "several", expect=2).stderr
    assert "no app 'nothing'" in desk("worker", "desk:nothing", expect=2).stderr


def test_doctor_on_a_healthy_store(desk: Desk) -> None:
    desk.app(ECHO)
    desk.input(tickets(2))
    desk.run()
    found = {fact["name"]: fact["value"] for fact in desk.json("doctor")}
    assert found["integrity"] == "ok"
    assert found["runs succeeded"] == 2
    assert found["disk free"] > 0
    assert {"python", "sqlite", "store", "schema", "bytes"} <= set(found)
    assert "integrity" in desk("doctor").stdout
