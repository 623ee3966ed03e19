"""A line that cannot be a run says so in its output line, and the others run."""

from tests.acceptance.cli.desk import ECHO, Desk, tickets


def test_a_line_that_cannot_be_read(desk: Desk) -> None:
    desk.app(ECHO)
    desk.input([*tickets(20)[:6], '{"id": "t7",', *tickets(20)[7:]])
    found = desk.run(expect=1)
    seventh = found.pop(6)
    assert seventh["key"] is None
    assert seventh["run_id"] is None
    assert seventh["status"] == "failed"
    assert seventh["error"]["code"] == "input_invalid"
    assert seventh["error"]["kind"] == "input"
    assert seventh["error"]["message"].startswith("line 7: this is not JSON")
    assert [line["status"] for line in found] == ["succeeded"] * 19


def test_lines_that_are_no_json(desk: Desk) -> None:
    desk.app(ECHO)
    desk.input([b'{"id": "\xff"}', "NaN", '{"id": "t1"} {"id": "t2"}', b"\x00", "[" * 100_000, {"id": "t6"}])
    found = desk.run(expect=1)
    assert [line["status"] for line in found] == ["failed"] * 5 + ["succeeded"]
    for number, line in enumerate(found[:5], 1):
        assert line["error"]["message"].startswith(f"line {number}: this is not JSON")


def test_lines_that_do_not_fit_the_flow(desk: Desk) -> None:
    desk.app(ECHO)
    wrong = [
        ({"id": "t1", "colour": "red"}, "colour"),
        ({"key": "k2"}, "id"),
        ({"id": "t3", "text": 5}, "text"),
        (["t4"], "Ticket"),
    ]
    desk.input([*(line for line, _ in wrong), {"id": "t5"}])
    found = desk.run(expect=1)
    assert [line["key"] for line in found[:3]] == ["t1", "k2", "t3"]
    assert [line["status"] for line in found] == ["failed"] * 4 + ["succeeded"]
    for number, (line, (_, name)) in enumerate(zip(found, wrong, strict=False), 1):
        assert line["run_id"] is None
        assert line["error"]["code"] == "input_invalid"
        assert line["error"]["message"].startswith(f"line {number}: the input of flow is not valid")
        assert name in line["error"]["message"]


def test_keys_that_cannot_name_a_run(desk: Desk) -> None:
    desk.app(ECHO)
    keys: list[object] = [1.5, True, [], {}, "", "x" * 600]
    desk.input([*({"id": key} for key in keys), {"id": "t7"}])
    found = desk.run(expect=1)
    assert [line["status"] for line in found] == ["failed"] * 6 + ["succeeded"]
    assert {line["error"]["code"] for line in found[:6]} == {"input_invalid"}


def test_two_contents_under_one_key(desk: Desk) -> None:
    desk.app(ECHO)
    desk.input([{"id": "t1", "text": "a"}, {"id": "t1", "text": "b"}, {"id": "t2"}])
    found = desk.run(expect=1)
    assert [each["status"] for each in found] == ["succeeded", "failed", "succeeded"]
    assert found[1]["key"] == "t1"
    assert found[1]["run_id"] is None
    assert found[1]["error"]["code"] == "key_conflict"
    assert found[1]["error"]["message"].startswith("line 2: key 't1'")


def test_a_key_of_an_earlier_file_with_another_content(desk: Desk) -> None:
    desk.app(ECHO)
    desk.input([{"id": "t1", "text": "a"}])
    desk.run()
    desk.input([{"id": "t1", "text": "b"}])
    for options in ((), ("--max-runs", "0")):
        assert desk.run(*options, expect=1)[0]["error"]["code"] == "key_conflict"
