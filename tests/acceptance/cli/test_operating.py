"""What operators do while everything runs: hold back, look at queue and workers, requeue what failed."""

import os
import pty
import signal
import subprocess
import sys

import pytest

from tests.acceptance.cli.desk import COMMAND, ECHO, Desk, tickets

STARTING = """
    import sys

    async def main(count: int, tenant: str) -> None:
        async with cb.open(app, worker=False) as rt:
            for n in range(count):
                await rt.start(flow, {"id": f"t{n}"}, tenant=tenant, labels={"n": str(n % 2)})

    if __name__ == "__main__":
        asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
"""

FAILING = """
    import os

    def broken() -> str:
        if os.path.exists("mended"):
            return "mended"
        raise RuntimeError("no such luck")

    @app.flow
    async def flow(ctx: cb.Context, ticket: Ticket) -> str:
        return await ctx.step(broken)

    @app.flow
    async def other(ctx: cb.Context, ticket: Ticket) -> str:
        return await ctx.step(broken)
"""


def start(desk: Desk, count: int, tenant: str = "default") -> None:
    """Runs in the store that nobody executes yet."""
    desk.app(ECHO + STARTING.replace("\n    ", "\n"))
    command = [sys.executable, "desk.py", str(count), tenant]
    subprocess.run(command, cwd=desk.folder, env=desk.environment, check=True, timeout=60)


def test_what_is_paused_is_not_begun_until_it_is_resumed(desk: Desk) -> None:
    start(desk, 2, "held")
    start(desk, 1, "free")
    (put,) = desk.json("pause", "tenant", "held", "--by", "anna")
    assert (put["scope"], put["name"], put["paused"], put["running"], put["by"]) == (
        "tenant",
        "held",
        True,
        None,
        "anna",
    )
    with desk.begin("worker", "desk") as process:
        desk.until(lambda: desk.json("runs", "list", "--tenant", "free")[0]["status"] == "succeeded")
        assert {run["status"] for run in desk.json("runs", "list", "--tenant", "held")} == {"ready"}
        desk("resume", "tenant", "held")
        desk.until(lambda: {r["status"] for r in desk.json("runs", "list", "--tenant", "held")} == {"succeeded"})
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    assert desk.json("controls") == []


def test_a_pause_and_a_limit_of_one_thing_do_not_undo_each_other(desk: Desk) -> None:
    start(desk, 1)
    desk("limit", "flow", "flow", "3", "--by", "anna")
    desk("pause", "flow", "flow", "--by", "ben")
    desk("pause", "tool", "refund", "--by", "ben")
    found = {(each["scope"], each["name"]): each for each in desk.json("controls")}
    assert found.keys() == {("flow", "flow"), ("tool", "refund")}
    assert (found["flow", "flow"]["paused"], found["flow", "flow"]["running"]) == (True, 3)
    desk("resume", "flow", "flow")
    assert [(each["name"], each["running"]) for each in desk.json("controls") if not each["paused"]] == [("flow", 3)]
    assert "at most 3 runs" in desk("doctor", expect=None).stdout
    shown = desk("controls").stdout
    assert "refund" in shown
    assert "ben" in shown
    desk("limit", "flow", "flow", "--none")
    desk("resume", "tool", "refund")
    assert desk.json("controls") == []


@pytest.mark.parametrize(
    "words",
    [
        ("pause", "user", "anna"),
        ("pause", "tenant", ""),
        ("limit", "flow", "flow"),
        ("limit", "flow", "flow", "3", "--none"),
        ("limit", "flow", "flow", "0"),
        ("limit", "tool", "refund", "3"),
    ],
)
def test_a_control_that_makes_no_sense_is_refused(desk: Desk, words: tuple[str, ...]) -> None:
    start(desk, 1)
    assert desk(*words, expect=2).stderr
    assert desk.json("controls") == []


def test_the_queue_tells_how_much_waits_how_long_and_whose(desk: Desk) -> None:
    start(desk, 2, "small")
    start(desk, 5, "large")
    (found,) = desk.json("queue")
    assert (found["ready"], found["running"], found["waiting"]) == (7, 0, 0)
    assert list(found["tenants"].items()) == [("large", 5), ("small", 2)]
    assert 0 < found["oldest_age"] < 60
    assert "tenant large" in desk("queue").stdout
    assert next(fact["value"] for fact in desk.json("doctor", expect=None) if fact["name"] == "queue") == 7
    desk.environment["CALLBOARD_MAX_READY_TENANT"] = "5"
    (queue,) = [fact for fact in desk.json("doctor", expect=1) if fact["name"] == "queue"]
    assert "add workers" in queue["remedy"]


def test_workers_are_listed_alive_and_gone(desk: Desk) -> None:
    start(desk, 1)
    assert desk.json("workers") == []
    with desk.begin("worker", "desk") as process:
        desk.until(lambda: desk.json("workers"))
        (worker,) = desk.json("workers")
        assert (worker["state"], worker["pid"]) == ("alive", process.pid)
    (worker,) = desk.json("workers")
    assert worker["state"] == "gone"
    assert str(process.pid) in desk("workers").stdout


