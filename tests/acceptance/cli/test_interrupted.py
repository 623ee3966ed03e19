"""Interrupting `callboard run`: the first signal drains, the second ends at once, and repeating completes it."""

import json
import signal

import pytest

from tests.acceptance.cli.desk import Desk, tickets

SLOW = """
    async def work(name: str) -> str:
        note("begin " + name)
        await {work}
        return note("end " + name)

    @app.flow
    async def flow(ctx: cb.Context, ticket: Ticket) -> str:
        return await ctx.step(work, ticket.id, timeout=60) + await ctx.step(work, ticket.id + "b", timeout=60)
"""
RUN = ("run", "desk:flow", "--input", "in.jsonl", "--output", "out.jsonl", "--concurrency", "4")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_drains_and_a_repeat_completes_with_each_effect_once(desk: Desk, number: int) -> None:
    desk.app(SLOW.replace("{work}", "(told() if int(name.strip('tb')) > 8 else asyncio.sleep(0.01))"))
    desk.input(tickets(20))
    with desk.begin(*RUN) as process:
        desk.until(lambda: len(desk.effects()) > 20)
        process.send_signal(number)
        assert process.stderr is not None
        assert "stopping" in process.stderr.readline()
        desk.tell()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    effects = desk.effects()
    begun = {line.split()[1] for line in effects if line.startswith("begin")}
    assert {line.split()[1] for line in effects if line.startswith("end")} == begun  # what was in flight has finished
    found = desk.output()
    assert [line["key"] for line in found] == [f"t{each}" for each in range(1, 21)]
    assert 0 < sum(line["status"] == "succeeded" for line in found) < 20
    assert {line["status"] for line in found} == {"succeeded", "ready"}
    assert [line["status"] for line in found if line["run_id"] is None]  # some were never started

    again = desk.run()
    assert [line["output"] for line in again] == [f"end t{each}end t{each}b" for each in range(1, 21)]
    assert len(desk.effects()) == 80
    assert len(set(desk.effects())) == 80


def test_lines_that_an_earlier_command_finished_keep_their_results_when_a_repeat_is_interrupted(desk: Desk) -> None:
    desk.app(SLOW.replace("{work}", "(asyncio.sleep(0.01) if name.startswith('old') else told())"))
    old = [{"id": f"old{each}"} for each in range(10)]
    desk.input(old)
    desk.run()
    desk.input([*tickets(20), *old])
    with desk.begin(*RUN) as process:
        desk.until(lambda: "begin t1" in desk.effects())
        process.send_signal(signal.SIGINT)
        desk.tell()
        process.communicate(timeout=60)
    found = desk.output()
    assert [line["status"] for line in found[20:]] == ["succeeded"] * 10
    assert found[29]["output"] == "end old9end old9b"


def test_a_second_signal_ends_at_once_leaves_the_old_output_and_loses_nothing(desk: Desk) -> None:
    desk.app(SLOW.replace("{work}", "(told() if name == 't3' else asyncio.sleep(0.01))"))
    desk.input(tickets(4))
    (desk.folder / "out.jsonl").write_text("old\n")
    with desk.begin(*RUN) as process:
        desk.until(lambda: "end t4b" in desk.effects() and "begin t3" in desk.effects())
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert "stopping" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    assert (desk.folder / "out.jsonl").read_text() == "old\n"
    desk.tell()
    assert [line["status"] for line in desk.run()] == ["succeeded"] * 4
    assert desk.effects().count("begin t3") == 2  # killed while it was in flight, and a step may be repeated
    assert all(desk.effects().count(f"begin t{each}") == 1 for each in (1, 2, 4))


def test_a_killed_command_leaves_no_half_written_output(desk: Desk) -> None:
    desk.app(SLOW.replace("{work}", "told()"))
    desk.input(tickets(8))
    with desk.begin(*RUN) as process:
        desk.until(desk.effects)
        process.kill()
        process.communicate()
    assert not (desk.folder / "out.jsonl").exists()
    desk.tell()
    assert [line["status"] for line in desk.run()] == ["succeeded"] * 8


def test_a_store_that_fails_in_the_middle_leaves_the_old_output(desk: Desk) -> None:
    desk.app("""
        import sqlite3

        def spoil(name: str) -> str:
            with sqlite3.connect("callboard.db") as db:
                db.execute("ALTER TABLE runs RENAME TO walks")
            return name

        @app.flow
        async def flow(ctx: cb.Context, ticket: Ticket) -> str:
            return await ctx.step(spoil, ticket.id)
    """)
    desk.input(tickets(1))
    (desk.folder / "out.jsonl").write_text(json.dumps("old"))
    err = desk("run", "desk:flow", "--input", "in.jsonl", "--output", "out.jsonl", expect=3).stderr
    assert "error: " in err
    assert (desk.folder / "out.jsonl").read_text() == json.dumps("old")
