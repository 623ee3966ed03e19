"""What is wrong with a command is said in three lines, with the exit code that fits, and before any work."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.cli.desk import ECHO, Desk, tickets

RUN = ("run", "desk:flow", "--input", "in.jsonl", "--output", "out.jsonl")


def lines_of(text: str) -> list[str]:
    return [line.split(":", 1)[0].strip() for line in text.splitlines()]


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("desk", "names no flow"),
        ("nowhere:flow", "there is no module nowhere"),
        ("nowhere.deep:flow", "there is no module nowhere.deep"),
        ("desk:missing", "has no flow 'missing'"),
        ("desk:Ticket", "neither a flow nor an agent"),
        ("desk:stray", "no app in module desk has the flow stray"),
        ("inner:flow", "No module named 'not_there' (inner.py, line 2)"),
        ("syntax:flow", "SyntaxError"),
        ("raising:flow", "ZeroDivisionError"),
        ("leaving:flow", "SystemExit"),
        ("refused:flow", "refused.py, line"),
    ],
)
def test_a_flow_that_cannot_be_found(desk: Desk, target: str, says: str) -> None:
    desk.app(
        ECHO + "async def hidden(ctx: cb.Context, value: str) -> str: ...\nstray = type(flow)(hidden, name='stray')\n"
    )
    (desk.folder / "inner.py").write_text("\nimport not_there\n")
    (desk.folder / "syntax.py").write_text("def (")
    (desk.folder / "raising.py").write_text("1 / 0")
    (desk.folder / "leaving.py").write_text("raise SystemExit(5)")
    desk.app("@app.flow\nasync def flow(ctx: cb.Context) -> str: ...", name="refused")
    desk.input(tickets(1))
    done = desk("run", target, "--input", "in.jsonl", "--output", "out.jsonl", expect=2)
    assert says in done.stderr
    assert lines_of(done.stderr) in (["error", "why", "do"], ["error", "do"])
    assert not (desk.folder / "out.jsonl").exists()


@pytest.mark.parametrize(
    "options",
    [
        ("--input", "missing.jsonl", "--output", "out.jsonl"),
        ("--input", "in.jsonl", "--output", "missing/out.jsonl"),
        ("--input", "in.jsonl", "--output", "in.jsonl"),
        ("--input", "in.jsonl", "--output", "."),
        ("--input", "in.jsonl"),
        ("--input", "in.jsonl", "--output", "out.jsonl", "--concurrency", "0"),
        ("--input", "in.jsonl", "--output", "out.jsonl", "--store", "nosuch://store"),
        ("--input", "in.jsonl", "--output", "out.jsonl", "--colour"),
    ],
)
def test_options_that_cannot_be_used(desk: Desk, options: tuple[str, ...]) -> None:
    desk.app(ECHO)
    desk.input(tickets(1))
    assert desk("run", "desk:flow", *options, expect=2).stderr
    assert not desk.effects()


def corrupt(folder: Path) -> str:
    (folder / "bad.db").write_bytes(b"this is not a database, whatever its name says " * 100)
    return "sqlite:///bad.db"


def newer(folder: Path) -> str:
    with sqlite3.connect(folder / "new.db") as db:
        db.execute("PRAGMA user_version=99")
    return "sqlite:///new.db"


def nowhere(folder: Path) -> str:
    return "sqlite:///missing/store.db"


def foreign(folder: Path) -> str:
    with sqlite3.connect(folder / "foreign.db") as db:
        db.execute("CREATE TABLE music (title)")
    return "sqlite:///foreign.db"


@pytest.mark.parametrize("store", [corrupt, newer, nowhere, foreign])
def test_a_store_that_cannot_be_used(desk: Desk, store: Callable[[Path], str]) -> None:
    desk.app(ECHO)
    desk.input(tickets(1))
    url = store(desk.folder)
    for verb in (RUN, ("runs", "list"), ("worker", "desk")):
        done = desk(*verb, "--store", url, expect=3)
        assert lines_of(done.stderr) == ["error", "why", "do"]
        assert done.stdout == ""
    assert not (desk.folder / "out.jsonl").exists()


@pytest.mark.parametrize("store", [corrupt, newer, foreign])
def test_a_store_that_is_refused_is_not_touched(desk: Desk, store: Callable[[Path], str]) -> None:
    url = store(desk.folder)
    before = {path.name: path.read_bytes() for path in desk.folder.iterdir()}
    desk("runs", "list", "--store", url, expect=3)
    assert {path.name: path.read_bytes() for path in desk.folder.glob("*.db")} == before


def test_a_traceback_is_shown_to_those_who_ask_for_it(desk: Desk) -> None:
    desk.environment["CALLBOARD_DEBUG"] = "1"
    with desk.begin("runs", "list", "--store", nowhere(desk.folder)) as process:
        _, err = process.communicate()
    assert process.returncode == 3
    assert "Traceback" in err


def test_a_broken_option_of_the_environment_is_named(desk: Desk) -> None:
    desk.environment["CALLBOARD_CONCURRENCY"] = "many"
    assert "CALLBOARD_CONCURRENCY='many'" in desk("runs", "list", expect=2).stderr
