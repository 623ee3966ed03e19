"""Other processes for the tests: what dies, what races and what may not read needs a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
NOBODY = 65534

_FRAME = """
import asyncio, os, signal, sys, time
from callboard.domain.errors import CallboardError
from callboard.store.claims import Release
from callboard.store.journal import Extras
from callboard.store.sqlite import SqliteStore
from tests.conformance.store.play import *

def report(*words):
    os.write(1, (' '.join(map(str, words)) + chr(10)).encode())  # in one piece: a line is a promise

async def main(path, *args):
{body}

user = int(sys.argv.pop(1))
if user:  # only now: the interpreter itself may lie where this user cannot read
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
asyncio.run(main(*sys.argv[1:]))
"""


def spawn(body: str, path: Path, *args: object, user: int = 0) -> subprocess.Popen[str]:
    """Starts the body of `async def main(path, *args)` in another process, as another user if told to."""
    code = _FRAME.replace("{body}", body)
    return subprocess.Popen(
        [sys.executable, "-c", code, str(user), str(path), *map(str, args)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(body: str, path: Path, *args: object, user: int = 0) -> list[str]:
    """What the body reported, line by line. It must end well."""
    process = spawn(body, path, *args, user=user)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.splitlines()


def tell(process: subprocess.Popen[str]) -> None:
    """Sends the other process a line."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    """The next line from the other process."""
    assert process.stdout is not None
    return process.stdout.readline().strip()
