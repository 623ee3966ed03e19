"""`callboard run`: a file in, a file out, each line a run once."""

import json
import os

from tests.acceptance.cli.desk import ECHO, Desk, tickets


def test_each_line_gets_an_output_line_in_input_order(desk: Desk) -> None:
    desk.app(ECHO)
    desk.input(tickets(30))
    found = desk.run("--concurrency", "3")
    assert [line["key"] for line in found] == [f"t{number}" for number in range(1, 31)]
    assert len({line.pop("run_id") for line in found}) == 30
    assert found[0] == {
        "key": "t1",
        "status": "succeeded",
        "output": {"said": "t1"},
        "error": None,
        "usage": {"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0},
    }


def test_repeating_the_command_does_nothing_again_and_writes_the_same_file(desk: Desk) -> None:
    desk.app(ECHO)
    desk.input(tickets(20))
    desk.run()
    first = (desk.folder / "out.jsonl").read_bytes()
    desk.run()
    assert (desk.folder / "out.jsonl").read_bytes() == first
    assert sorted(desk.effects()) == sorted(f"t{number}" for number in range(1, 21))


def test_a_line_is_known_by_its_key_else_its_id_else_its_content(desk: Desk) -> None:
    desk.app("""
        @app.flow
        async def flow(ctx: cb.Context, value: object) -> object:
            return value
    """)
    desk.input([{"key": "a", "id": "b"}, {"id": 7}, {"text": "neither"}, "3", {"id": None, "text": "neither"}])
    found = desk.run()
    assert [line["key"] for line in found[:2]] == ["a", "7"]
    assert len({line["key"] for line in found}) == 5
    assert [line["output"] for line in found[2:4]] == [{"text": "neither"}, 3]


def test_repeated_lines_are_one_run_and_each_has_an_output_line(desk: Desk) -> None:
    desk.app(ECHO)
    desk.input(['{"id": "t1", "text": "x"}', '{"text": "x", "id": "t1"}', '{"id": "t2"}', '{"id": "t1", "text": "x"}'])
    found = desk.run()
    assert [line["key"] for line in found] == ["t1", "t1", "t2", "t1"]
    assert len({line["run_id"] for line in found}) == 2
    assert all(line["status"] == "succeeded" for line in found)
    assert sorted(desk.effects()) == ["t1", "t2"]


def test_blank_lines_and_a_byte_order_mark_are_passed_over(desk: Desk) -> None:
    desk.app(ECHO)
    desk.input([b'\xef\xbb\xbf{"id": "t1"}\r', b"", b"  ", b'{"id": "t2"}'])
    assert [line["key"] for line in desk.run()] == ["t1", "t2"]


def test_an_empty_file_gives_an_empty_file(desk: Desk) -> None:
    desk.app(ECHO)
    desk.input([])
    assert desk.run() == []


def test_large_outputs_and_text_of_every_kind_come_through(desk: Desk) -> None:
    desk.app("""
        @app.flow
        async def flow(ctx: cb.Context, ticket: Ticket) -> str:
            return ticket.text * 10_000
    """)
    text = "naïve 🎭\u2028line"
    desk.input([{"id": "t1", "text": text}])
    assert desk.run()[0]["output"] == text * 10_000


def test_the_environment_names_the_store_and_the_option_overrules_it(desk: Desk) -> None:
    desk.app(ECHO)
    desk.input(tickets(1))
    desk.environment["CALLBOARD_STORE"] = "sqlite:///named.db"
    desk.run()
    assert (desk.folder / "named.db").exists()
    desk.run("--store", "sqlite:///other.db")
    assert (desk.folder / "other.db").exists()
    assert not (desk.folder / "callboard.db").exists()


def test_max_runs_takes_on_so_many_a_time_and_shows_what_is_known_of_the_rest(desk: Desk) -> None:
    desk.app(ECHO)
    desk.input([*tickets(5), "broken"])
    first = desk.run("--max-runs", "2", expect=1)
    assert [line["status"] for line in first] == ["succeeded"] * 2 + ["ready"] * 3 + ["failed"]
    assert [line["run_id"] for line in first[2:]] == [None] * 4
    desk.run("--max-runs", "2", expect=1)
    third = desk.run("--max-runs", "0", expect=1)
    assert [line["status"] for line in third] == ["succeeded"] * 4 + ["ready"] + ["failed"]
    desk.input(tickets(5))
    assert [line["status"] for line in desk.run("--max-runs", "9")] == ["succeeded"] * 5
    assert len(desk.effects()) == 5


def test_the_output_takes_the_place_of_the_file_behind_a_link_and_keeps_no_drafts(desk: Desk) -> None:
    desk.app(ECHO)
    desk.input(tickets(1))
    (desk.folder / "real.jsonl").write_text("old\n")
    os.symlink("real.jsonl", desk.folder / "out.jsonl")
    desk.run()
    assert (desk.folder / "out.jsonl").is_symlink()
    assert json.loads((desk.folder / "real.jsonl").read_text())["key"] == "t1"
    assert not [path for path in desk.folder.iterdir() if path.name.endswith(".draft")]


def test_an_agent_is_run_like_a_flow(desk: Desk) -> None:
    desk.app("""
        class Agent:
            flow = None

        @app.flow
        async def inner(ctx: cb.Context, ticket: Ticket) -> str:
            return ticket.id

        agent = Agent()
        agent.flow = inner
    """)
    desk.input(tickets(1))
    assert desk.run(flow="agent")[0]["output"] == "t1"
