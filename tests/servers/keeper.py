"""The process that outlives the tests: once nobody holds a server's folder, ends what runs in it and removes it.

Holders keep a shared lock on the file `held`; the kernel lets go of it however they die. This file is run as a
program, and imports nothing of the project.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

HELD = "held"
PROGRAMS = {"postgres", "redis-server", "pgbouncer"}
_PATIENCE = 5.0  # seconds before a server that was asked to end is made to


def living_in(folder: Path) -> list[psutil.Process]:
    """The server processes whose working directory is in this folder: every server is started with one that is."""
    return [process for process in psutil.process_iter() if _lives_in(process, str(folder.resolve()))]


def end_all(folder: Path) -> None:
    """Ends every server that works in this folder, and waits until it is gone."""
    for process in living_in(folder):
        with contextlib.suppress(psutil.NoSuchProcess):
            # Killed outright, PostgreSQL would leave shared memory behind. SIGQUIT is "at once, but tidily".
            process.send_signal(signal.SIGQUIT if process.name() == "postgres" else signal.SIGTERM)
            process.send_signal(signal.SIGCONT)
    if not wait_until_empty(folder, _PATIENCE):
        for process in living_in(folder):
            send(process, signal.SIGKILL)
        wait_until_empty(folder, _PATIENCE)


def wait_until_empty(folder: Path, seconds: float) -> bool:
    """Whether all servers in this folder have ended within this time."""
    end = time.monotonic() + seconds
    while living_in(folder):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def send(process: psutil.Process, number: signal.Signals) -> None:
    """Signals a process, unless it has ended. psutil refuses a process number that has been given to another."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _lives_in(process: psutil.Process, folder: str) -> bool:
    try:
        if process.name() not in PROGRAMS or process.status() == psutil.STATUS_ZOMBIE:
            return False
        return Path(process.cwd()).is_relative_to(folder)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _keep(folder: Path) -> None:
    with (folder / HELD).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        try:
            end_all(folder)
        finally:
            _remove(folder)


def _remove(folder: Path) -> None:
    for _ in range(50):  # a process that was just killed may still be writing its last file
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def main(arguments: Iterable[str]) -> None:
    """Waits for the end of the holders of the one folder named."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)  # what ends the tests must not end their keeper
    os.chdir("/")
    (folder,) = arguments
    _keep(Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
