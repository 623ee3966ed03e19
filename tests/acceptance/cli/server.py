"""Forks commands from a process that has everything imported: a command begins in milliseconds, not in half a second.

Reads an Order a line from standard input, runs the command as the console script would, answers with a Done a line.
"""

import gc
import importlib
import os
import signal
import sys
import tempfile
import time
import traceback

import msgspec

from callboard.apps.cli import main

_IMPORTED = (
    "callboard.runtime", "callboard.apps.cli.load", "callboard.store.sqlite", "callboard.models.scripted", "pydantic",
    "rich.progress",
)  # fmt: skip
PATIENCE = 60  # seconds that a command may take


class Order(msgspec.Struct):
    """A command: its words, where and with which environment it runs."""

    args: tuple[str, ...]
    folder: str
    environment: dict[str, str]


class Done(msgspec.Struct):
    """How it ended."""

    code: int
    out: str
    err: str


def serve() -> None:
    """Runs commands until standard input ends."""
    for name in _IMPORTED:
        importlib.import_module(name)
    gc.freeze()
    for line in sys.stdin.buffer:
        done = _run(msgspec.json.decode(line, type=Order))
        sys.stdout.buffer.write(msgspec.json.encode(done) + b"\n")
        sys.stdout.buffer.flush()


def _run(order: Order) -> Done:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if not pid:
            _become(order, out.fileno(), err.fileno())
        _, status = os.waitpid(pid, 0)
        out.seek(0)
        err.seek(0)
        return Done(os.waitstatus_to_exitcode(status), out.read().decode(), err.read().decode())


def _become(order: Order, out: int, err: int) -> None:
    """Never returns."""
    code: object = 0
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.chdir(order.folder)
        os.environ.clear()
        os.environ.update(order.environment)
        time.tzset()
        sys.path[0] = order.folder
        sys.dont_write_bytecode = True
        sys.argv = ["callboard", *order.args]
        signal.alarm(PATIENCE)
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    serve()
