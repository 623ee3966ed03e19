"""A full disk is said plainly, leaves nothing half-written, and is forgotten when there is space again."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from callboard.domain.errors import StoreUnavailable
from callboard.store.claims import Claim
from callboard.store.journal import Extras
from callboard.store.sqlite import SqliteStore
from tests.conformance.store.play import TENANT, end, event, new_run, running, seqs_of
from tests.unit.store.sqlite.second_process import run

SIZE = 6  # megabytes
FILL_A_LIMITED_FILE = """
    import resource
    store = SqliteStore(path)
    await store.open()
    held = await running(store)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, resource.RLIM_INFINITY))
    seq = 1
    try:
        while True:
            await store.journal.append(held, [event(seq, body=b'"%s"' % (b"x" * 9000))])
            seq += 1
    except CallboardError as error:
        report(error.code, error.what == f"cannot use {path}" or error.what == f"cannot write {path}")
    report(await seqs_of(store, held.run_id) == list(range(seq)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await store.journal.append(held, [event(seq)])
    report((await store.check())["integrity"])
    await store.close()
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "none", str(disk)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a disk of a few megabytes can only be mounted by root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


async def fill(store: SqliteStore, held: Claim) -> tuple[int, StoreUnavailable]:
    """Appends until nothing more fits; the seq that was refused, and the error."""
    for seq in range(1, 10_000):
        child = new_run(parent=held.run_id, parent_path=f"{seq}:c", flow="child")
        try:
            large = event(seq, body=b'"%s%d"' % (b"x" * 40_000, seq))
            await store.journal.append(held, [large], Extras(children=(child,), labels={"seq": str(seq)}))
        except StoreUnavailable as error:
            return seq, error
    raise AssertionError("the disk never filled")


async def test_a_full_disk_refuses_the_write_whole_and_says_why(small_disk: Path) -> None:
    store = SqliteStore(str(small_disk / "store.db"))
    await store.open()
    held = await running(store)
    refused, error = await fill(store, held)
    assert error.what == f"cannot write {small_disk / 'store.db'}"
    assert "full" in error.why
    assert "free space" in error.remedy
    assert await seqs_of(store, held.run_id) == list(range(refused))
    assert len(await store.runs.find(TENANT, parent=held.run_id, limit=10_000)) == refused - 1
    assert (await store.runs.get(TENANT, held.run_id)).labels == {"seq": str(refused - 1)}
    await store.close()


async def test_the_store_works_again_when_there_is_space(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * ((SIZE - 3) << 20))
    store = SqliteStore(str(small_disk / "store.db"))
    await store.open()
    held = await running(store)
    refused, _ = await fill(store, held)
    ballast.unlink()
    await store.journal.append(held, [event(refused, body=b'"%s"' % (b"y" * 40_000))])
    await store.claims.settle(held, end(refused + 1))
    assert await seqs_of(store, held.run_id) == list(range(refused + 2))
    assert (await store.check())["integrity"] == "ok"
    await store.close()


def test_a_file_that_may_grow_no_further_is_no_worse_than_a_full_disk(tmp_path: Path) -> None:
    assert run(FILL_A_LIMITED_FILE, tmp_path / "store.db") == ["store_unavailable True", "True", "ok"]
