"""The disk that stores lie on, and what it takes to reach it."""

import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

_PAGE = b"\0" * 4096
_SYNCS = 200


def facts(folder: Path, remedy: str) -> Iterator[tuple[str, str]]:
    """Its file system, and the price of a sync; `remedy` says what to do when it is no disk at all."""
    kind = _file_system(folder)
    yield "disk", kind + (f": in memory, so a commit costs nothing here; {remedy}" if kind == "tmpfs" else "")
    yield "fsync", f"{_fsync(folder) * 1e6:.0f} µs after appending 4 KiB (median of {_SYNCS})"


def _fsync(folder: Path) -> float:
    path = folder / f"fsync-{os.getpid()}"
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    times = []
    try:
        for _ in range(_SYNCS):
            os.write(fd, _PAGE)
            begun = time.perf_counter()
            os.fsync(fd)
            times.append(time.perf_counter() - begun)
    finally:
        os.close(fd)
        path.unlink()
    return statistics.median(times)


def _file_system(folder: Path) -> str:
    """The type of the file system that a folder is on, where the system tells."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown"
    best, kind = 0, "unknown"
    for line in mounts.read_text().splitlines():
        _, point, found, *_ = line.split()
        if folder.is_relative_to(point) and len(point) >= best:
            best, kind = len(point), found
    return kind
