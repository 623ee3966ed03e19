"""The real command in a folder of its own, with small apps written into it."""

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from tests.acceptance.cli.server import Done, Order

ROOT = Path(__file__).resolve().parents[3]
COMMAND = (sys.executable, "-m", "callboard.apps.cli")


class Desk:
    """A folder with an app in it, and the command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CALLBOARD_")}
        self.environment = kept | {"PYTHONDONTWRITEBYTECODE": "1"}

    def app(self, source: str, name: str = "desk") -> None:
        """Writes a module."""
        (self.folder / f"{name}.py").write_text(PREFACE + textwrap.dedent(source))

    def input(self, lines: Iterable[Any]) -> None:
        """Writes `in.jsonl`; bytes and text as they are, all else as JSON."""
        raw = [each if isinstance(each, bytes) else _text(each).encode() for each in lines]
        (self.folder / "in.jsonl").write_bytes(b"".join(each + b"\n" for each in raw))

    @contextmanager
    def begin(self, *args: str) -> "Iterator[subprocess.Popen[str]]":
        """Starts the command; at the end of the block it has ended, one way or another."""
        process = subprocess.Popen(
            [*COMMAND, *args],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def __call__(self, *args: str, expect: int | None = 0) -> "subprocess.CompletedProcess[str]":
        """Runs the command to its end and checks how it exits."""
        done = _forked(Order(args, str(self.folder), self.environment))
        assert expect is None or done.code == expect, f"{done.code}\n{done.out}\n{done.err}"
        assert "Traceback" not in done.err
        return subprocess.CompletedProcess(args, done.code, done.out, done.err)

    def run(self, *args: str, flow: str = "flow", expect: int = 0) -> list[dict[str, Any]]:
        """`callboard run` over `in.jsonl`; returns the lines of `out.jsonl`."""
        self("run", f"desk:{flow}", "--input", "in.jsonl", "--output", "out.jsonl", *args, expect=expect)
        return self.output()

    def output(self) -> list[dict[str, Any]]:
        """The lines of `out.jsonl`."""
        return [json.loads(line) for line in (self.folder / "out.jsonl").read_text().splitlines()]

    def json(self, *args: str, expect: int | None = 0) -> list[dict[str, Any]]:
        """What a verb prints with `--json`."""
        found: list[dict[str, Any]] = json.loads(self(*args, "--json", expect=expect).stdout)
        return found

    def effects(self) -> list[str]:
        """What the effects of the apps have noted in `effects.txt`."""
        path = self.folder / "effects.txt"
        return path.read_text().splitlines() if path.exists() else []

    def tell(self, file: str = "go") -> None:
        """Lets an app go on that awaits `told` in an effect: however late the test looks, it is still in flight."""
        (self.folder / file).touch()

    def until(self, true: Callable[[], object], seconds: float = 60.0) -> None:
        """Waits for something."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.01)


PREFACE = """\
import asyncio
import os
import pydantic
import callboard as cb

app = cb.App("desk")


class Ticket(pydantic.BaseModel, extra="forbid"):
    id: str
    text: str = ""


def note(text: str) -> str:
    with open("effects.txt", "a") as file:
        file.write(text + "\\n")
    return text


async def told(file: str = "go") -> None:
    while not os.path.exists(file):
        await asyncio.sleep(0.01)

"""

ECHO = """
@app.flow
async def flow(ctx: cb.Context, ticket: Ticket) -> dict:
    return {"said": await ctx.step(note, ticket.id)}
"""


def tickets(count: int) -> list[dict[str, str]]:
    """Inputs `t1`, `t2` and so on."""
    return [{"id": f"t{number}"} for number in range(1, count + 1)]


@cache
def _server() -> "subprocess.Popen[bytes]":
    """One for each process that runs tests; it ends with its standard input."""
    command = [sys.executable, "-m", "tests.acceptance.cli.server"]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _forked(order: Order) -> Done:
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(msgspec.json.encode(order) + b"\n")
    server.stdin.flush()
    return msgspec.json.decode(server.stdout.readline(), type=Done)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
