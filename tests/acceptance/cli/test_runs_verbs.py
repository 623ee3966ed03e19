"""`callboard runs`: look at runs and act on them, as a table for people and as JSON for programs."""

import json
from typing import Any

import pytest

from tests.acceptance.cli.desk import Desk

STORY = """
    @app.flow
    async def flow(ctx: cb.Context, ticket: Ticket) -> str:
        await ctx.label(desk="front")
        said = await ctx.step(note, ticket.id)
        match ticket.text:
            case "wait":
                return said + str(await ctx.wait("go"))
            case "fail":
                raise ValueError("no such luck")
        return said
"""


@pytest.fixture
def story(desk: Desk) -> tuple[Desk, dict[str, str]]:
    """One run that succeeded, one that waits, one that failed; their ids."""
    desk.app(STORY)
    desk.input([{"id": "fine"}, {"id": "wait", "text": "wait"}, {"id": "fail", "text": "fail"}])
    return desk, {line["key"]: line["run_id"] for line in desk.run(expect=1)}


def by_key(runs: list[dict[str, Any]]) -> dict[str, str]:
    return {run["key"]: run["status"] for run in runs}


def test_list_filters_and_pages(story: tuple[Desk, dict[str, str]]) -> None:
    desk, _ = story
    assert by_key(desk.json("runs", "list")) == {"fine": "succeeded", "wait": "waiting", "fail": "failed"}
    assert by_key(desk.json("runs", "list", "--status", "failed")) == {"fail": "failed"}
    assert len(desk.json("runs", "list", "--flow", "flow", "--label", "desk=front", "--limit", "2")) == 2
    assert desk.json("runs", "list", "--label", "desk=back") == []
    assert desk.json("runs", "list", "--flow", "other") == []
    assert desk.json("runs", "list", "--tenant", "other") == []
    assert "unknown" in desk("runs", "list", "--status", "lost", expect=2).stderr
    assert "--label" in desk("runs", "list", "--label", "desk", expect=2).stderr


def test_a_table_is_whole_when_it_is_piped(story: tuple[Desk, dict[str, str]]) -> None:
    desk, ids = story
    rows = desk("runs", "list").stdout.splitlines()
    assert rows[0].split()[:3] == ["id", "flow", "status"]
    assert len(rows) == 4
    (failed,) = [row for row in rows if ids["fail"] in row]
    assert "no such luck" in failed


def test_show_tells_the_whole_of_a_run(story: tuple[Desk, dict[str, str]]) -> None:
    desk, ids = story
    (shown,) = desk.json("runs", "show", ids["fine"])
    assert shown["input"] == {"id": "fine"}
    assert shown["output"] == "fine"
    assert shown["labels"] == {"desk": "front"}
    assert shown["usage"] == {"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0}
    assert "no such luck" in desk("runs", "show", ids["fail"]).stdout
    assert "no run" in desk("runs", "show", "nobody", expect=1).stderr


def test_events_are_the_journal(story: tuple[Desk, dict[str, str]]) -> None:
    desk, ids = story
    events = desk.json("runs", "events", ids["fine"])
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert events[0]["kind"] == "started"
    assert events[-1]["kind"] == "run succeeded"
    assert desk.json("runs", "events", ids["fine"], "--after", "1") == events[2:]
    assert desk.json("runs", "events", ids["fine"], "--follow") == events
    assert len(desk("runs", "events", ids["fine"]).stdout.splitlines()) == len(events)


def test_events_can_be_followed_while_the_run_goes_on(story: tuple[Desk, dict[str, str]]) -> None:
    desk, ids = story
    with desk.begin("runs", "events", ids["wait"], "--follow", "--json") as process:
        assert process.stdout is not None
        assert "started" in process.stdout.readline()
        desk("runs", "signal", ids["wait"], "go", "7")
        desk.run(expect=1)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert json.loads("[" + out.lstrip(" ,"))[-1]["kind"] == "run succeeded"


def test_signal_sends_json(story: tuple[Desk, dict[str, str]]) -> None:
    desk, ids = story
    assert desk.json("runs", "signal", ids["wait"], "go", '{"a": 1}') == [{"id": ids["wait"], "status": "ready"}]
    assert {line["key"]: line["output"] for line in desk.run(expect=1)}["wait"] == "wait{'a': 1}"
    assert "ended" in desk("runs", "signal", ids["wait"], "go", expect=1).stderr
    assert "not JSON" in desk("runs", "signal", ids["fine"], "go", "yes", expect=2).stderr


def test_cancel(story: tuple[Desk, dict[str, str]]) -> None:
    desk, ids = story
    desk("runs", "cancel", ids["wait"], "--reason", "enough")
    desk.run(expect=1)
    (shown,) = desk.json("runs", "show", ids["wait"])
    assert shown["status"] == "cancelled"
    assert desk("runs", "cancel", ids["fine"], expect=1).stderr


def test_requeue_by_id_and_by_status(story: tuple[Desk, dict[str, str]]) -> None:
    desk, ids = story
    assert desk.json("runs", "requeue", ids["fail"], "--reason", "again") == [
        {"id": ids["fail"], "status": "ready", "error": None}
    ]
    desk.run(expect=1)
    assert desk.json("runs", "requeue", "--status", "failed", "--yes") == [{"found": 1, "requeued": 1, "refused": 0}]
    mixed = desk.json("runs", "requeue", ids["fine"], "nobody", expect=1)
    assert [each["status"] for each in mixed] == [None, None]
    assert desk.json("runs", "requeue", "--status", "dead") == [{"found": 0, "requeued": 0, "refused": 0}]
    for wrong in ((), (ids["fail"], "--status", "failed"), ("--status", "waiting"), (ids["fail"], "--flow", "flow")):
        assert desk("runs", "requeue", *wrong, expect=2).stderr


def test_fork_goes_on_by_itself(story: tuple[Desk, dict[str, str]]) -> None:
    desk, ids = story
    (forked,) = desk.json("runs", "fork", ids["fine"], "--at", "1")
    assert forked["fork_of"] == ids["fine"]
    assert forked["status"] == "ready"
    (shown,) = desk.json("runs", "show", forked["id"])
    assert shown["input"] == {"id": "fine"}
    assert desk("runs", "fork", ids["fine"], "--at", "99", expect=2).stderr


def test_purge_removes_ended_runs_in_batches(story: tuple[Desk, dict[str, str]]) -> None:
    desk, _ = story
    assert desk.json("runs", "purge", "--older-than", "1h") == [{"runs": 0, "events": 0, "blobs": 0, "sessions": 0}]
    assert desk.json("runs", "purge", "--older-than", "0s", "--status", "succeeded", "--batch", "1")[0]["runs"] == 1
    (total,) = desk.json("runs", "purge", "--older-than", "0s", "--batch", "1")
    assert total["runs"] == 1
    assert total["events"] > 1
    assert by_key(desk.json("runs", "list")) == {"wait": "waiting"}
    assert desk("runs", "purge", "--older-than", "soon", expect=2).stderr
    assert desk("runs", "purge", "--older-than", "0s", "--status", "waiting", expect=2).stderr