def failed(desk: Desk) -> None:
    """Five failed runs of `flow`, three of `other`."""
    desk.app(FAILING)
    desk.input(tickets(5))
    desk.run(expect=1)
    desk.input(tickets(3))
    desk.run(flow="other", expect=1)


def test_runs_are_requeued_in_bulk_with_a_count_and_a_reason(desk: Desk) -> None:
    failed(desk)
    refused = desk("runs", "requeue", "--status", "failed", expect=2).stderr
    assert "8 failed runs" in refused
    assert "--yes" in refused
    assert "3 failed runs" in desk("runs", "requeue", "--status", "failed", "--flow", "other", expect=2).stderr
    assert desk.json("runs", "list", "--status", "ready") == []
    narrowed = ("--status", "failed", "--flow", "flow", "--limit", "2", "--yes", "--reason", "mended")
    assert desk.json("runs", "requeue", *narrowed) == [{"found": 2, "requeued": 2, "refused": 0}]
    for run in desk.json("runs", "list", "--status", "ready"):
        events = desk.json("runs", "events", run["id"])
        assert [event["body"] for event in events if event["kind"] == "requeued"] == [{"reason": "mended"}]
    # Whoever was interrupted repeats the command: it goes on with the others.
    assert desk.json("runs", "requeue", "--status", "failed", "--yes") == [{"found": 6, "requeued": 6, "refused": 0}]
    (run, *_) = desk.json("runs", "list", "--flow", "other")
    events = desk.json("runs", "events", run["id"])
    assert events[-1]["body"] == {"reason": "callboard runs requeue --status failed"}
    (desk.folder / "mended").touch()
    desk.input(tickets(5))
    assert {line["output"] for line in desk.run()} == {"mended"}


def test_requeueing_in_bulk_asks_a_person(desk: Desk) -> None:
    failed(desk)
    command = [*COMMAND, "runs", "requeue", "--status", "failed"]
    for answer, left in ((b"n\n", 8), (b"y\n", 0)):
        outer, inner = pty.openpty()
        process = subprocess.Popen(
            command, cwd=desk.folder, env=desk.environment, stdin=inner, stdout=subprocess.DEVNULL, stderr=inner
        )
        os.close(inner)
        asked = b""
        while b"?" not in asked:
            asked += os.read(outer, 1_000)
        assert b"Requeue 8 failed runs?" in asked
        os.write(outer, answer)
        process.wait(timeout=30)
        os.close(outer)
        assert len(desk.json("runs", "list", "--status", "failed")) == left


def test_dead_letters_are_listed_with_why_and_since_when(desk: Desk) -> None:
    desk.app(
        """
        import os

        def deadly(name: str) -> str:
            os._exit(9)

        @app.flow
        async def flow(ctx: cb.Context, ticket: Ticket) -> str:
            return await ctx.step(deadly, ticket.id)
        """
    )
    desk.environment["CALLBOARD_MAX_DEATHS"] = "1"
    desk.input(tickets(1))
    desk("run", "desk:flow", "--input", "in.jsonl", "--output", "out.jsonl", expect=9)
    assert desk.json("runs", "dead") == []
    with desk.begin("worker", "desk"):
        desk.until(lambda: desk.json("runs", "dead"))
    (letter,) = desk.json("runs", "dead")
    assert letter["deaths"] == 1
    assert letter["age"] >= 0
    assert letter["error"]["code"] == "worker_deaths"
    shown = desk("runs", "dead").stdout
    assert letter["id"] in shown
    assert "workers in a row died" in shown


LOOKING = [
    ("runs", "list"),
    ("runs", "show", "x"),
    ("runs", "dead"),
    ("runs", "cancel", "x"),
    ("runs", "requeue", "--status", "failed"),
    ("approvals", "list"),
    ("doctor",),
    ("queue",),
    ("workers",),
    ("controls",),
    ("pause", "tenant", "a"),
]


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_whoever_only_looks_makes_no_store(desk: Desk, words: tuple[str, ...]) -> None:
    told = desk(*words, "--store", "sqlite:///typo.db", expect=3).stderr
    assert f"there is no store {desk.folder}/typo.db" in told
    assert "--store" in told
    assert list(desk.folder.iterdir()) == []


def test_a_batch_waits_for_room_and_goes_on(desk: Desk) -> None:
    start(desk, 10, "others")
    desk.environment["CALLBOARD_MAX_READY"] = "3"
    desk("pause", "tenant", "others", "--by", "anna")
    desk.input(tickets(20))
    args = ("run", "desk:flow", "--input", "in.jsonl", "--output", "out.jsonl")
    with desk.begin(*args) as process:  # full: nothing of it can be started
        desk.until(lambda: desk.json("workers"))
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 130, err
    assert [(line["key"], line["status"], line["run_id"]) for line in desk.output()] == [
        (f"t{n}", "ready", None) for n in range(1, 21)
    ]
    with desk.begin(*args) as process:
        desk.until(lambda: desk.json("workers"))
        desk("resume", "tenant", "others")
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert [line["key"] for line in desk.output()] == [f"t{n}" for n in range(1, 21)]
    assert {line["status"] for line in desk.output()} == {"succeeded"}
    assert sorted(desk.effects()) == sorted([*(f"t{n}" for n in range(1, 21)), *(f"t{n}" for n in range(10))])
