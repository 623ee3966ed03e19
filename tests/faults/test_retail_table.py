"""What happens when each dependency of the retail example fails, kind by kind: the tables are the declaration.

The shop is an upstream with tools of all three side-effect classes; the model behind the agent is the other one.
"""

from pathlib import Path
from typing import Any

import pytest

from callboard import RunStatus
from callboard.testing.expectations import Deed
from tests.faults.witness import LAST, one_of_each, play, repeated, task

# What a word of the tables means: what the report says of the struck call, and whether the customer's wish was done
# as if nothing had happened ("done"), the agent was told of a failure ("told"), or got an answer with nothing in it.
MEANING = {
    "again": (Deed.RETRIED, "done"),  # the same call was made again
    "known": (Deed.FOUND_OUT, "done"),  # the shop was asked: it had happened, and was not repeated
    "made": (Deed.MADE, "done"),  # the shop was asked: it had not happened, and was made
    "next": (Deed.AGAIN, "done"),  # the next worker made the call, with the same key
    "whole": (Deed.ANSWERED, "done"),  # nothing had to be done about it
    "told": (Deed.FAILED, "told"),  # not a thing that passes: the agent is told
    "empty": (Deed.ANSWERED, "empty"),  # an answer with nothing in it is an answer where nobody declares otherwise
    "unfit": (Deed.ANSWERED, "told"),  # the model's call does not fit the tool: it is not made, and the model told
    "-": (None, "done"),  # it means nothing here
}

# Struck once.
ONE_FAULT = """
                      read    idempotent  once    model
timeout               again   again       made    again
timeout, answer lost  again   again       known   again
429                   again   again       made    again
500                   again   again       made    again
500, answer lost      again   again       known   again
503                   again   again       made    again
refused               again   again       made    again
malformed             told    told        known   again
cut                   again   again       known   again
schema                told    told        told    unfit
slow                  whole   whole       whole   whole
empty                 empty   empty       empty   again
duplicate             whole   whole       -       -
kill                  next    next        made    next
kill, answer lost     next    next        known   next
"""

# Struck each time: how many calls there are, and what comes of it.
FOR_GOOD = """
                      read      idempotent  once      model
timeout               4 told    4 told      4 told    4 failed
429                   4 told    4 told      4 told    4 failed
500                   4 told    4 told      4 told    4 failed
503                   4 told    4 told      4 told    4 failed
refused               4 told    4 told      4 told    4 failed
malformed             1 told    1 told      1 known   4 failed
cut                   4 told    4 told      1 known   4 failed
schema                1 told    1 told      1 told    2 unfit
empty                 1 empty   1 empty     1 empty   4 failed
kill                  4 dead    4 dead      4 told    3 dead
"""


def cells(table: str) -> list[Any]:
    """Kind, whether the answer only is lost, upstream, and what is declared."""
    head, *rows = table.strip("\n").splitlines()
    starts = [head.index(name) for name in head.split()] + [None]
    found = []
    for row in rows:
        kind, _, lost = row[: starts[0]].strip().partition(", ")
        for name, begin, end in zip(head.split(), starts, starts[1:], strict=False):
            word = row[begin:end].strip()
            found.append(pytest.param(kind, bool(lost), name, word, id=f"{row[: starts[0]].strip()}-{name}"))
    return found


def rule(kind: str, lost: bool, column: str, **more: Any) -> dict[str, Any]:
    where = {"upstream": "scripted"} if column == "model" else {"upstream": "shop"}
    return {"kind": kind, "after": int(lost), **where, **more}


def policy(column: str) -> str:
    """How the report calls what a column is about. The model is asked for the call that an idempotent tool takes."""
    return "model scripted" if column == "model" else f"tool {one_of_each()[column]['name']}"


def action(column: str) -> dict[str, Any]:
    return one_of_each()["idempotent" if column == "model" else column]


async def undisturbed(folder: Path, column: str) -> Any:
    folder.mkdir()
    found, _, _ = await play(folder, [], [task(action(column))])
    return found[0].output


