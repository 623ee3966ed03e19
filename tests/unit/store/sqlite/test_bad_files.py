"""A file that cannot be the store is refused with its name, the cause and a remedy, and is not touched."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from callboard.domain.errors import StoreCorrupt, StoreError, StoreNewer, StoreUnavailable
from callboard.store.sqlite import SqliteStore
from callboard.store.sqlite.sql import migrations
from tests.conformance.store.play import TENANT, end, event, running, start
from tests.unit.store.sqlite.second_process import NOBODY, run

TRY = """
    store = SqliteStore(path)
    try:
        await store.open()
        await start(store)
        await store.close()
        report("opened")
    except CallboardError as error:
        report(error.code)
        report(error.what)
        report(error.why)
        report(error.remedy)
"""


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """Where the store should be, in a folder that everybody may reach."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    yield tmp_path / "store.db"
    tmp_path.chmod(0o755)


async def refusal(path: Path, error: type[StoreError]) -> StoreError:
    """What opening says. The file and its folder must be as before, byte by byte."""
    before = {f.name: f.read_bytes() for f in path.parent.iterdir()}
    with pytest.raises(error) as caught:
        await SqliteStore(str(path)).open()
    after = {f.name: f.read_bytes() for f in path.parent.iterdir() if f.name in before}
    assert after == before, "it was touched"
    assert str(path) in caught.value.what
    assert caught.value.remedy
    return caught.value


async def make(path: Path) -> str:
    """A store with one run of some events; the run's id."""
    store = SqliteStore(str(path))
    await store.open()
    held = await running(store)
    await store.journal.append(held, [event(n, body=b'"%s"' % (b"x" * 8000)) for n in range(1, 40)])
    await store.claims.settle(held, end(40))
    await store.close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return held.run_id


def attempt(path: Path) -> tuple[str, str, str, str]:
    """What a person without rights is told: code, what, why, remedy."""
    code, *told = run(TRY, path, user=NOBODY if os.getuid() == 0 else 0)
    assert code != "opened"
    what, why, remedy = told
    return code, what, why, remedy


async def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"Dear diary, today nothing happened.\n" * 500)
    assert "not a database" in (await refusal(path, StoreCorrupt)).why


@pytest.mark.parametrize("mode", ["delete", "wal"])
async def test_the_database_of_another_program_is_refused(path: Path, mode: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA journal_mode={mode}")
        db.execute("CREATE TABLE bookmarks (url TEXT)")
        db.execute("INSERT INTO bookmarks VALUES ('https://example.org')")
    db.close()
    assert "another program" in str(await refusal(path, StoreCorrupt))


async def test_an_empty_database_that_another_program_has_marked_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA application_id = 1234")
    db.close()
    assert "another program" in str(await refusal(path, StoreCorrupt))


async def test_a_store_of_a_later_version_is_refused(path: Path) -> None:
    await make(path)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    told = await refusal(path, StoreNewer)
    assert "99" in told.what
    assert str(migrations()[-1][0]) in told.what


async def test_a_damaged_header_is_refused(path: Path) -> None:
    await make(path)
    data = bytearray(path.read_bytes())
    data[:100] = os.urandom(100)
    path.write_bytes(data)
    await refusal(path, StoreCorrupt)


async def test_a_truncated_file_is_refused_or_found_damaged(path: Path) -> None:
    run_id = await make(path)
    path.write_bytes(path.read_bytes()[: 5 * 4096])
    store = SqliteStore(str(path))
    with pytest.raises(StoreCorrupt, match=r"store\.db"):
        await store.open()
        try:
            await store.journal.read(TENANT, run_id)
        finally:
            await store.close()


async def test_a_damaged_page_is_reported_when_it_is_read_and_by_the_check(path: Path) -> None:
    run_id = await make(path)
    data = bytearray(path.read_bytes())
    for page in range(len(data) // 4096 // 2, len(data) // 4096):
        data[page * 4096 : page * 4096 + 2000] = b"\xa5" * 2000
    path.write_bytes(data)
    store = SqliteStore(str(path))
    await store.open()
    with pytest.raises(StoreCorrupt, match=r"store\.db"):
        await store.journal.read(TENANT, run_id)
    try:
        assert (await store.check())["integrity"] != "ok"
    except StoreCorrupt as found:  # so damaged that it cannot even be checked
        assert str(path) in found.what
    await store.close()


async def test_a_store_that_was_closed_is_whole_in_its_one_file(path: Path) -> None:
    store = SqliteStore(str(path))
    await store.open()
    run_id = await start(store)
    await store.close()
    copy = path.with_name("copy.db")
    copy.write_bytes(path.read_bytes())
    copied = SqliteStore(str(copy))
    await copied.open()
    assert (await copied.runs.get(TENANT, run_id)).id == run_id
    await copied.close()


async def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()
    store = SqliteStore(str(path))
    await store.open()
    assert await start(store)
    await store.close()


async def test_a_folder_in_place_of_the_file_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreUnavailable, match=r"store\.db"):
        await SqliteStore(str(path)).open()
    assert list(path.iterdir()) == []


async def test_a_missing_folder_is_named_and_not_made(path: Path) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        await SqliteStore(str(path.parent / "nowhere" / "store.db")).open()
    assert "nowhere/store.db" in caught.value.what
    assert "folder" in caught.value.why
    assert caught.value.remedy
    assert list(path.parent.iterdir()) == []


def test_a_folder_that_may_not_be_written_is_named(path: Path) -> None:
    path.parent.chmod(0o555)
    code, what, why, remedy = attempt(path)
    assert code == "store_unavailable"
    assert str(path) in what
    assert "folder" in why
    assert remedy
    assert list(path.parent.iterdir()) == []


async def test_a_store_in_a_folder_that_may_not_be_written_is_named_and_kept(path: Path) -> None:
    await make(path)
    path.chmod(0o666)
    (path.parent / "store.db-lock").unlink(missing_ok=True)
    before = path.read_bytes()
    path.parent.chmod(0o555)
    code, what, why, remedy = attempt(path)
    assert (code, str(path) in what, bool(why), bool(remedy)) == ("store_unavailable", True, True, True)
    assert path.read_bytes() == before


async def test_a_file_that_may_not_be_written_is_named_and_kept(path: Path) -> None:
    await make(path)
    path.chmod(0o444)
    path.parent.chmod(0o777)
    (path.parent / "store.db-lock").unlink(missing_ok=True)
    before = path.read_bytes()
    code, what, why, remedy = attempt(path)
    assert (code, str(path) in what, bool(why), bool(remedy)) == ("store_unavailable", True, True, True)
    assert path.read_bytes() == before


async def test_a_file_that_may_not_be_read_is_named_and_kept(path: Path) -> None:
    await make(path)
    before = path.read_bytes()
    path.chmod(0o000)
    code, what, why, remedy = attempt(path)
    path.chmod(0o644)
    assert (code, str(path) in what, bool(why), bool(remedy)) == ("store_unavailable", True, True, True)
    assert path.read_bytes() == before
