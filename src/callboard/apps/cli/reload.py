"""Keeps a program running, and begins it anew when files change."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress

from callboard.apps.cli.failure import INTERRUPTED
from callboard.apps.cli.stop import STOPPING

WATCHED = frozenset({".py", ".toml", ".html", ".j2", ".jinja", ".jinja2"})
_SOON = 1.0  # seconds after which it is said what is waited for
_NAMED = 3  # files that are named when it begins anew


class Supervisor:
    """Runs a program until a signal comes. When a file changes it is told to end, and begun anew when it has; one that
    ended by itself, as one does that cannot be imported, waits for the next change.

    The program gets two more arguments. The first is the number of a connected socket: on it the program says `r` once
    it is ready, and finds the end when its supervisor is gone. The second names the files that changed; it is empty as
    long as no program was ready.

    Args:
        command: its words.
        environment: its variables.
        handles: files that it inherits.
        folder: below which files are watched; None for nothing, and when the program ends, that is the end.
        patience: seconds that it has for ending.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        handles: tuple[int, ...],
        folder: str | None,
        patience: float,
    ) -> None:
        self._command = command
        self._environment = environment
        self._handles = handles
        self._folder = folder
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._was_ready = False
        self._told = 0  # how often we were told to end
        self._changed: set[str] = set()
        self._something = asyncio.Event()  # a file changed, or we were told to end

    async def run(self) -> int:
        """Returns the program's last exit code."""
        with self._hearing():
            async with self._watching():
                while True:
                    code = await self._once()
                    if not self._told and self._folder is not None:
                        if not self._something.is_set():
                            print("waiting until a file changes", file=sys.stderr, flush=True)
                        await self._something.wait()
                    if self._told or self._folder is None:
                        return code

    async def _once(self) -> int:
        """One life of it; returns its exit code."""
        changed = _named(self._changed) if self._was_ready else ""
        self._changed.clear()
        self._something.clear()
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                process = self._process = self._begin(theirs.fileno(), changed)
            ending = asyncio.ensure_future(asyncio.to_thread(process.wait))
            something = asyncio.ensure_future(self._something.wait())
            await asyncio.wait([ending, something], return_when=asyncio.FIRST_COMPLETED)
            something.cancel()
            if not ending.done():
                if not self._told:
                    process.terminate()
                    await asyncio.wait([ending], timeout=_SOON)
                    if not ending.done() and not self._told:
                        print("a file changed: effects in flight finish first", file=sys.stderr, flush=True)
                await asyncio.wait([ending], timeout=self._patience)
                if not ending.done():
                    process.kill()
            code = await ending
            self._process = None
            ours.setblocking(False)
            with suppress(OSError):
                self._was_ready = ours.recv(1) == b"r" or self._was_ready
        return code if code >= 0 else 128 - code

    def _begin(self, handle: int, changed: str) -> "subprocess.Popen[bytes]":
        """Starts it deaf to Ctrl-C, which the terminal sends to all of us: it hears from us alone when to end.

        The mask of signals goes over to it, and it takes it off once it has a handler.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return subprocess.Popen(
                [*self._command, str(handle), changed], env=self._environment, pass_fds=(*self._handles, handle)
            )
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    @contextmanager
    def _hearing(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM)
        for number in signals:
            loop.add_signal_handler(number, self._hear)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    def _hear(self) -> None:
        self._told += 1
        self._something.set()
        if self._told == 1:
            print(STOPPING, file=sys.stderr, flush=True)
        if self._process is not None:
            self._process.terminate()  # a second time it ends at once
        elif self._told > 1:
            os._exit(INTERRUPTED)

    @asynccontextmanager
    async def _watching(self) -> AsyncIterator[None]:
        if self._folder is None:
            yield
            return
        watching = asyncio.ensure_future(self._watch(self._folder))
        try:
            yield
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    async def _watch(self, folder: str) -> None:
        from watchfiles import DefaultFilter, awatch

        plain = DefaultFilter()
        try:
            async for changes in awatch(
                folder, watch_filter=lambda change, path: path.endswith(tuple(WATCHED)) and plain(change, path)
            ):
                self._changed |= {path.removeprefix(f"{folder}{os.sep}") for _, path in changes}
                self._something.set()
        except (OSError, RuntimeError) as error:  # the system watches no more files, the folder is gone
            print(f"files are not watched any more: {error}", file=sys.stderr, flush=True)


def _named(paths: set[str]) -> str:
    shown = sorted(paths)
    more = len(shown) - _NAMED
    return ", ".join(shown[:_NAMED]) + (f" and {more} more" if more > 0 else "")
