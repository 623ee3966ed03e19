"""Stores in files: a folder on a real disk, that is gone afterwards."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path

import apsw

from bench.places import disk, sqlite_floors


class SqlitePlace:
    """Hands out files that nobody used before."""

    kind = "sqlite"
    server = None
    redis = None

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()

    def facts(self) -> Iterator[tuple[str, str]]:
        yield "sqlite", f"{apsw.sqlite_lib_version()}, WAL, synchronous=FULL"
        yield from disk.facts(self._folder, "name a folder on a disk in BENCH_TMP")

    def store(self, hint: str) -> str:
        return f"sqlite:///{self._file()}"

    async def settled_bytes(self, store: str) -> int:
        path = _path(store)
        db = apsw.Connection(str(path))
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        return path.stat().st_size

    async def grouped_rows(self, size: int = 200) -> float:
        return sqlite_floors.grouped_rows(self._file(), size)

    async def single_rows(self) -> float:
        return sqlite_floors.single_rows(self._file())

    async def read_rows(self, store: str) -> float:
        return sqlite_floors.read_rows(_path(store))

    @asynccontextmanager
    async def snapshot(self, store: str) -> AsyncIterator[None]:
        db = apsw.Connection(str(_path(store)), flags=apsw.SQLITE_OPEN_READONLY)
        db.execute("BEGIN")
        list(db.execute("SELECT count(*) FROM runs"))
        try:
            yield
        finally:
            db.close()

    def _file(self) -> Path:
        return self._folder / f"{next(self._numbers)}.db"


@contextmanager
def sqlite_place() -> Iterator[SqlitePlace]:
    """A folder in $BENCH_TMP, or in the current folder."""
    folder = tempfile.mkdtemp(prefix=".bench-", dir=os.environ.get("BENCH_TMP", "."))
    try:
        yield SqlitePlace(Path(folder).resolve())
    finally:
        shutil.rmtree(folder)


def _path(store: str) -> Path:
    return Path(store.removeprefix("sqlite:///"))
