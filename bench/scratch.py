"""A folder for stores, on a real disk, that is gone afterwards."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from itertools import count
from pathlib import Path

import apsw

import callboard as cb


class Scratch:
    """Hands out files that nobody used before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = count()

    def file(self) -> Path:
        """A path where nothing is yet."""
        return self.folder / f"{next(self._numbers)}.db"


@contextmanager
def scratch() -> Iterator[Scratch]:
    """A scratch folder in $BENCH_TMP, or in the current folder."""
    folder = tempfile.mkdtemp(prefix=".bench-", dir=os.environ.get("BENCH_TMP", "."))
    try:
        yield Scratch(Path(folder).resolve())
    finally:
        shutil.rmtree(folder)


def opened(app: cb.App, path: Path, *, worker: bool = True) -> AbstractAsyncContextManager[cb.Runtime]:
    """A runtime on a file with the options that users get, whatever the environment says."""
    return cb.open(app, settings=cb.Settings(store=f"sqlite:///{path}"), worker=worker)


def settled_bytes(path: Path) -> int:
    """The size of a database with everything in it and nothing in its log."""
    db = apsw.Connection(str(path))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return path.stat().st_size
