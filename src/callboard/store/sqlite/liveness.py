"""Who is alive on this machine: each worker holds a lock on a file of its own for as long as it lives.

The operating system drops the lock when the process dies, however it dies, so a dead worker is known at
once. A worker that is only stalled keeps its lock and is known by its old heartbeat.
"""

import fcntl
import os
import time
from pathlib import Path

from callboard.connections.sqlite import MEMORY
from callboard.domain.errors import StoreError, StoreUnavailable


class Liveness:
    """The lock files beside a database; for a database in memory, a set."""

    def __init__(self, path: str) -> None:
        self._folder = None if path == MEMORY else Path(path + "-live")
        self._held: dict[str, int] = {}

    def hold(self, worker_id: str) -> None:
        """Shows that the worker lives, until `drop` or the end of the process."""
        if self._folder is None:
            self._held[worker_id] = -1
            return
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            fd = os.open(self._file(worker_id), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(
                f"cannot write in {self._folder}", why=str(error), remedy="change the folder's permissions"
            ) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            raise StoreError(f"worker {worker_id} is alive already", why="its lock is held") from error
        self._held[worker_id] = fd

    def drop(self, worker_id: str) -> None:
        """The worker leaves, or was found dead."""
        fd = self._held.pop(worker_id, -1)
        if self._folder is not None:
            self._file(worker_id).unlink(missing_ok=True)
        if fd >= 0:
            os.close(fd)

    def close(self) -> None:
        """Lets go of all locks, as the end of the process would."""
        for fd in self._held.values():
            if fd >= 0:
                os.close(fd)
        self._held.clear()

    def alive(self, worker_id: str) -> bool:
        """True while the worker's process lives."""
        if worker_id in self._held:
            return True
        if self._folder is None:
            return False
        try:
            fd = os.open(self._file(worker_id), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError:
            return True  # it cannot be looked at: never take a worker for dead on suspicion
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(fd)
        return False

    def _file(self, worker_id: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{worker_id}.lock"


def boot_id() -> str:
    """Names this boot of the machine: monotonic times compare only within one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        # No such file (macOS): the time of boot, coarse enough to be the same for all processes.
        return str(int((time.time() - time.monotonic()) / 60))
