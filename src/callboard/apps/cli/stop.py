"""SIGINT and SIGTERM: the first asks for an orderly end, the second ends at once. The journal is safe either way."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from callboard.apps.cli.failure import INTERRUPTED

STOPPING = "stopping: effects in flight finish; once more ends at once"
_SHOW_CURSOR = "\x1b[?25h"  # a progress bar hides it


@contextmanager
def on_signal(
    drain: Callable[[], None],
    signals: Iterable[signal.Signals] = (signal.SIGINT, signal.SIGTERM),
    said: str = STOPPING,
) -> Iterator[None]:
    """Calls `drain` on the event loop at the first signal, and says what follows; at the second the process ends here
    and now."""
    loop = asyncio.get_running_loop()
    heard = False

    def hear() -> None:
        nonlocal heard
        if heard:
            _end()
        heard = True
        if said:
            print(said, file=sys.stderr, flush=True)
        drain()

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
