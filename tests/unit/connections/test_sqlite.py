"""A connection is durable, its errors speak to a person, and writers of one file take turns."""

import threading
import time
from pathlib import Path

import apsw
import pytest

from callboard.connections.sqlite import MEMORY, WriteLock, connect, explain, explained, use_wal
from callboard.domain.errors import StoreCorrupt, StoreError, StoreUnavailable

FULL = 2  # SQLite's number for synchronous=FULL


@pytest.mark.parametrize("readonly", [False, True])
def test_a_commit_has_reached_the_disk_when_it_returns(tmp_path: Path, readonly: bool) -> None:
    path = str(tmp_path / "a.db")
    writer = connect(path)
    use_wal(writer, path)
    writer.execute("CREATE TABLE t (a)")
    db = connect(path, readonly=readonly)
    assert db.pragma("journal_mode") == "wal"
    assert db.pragma("synchronous") == FULL


def test_a_connection_that_only_reads_cannot_write(tmp_path: Path) -> None:
    path = str(tmp_path / "a.db")
    connect(path).execute("CREATE TABLE t (a)")
    with pytest.raises(StoreUnavailable), explained(path):
        connect(path, readonly=True).execute("INSERT INTO t VALUES (1)")


def test_a_file_is_not_made_by_reading_it(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"a\.db"):
        connect(str(tmp_path / "a.db"), readonly=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (apsw.FullError(), StoreUnavailable, "disk is full"),
        (apsw.ReadOnlyError(), StoreUnavailable, "read-only"),
        (apsw.CantOpenError(), StoreUnavailable, "folder"),
        (apsw.PermissionsError(), StoreUnavailable, "folder"),
        (apsw.NotADBError("file is not a database"), StoreCorrupt, "not a database"),
        (apsw.CorruptError("malformed"), StoreCorrupt, "malformed"),
        (apsw.BusyError(), StoreUnavailable, "another program"),
        (apsw.LockedError(), StoreUnavailable, "another program"),
        (apsw.IOError("fsync failed"), StoreUnavailable, "fsync failed"),
    ],
)
def test_each_error_names_the_file_the_cause_and_a_remedy(
    error: apsw.Error, kind: type[StoreError], words: str
) -> None:
    told = explain(error, "/data/a.db")
    assert type(told) is kind
    assert "/data/a.db" in told.what
    assert words in told.why
    assert told.remedy


def test_any_other_error_of_the_database_still_names_the_file() -> None:
    told = explain(apsw.ConstraintError("UNIQUE constraint failed"), "/data/a.db")
    assert type(told) is StoreError
    assert "/data/a.db" in told.what
    assert "UNIQUE" in told.what


def test_one_writer_at_a_time_holds_the_lock_of_a_file(tmp_path: Path) -> None:
    path = str(tmp_path / "a.db")
    first, second = WriteLock(path), WriteLock(path)
    moments: list[str] = []

    def wait() -> None:
        with second:
            moments.append("second")

    with first:
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.05)
        moments.append("first")
    thread.join(5)
    assert moments == ["first", "second"]
    first.close()
    second.close()


def test_the_lock_is_given_back_when_writing_fails(tmp_path: Path) -> None:
    lock, other = WriteLock(str(tmp_path / "a.db")), WriteLock(str(tmp_path / "a.db"))
    with pytest.raises(RuntimeError), lock:
        raise RuntimeError("broke")
    with other:
        pass
    lock.close()
    lock.close()
    other.close()


def test_a_database_in_memory_needs_no_lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lock = WriteLock(MEMORY)
    with lock:
        connect(MEMORY).execute("CREATE TABLE t (a)")
    lock.close()
    assert list(tmp_path.iterdir()) == []
