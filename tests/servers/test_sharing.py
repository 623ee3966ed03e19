"""Servers are shared by a session's processes, and none outlives them, however they end."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers import keeper
from tests.servers.place import Gone, Place

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE = 60.0

SESSION = """
import os, time, pytest
from pathlib import Path

@pytest.mark.parametrize("n", range(4))
def test_uses_both(n, postgres, redis_server, request):
    for server in (postgres, redis_server):
        with open(f"{os.environ['NOTES']}/{n}-{type(server).__name__}", "w") as note:
            note.write(server.card.folder)
    notes = Path(os.environ["NOTES"])
    (notes / f"{os.getpid()}-ready").touch()
    while len(list(notes.glob("*-ready"))) < 2:
        time.sleep(0.1)
"""


@contextlib.contextmanager
def session(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another pytest, which starts servers of its own. Its tests go on once two processes use them: one alone stays."""
    (folder / "test_session.py").write_text(SESSION)
    (folder / "notes").mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "CALLBOARD_"))}
    if "CALLBOARD_TEST_SERVERS" in os.environ:
        environment["CALLBOARD_TEST_SERVERS"] = os.environ["CALLBOARD_TEST_SERVERS"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.servers.fixtures", "-c", str(folder / "pytest.ini")]
    with subprocess.Popen(
        [*command, *arguments, f"--basetemp={folder / 'base'}", str(folder / "test_session.py")],
        cwd=ROOT,
        env=environment | {"NOTES": str(folder / "notes")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_for(happened: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _PATIENCE
    while not happened():
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(0.05)


def folders(noted: Path) -> set[Path]:
    return {Path(note.read_text()) for note in noted.glob("*Server")}


def test_all_processes_of_a_session_use_one_server_of_each_kind(tmp_path: Path) -> None:
    with session(tmp_path, "-n", "2") as process:
        assert process.wait(_PATIENCE) == 0
    used = folders(tmp_path / "notes")
    assert len(list((tmp_path / "notes").glob("*Server"))) == 8
    assert len(used) == 2
    wait_for(lambda: not any(folder.exists() for folder in used), "the servers' folders are removed")
    assert not any(keeper.living_in(folder) for folder in used)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_no_server_outlives_a_session_that_was_ended(tmp_path: Path, how: signal.Signals) -> None:
    with session(tmp_path) as process:
        wait_for(lambda: any((tmp_path / "notes").glob("*-ready")), "the session uses its servers")
        used = folders(tmp_path / "notes")
        assert len(used) == 2
        assert all(keeper.living_in(folder) for folder in used)
        os.killpg(process.pid, how)
        process.wait(_PATIENCE)
    wait_for(lambda: not any(folder.exists() for folder in used), "the servers' folders are removed")
    assert not any(keeper.living_in(folder) for folder in used)


def test_a_place_stays_while_anybody_holds_it_and_then_is_gone() -> None:
    first = Place.make("test")
    second = Place.hold(first.folder)
    first.close(alone=False)
    third = Place.hold(first.folder)
    second.close(alone=False)
    assert third.folder.is_dir()
    third.close(alone=False)
    wait_for(lambda: not third.folder.exists(), "the folder is removed")
    with pytest.raises(Gone):
        Place.hold(third.folder)


def test_a_forked_child_does_not_hold_its_parents_place() -> None:
    place = Place.make("test")
    release, wait = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(wait)
        os.read(release, 1)
        os._exit(0)
    try:
        place.close(alone=True)
        assert not place.folder.exists()
    finally:
        os.close(wait)
        os.waitpid(child, 0)
