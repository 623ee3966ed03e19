"""A bell between the processes that share one SQLite file: each owns a named pipe beside it.

Ringing writes short records into the pipes of all other processes, once for each turn of the loop: a write wakes
whoever reads, and takes longer than all else about a hint. A pipe nobody reads is a process that died, and is removed.
A full pipe drops hints, which is allowed: its reader has plenty to wake for.
"""

import asyncio
import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterable
from pathlib import Path

from callboard.dispatch.bell import Bell, Hint, Listener, News
from callboard.domain.ids import LENGTH

_RECORD = 1 + LENGTH
_AT_ONCE = 4096 // _RECORD  # POSIX writes up to 4,096 bytes to a pipe whole or not at all
_LOOK = 0.2  # seconds between looks at the folder for pipes of new processes


class FifoBell:
    """See callboard.dispatch.bell.Bell.

    Args:
        folder: where the pipes are; made if need be.
        name: this process's own.
        local: tells the listeners in this process.
    """

    def __init__(self, folder: Path, name: str, local: Bell) -> None:
        self._folder = folder
        self._own = folder / f"{name}.bell"
        self._local = local
        self._fd = -1
        self._others: dict[str, int] = {}
        self._untold: list[Hint] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looked = 0.0

    @property
    def healthy(self) -> bool:
        """True while this process has a pipe that others can write to."""
        return self._fd >= 0

    def ring(self, hints: Iterable[Hint]) -> None:
        """Tells listeners here and in the other processes."""
        told = list(hints)
        self._local.ring(told)
        if self._loop is None:
            return
        if not self._untold:
            self._loop.call_soon(self._tell)
        self._untold += told

    def listen(self, listener: Listener) -> None:
        """Adds a listener."""
        self._local.listen(listener)

    def mark(self) -> int:
        """Nothing has to be answered here: every process hears for itself."""
        return 0

    def answered(self, mark: int) -> None:
        """Nothing has to be answered here."""

    async def open(self) -> None:
        """Makes this process's pipe and reads it."""
        await self._local.open()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        # It gets its name once it is being read: others remove a pipe that nobody reads.
        unnamed = self._own.with_suffix(".new")
        os.mkfifo(unnamed, 0o600)
        # Open for both ends: the pipe then never reports an end of file while no other process writes.
        self._fd = os.open(unnamed, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        unnamed.rename(self._own)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._read)

    async def close(self) -> None:
        """Removes this process's pipe."""
        if self._loop is not None:
            self._tell()
            self._loop.remove_reader(self._fd)
            self._loop = None
            os.close(self._fd)
            self._fd = -1
            self._own.unlink(missing_ok=True)
        for fd in self._others.values():
            os.close(fd)
        self._others.clear()
        await self._local.close()

    def _tell(self) -> None:
        told, self._untold = self._untold, []
        if not told:
            return  # told when it was closed
        self._look()
        for start in range(0, len(told), _AT_ONCE):
            data = b"".join([(h.news + h.run_id).encode() for h in told[start : start + _AT_ONCE]])
            for name in list(self._others):
                self._write(name, data)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._fd, 65536)
            ids = range(0, len(data) - _RECORD + 1, _RECORD)
            hints = [_hint(data[i : i + _RECORD]) for i in ids]
            self._local.ring([h for h in hints if h is not None])

    def _write(self, name: str, data: bytes) -> None:
        try:
            os.write(self._others[name], data)
        except BlockingIOError:
            pass
        except OSError:
            os.close(self._others.pop(name))

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        self._looked = now
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder) as found:
            for entry in found:
                if entry.name.endswith(".bell") and entry.name != self._own.name and entry.name not in self._others:
                    self._meet(entry.name)

    def _meet(self, name: str) -> None:
        try:
            if not stat.S_ISFIFO((self._folder / name).lstat().st_mode):
                return
            self._others[name] = os.open(self._folder / name, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nobody reads: its process is gone
                (self._folder / name).unlink(missing_ok=True)


def _hint(record: bytes) -> Hint | None:
    try:
        return Hint(News(chr(record[0])), record[1:].decode("ascii"))
    except ValueError:
        return None
