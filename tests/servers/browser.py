"""Brings the browser that tests drive to a machine that has none: Debian's package, where this user may install it.

It never fails: without a browser its tests are skipped, and say so.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.servers.binaries import chromium_program

_PACKAGES = ("chromium", "fonts-dejavu-core")  # without a font all words are boxes
_LIMIT = 300.0  # seconds for all of it
_QUIET = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=60")

Run = Callable[[Sequence[str], float], int]


def ensure(
    found: Callable[[], Path | None] = chromium_program, run: Run | None = None, root: bool | None = None
) -> str:
    """Installs it if that is needed and possible. Says what came of it; nothing where it was there already.

    Args:
        found: looks for the browser.
        run: carries out a command within so many seconds and returns its exit code.
        root: whether this user may install packages.
    """
    if found() is not None:
        return ""
    carry_out, may = run or _run, os.geteuid() == 0 if root is None else root
    if not may or shutil.which("apt-get") is None:
        return "no Chromium: tests in a browser are skipped; install one, or set CALLBOARD_TEST_CHROMIUM"
    end = time.monotonic() + _LIMIT
    for words in (("update",), ("install", "--yes", "--no-install-recommends", *_PACKAGES)):
        code = carry_out([*_QUIET, *words], max(1.0, end - time.monotonic()))
        if code and words[0] == "install":
            return f"no Chromium: apt-get {words[0]} ended with {code}; tests in a browser are skipped"
    return "installed Chromium" if found() is not None else "no Chromium: its package brought none; tests are skipped"


def _run(command: Sequence[str], seconds: float) -> int:
    """124 for a command that took too long."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    nothing = subprocess.DEVNULL
    try:
        done = subprocess.run(
            command, env=environment, timeout=seconds, check=False, stdin=nothing, stdout=nothing, stderr=nothing
        )
        return done.returncode
    except subprocess.TimeoutExpired:
        return 124
    except OSError:
        return 127


if __name__ == "__main__":
    if said := ensure():
        print(said, file=sys.stderr)