@pytest.mark.parametrize(("kind", "lost", "column", "word"), cells(ONE_FAULT))
async def test_a_fault_that_strikes_once(kind: str, lost: bool, column: str, word: str, tmp_path: Path) -> None:
    deed, outcome = MEANING[word]
    given = [task(action(column))]
    (found,), report, counts = await play(tmp_path, [rule(kind, lost, column, nth=1)], given)
    assert found.status is RunStatus.SUCCEEDED
    assert report.ok, report.text()
    lines = {line.policy: line for line in report.lines}
    assert lines[policy(column)].did == ({} if deed is None else {deed: 1})
    match outcome:
        case "done":
            assert found.output == await undisturbed(tmp_path / "calm", column)
        case "told":
            assert len(found.output["answers"]) == 1
            assert found.output["answers"] != (await undisturbed(tmp_path / "calm", column))["answers"]
        case "empty":
            assert found.output["answers"] == [""]
    # A call that the model did not ask for, or not in a form that can be made, is not made.
    expected = 0 if column == "read" or (column == "model" and outcome != "done") else 1
    assert counts["effects"] == expected
    assert counts["doubled"] == 0
    assert repeated() == []


@pytest.mark.parametrize(("kind", "lost", "column", "word"), cells(FOR_GOOD))
async def test_a_fault_that_strikes_each_time(kind: str, lost: bool, column: str, word: str, tmp_path: Path) -> None:
    calls, outcome = word.split()
    given = [task(action(column))]
    (found,), report, counts = await play(tmp_path, [rule(kind, lost, column)], given)
    assert report.ok, report.text()
    lines = {line.policy: line for line in report.lines}
    assert sum(lines[policy(column)].struck.values()) == int(calls)
    expected = {"failed": RunStatus.FAILED, "dead": RunStatus.DEAD}.get(outcome, RunStatus.SUCCEEDED)
    assert found.status is expected
    if outcome == "told":
        assert found.output["answers"] != (await undisturbed(tmp_path / "calm", column))["answers"]
    if outcome == "known":
        assert found.output == await undisturbed(tmp_path / "calm", column)
    assert counts["effects"] <= 1
    assert counts["doubled"] == 0
    assert repeated() == []


@pytest.mark.parametrize("kind", ["duplicate", "cut"])
async def test_hints_to_workers_that_come_twice_or_never_change_nothing(kind: str, tmp_path: Path) -> None:
    given = [task(action(column)) for column in ("read", "idempotent", "once")]
    found, report, counts = await play(tmp_path, [{"kind": kind, "upstream": "dispatch"}], given)
    assert [each.status for each in found] == [RunStatus.SUCCEEDED] * 3
    assert report.ok, report.text()
    assert report.line("dispatch").struck[kind] > 0
    assert counts["effects"] == 2
    assert repeated() == []


async def test_the_shop_is_left_alone_when_it_keeps_failing_and_called_again_later(tmp_path: Path) -> None:
    given = [task(action("idempotent")) for _ in range(12)]
    found, report, counts = await play(tmp_path, [rule("503", False, "idempotent", nth=(1, 2, 3, 4, 5))], given)
    assert {each.status for each in found} == {RunStatus.SUCCEEDED}
    assert report.ok, report.text()
    assert report.line("upstream shop").did["breaker opened"] == 1
    assert counts["effects"] == 12
    assert [len(each.output["answers"]) for each in found] == [1] * 12


async def test_the_tables_name_every_kind_and_every_tool_that_must_not_be_called_twice() -> None:
    from callboard.testing import FaultKind
    from examples.retail.tools import TOOLS

    assert {str(kind) for kind in FaultKind} == {cell.values[0] for cell in cells(ONE_FAULT)}
    assert [tool.name for tool in TOOLS if tool.tool.effect == "once"] == [LAST]
    assert {tool.tool.upstream for tool in TOOLS} == {"shop"}
