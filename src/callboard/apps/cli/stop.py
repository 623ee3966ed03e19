"""SIGINT and SIGTERM: the first asks for an orderly end, the second ends at once. The journal is safe either way."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from callboard.apps.cli.failure import INTERRUPTED

_SHOW_CURSOR = "\x1b[?25h"  # a progress bar hides it


@contextmanager
def on_signal(drain: Callable[[], None]) -> Iterator[None]:
    """Calls `drain` on the event loop at the first signal; at the second the process ends here and now."""
    loop = asyncio.get_running_loop()
    heard = False

    def hear() -> None:
        nonlocal heard
        if heard:
            _end()
        heard = True
        print("stopping: effects in flight finish; once more ends at once", file=sys.stderr, flush=True)
        drain()

    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, hear)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _end() -> None:
    if sys.stderr.isatty():
        sys.stderr.write(_SHOW_CURSOR)
        sys.stderr.flush()
    os._exit(INTERRUPTED)
