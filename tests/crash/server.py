"""Forks the processes of plays from one that has everything imported, and no thread yet: a life begins in milliseconds.

Reads an Order a line from standard input, plays it, and answers with a Played a line on standard output.
"""

import contextlib
import faulthandler
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from tests.crash.door import attend
from tests.crash.life import live
from tests.crash.stage import Order, Played

_PATIENCE = 180  # seconds that one process of a play may live
_LIVES = 600


def main() -> None:
    """Plays until standard input ends."""
    gc.freeze()  # what is imported stays shared between the forks
    for line in sys.stdin.buffer:
        played = _play(msgspec.json.decode(line, type=Order))
        sys.stdout.buffer.write(msgspec.json.encode(played) + b"\n")
        sys.stdout.buffer.flush()


def _play(order: Order) -> Played:
    door = _fork(lambda: attend(Path(order.folder)), 10 * _PATIENCE)
    try:
        played = _lives(order)
        gone, status = os.waitpid(door, os.WNOHANG)
        return Played(played.deaths, f"the door: {_trouble(status)}") if gone else played
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(door, signal.SIGKILL)
            os.waitpid(door, 0)


def _lives(order: Order) -> Played:
    for life in range(1, _LIVES):
        nth = order.nth if order.again or life == 1 else 0
        _, status = os.waitpid(_fork(partial(live, order, life, nth), _PATIENCE), 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            return Played(life - 1)
        if not nth or not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
            return Played(life - 1, f"process {life}: {_trouble(status)}")
    return Played(_LIVES, f"{_LIVES} lives were not enough")


def _fork(work: Callable[[], None], patience: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    faulthandler.register(signal.SIGALRM, chain=True)  # shows where each thread stands, then lets the signal kill
    signal.alarm(patience)  # whatever happens, a process ends
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _trouble(status: int) -> str:
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return f"ended by {name}" + (", it took too long" if name == "SIGALRM" else "")
    return f"ended with {os.WEXITSTATUS(status)}; see standard error"


if __name__ == "__main__":
    main()
