"""Named pipes between processes: of the dead nothing stays, and a reader that stands still holds up nobody."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from callboard.dispatch.bell import Hint, News
from callboard.dispatch.fifo import FifoBell
from callboard.dispatch.in_process import InProcessBell

READY = Hint(News.READY, "0" * 26)
LISTEN = """
import asyncio, sys
from pathlib import Path
from callboard.dispatch.fifo import FifoBell
from callboard.dispatch.in_process import InProcessBell

async def main():
    bell = FifoBell(Path(sys.argv[1]), "other", InProcessBell())
    bell.listen(lambda hints: [print(h.news.name, h.run_id, flush=True) for h in hints])
    await bell.open()
    print("listening", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def listen(folder: Path) -> subprocess.Popen[str]:
    """A process that prints what it hears."""
    process = subprocess.Popen([sys.executable, "-c", LISTEN, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "listening\n"
    return process


def fifo(folder: Path, name: str) -> FifoBell:
    return FifoBell(folder, name, InProcessBell())


def pipes(folder: Path) -> set[str]:
    return {f.name for f in folder.iterdir()}


async def ring_until(bell: FifoBell, done: object, *hints: Hint) -> None:
    async with asyncio.timeout(60):
        while not done():  # type: ignore[operator]
            bell.ring(hints)
            await asyncio.sleep(0.02)


async def test_a_process_hears_what_another_rings(tmp_path: Path) -> None:
    process = listen(tmp_path)
    bell = fifo(tmp_path, "own")
    await bell.open()
    bell.ring([Hint(News.ENDED, "a" * 26)])
    assert process.stdout is not None
    assert await asyncio.to_thread(process.stdout.readline) == f"ENDED {'a' * 26}\n"
    process.kill()
    process.communicate()
    await bell.close()


async def test_the_pipe_of_a_process_that_was_killed_is_removed(tmp_path: Path) -> None:
    process = listen(tmp_path)
    bell = fifo(tmp_path, "own")
    await bell.open()
    bell.ring([READY])
    process.kill()
    process.communicate()
    assert pipes(tmp_path) == {"own.bell", "other.bell"}
    await ring_until(bell, lambda: pipes(tmp_path) == {"own.bell"}, READY)
    await bell.close()


async def test_a_process_that_closes_its_bell_removes_its_pipe(tmp_path: Path) -> None:
    bell = fifo(tmp_path, "own")
    await bell.open()
    assert pipes(tmp_path) == {"own.bell"}
    await bell.close()
    assert pipes(tmp_path) == set()


async def test_a_reader_that_stands_still_holds_up_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "still.bell")
    still = os.open(tmp_path / "still.bell", os.O_RDWR | os.O_NONBLOCK)  # it never reads
    bell = fifo(tmp_path, "own")
    await bell.open()
    for _ in range(200):
        bell.ring([READY] * 100)
        await asyncio.sleep(0)  # what rings in one turn of the loop is written at its end; it never ends if it waits
    kept = os.read(still, 1 << 20)
    assert 0 < len(kept) <= 65_536
    assert kept == b"r".join([b"", *[b"0" * 26] * (len(kept) // 27)])  # whole records, or none
    bell.ring([READY])
    await asyncio.sleep(0)
    assert os.read(still, 1 << 20) == b"r" + b"0" * 26
    os.close(still)
    await bell.close()


async def test_noise_in_a_pipe_is_not_heard(tmp_path: Path) -> None:
    heard: list[Hint] = []
    bell = fifo(tmp_path, "own")
    bell.listen(heard.extend)
    await bell.open()
    pipe = os.open(tmp_path / "own.bell", os.O_WRONLY | os.O_NONBLOCK)
    for noise in (b"x" + b"0" * 26, b"r" + b"\xff" * 26, b"r123", b""):
        os.write(pipe, noise)
        await asyncio.sleep(0.01)
    os.write(pipe, b"r" + b"0" * 26)
    async with asyncio.timeout(60):
        while READY not in heard:
            await asyncio.sleep(0.01)
    assert heard == [READY]
    os.close(pipe)
    await bell.close()


async def test_things_that_are_no_pipes_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "anna.lock").write_text("")
    (tmp_path / "note.bell").write_text("not a pipe")
    bell = fifo(tmp_path, "own")
    await bell.open()
    bell.ring([READY])
    await bell.close()
    assert (tmp_path / "anna.lock").read_text() == ""
    assert (tmp_path / "note.bell").read_text() == "not a pipe"


async def test_a_bell_rings_where_the_folder_is_gone_or_never_was(tmp_path: Path) -> None:
    heard: list[Hint] = []
    early = fifo(tmp_path / "nowhere", "early")
    early.ring([READY])
    bell = fifo(tmp_path / "live", "own")
    bell.listen(heard.extend)
    await bell.open()
    (tmp_path / "live" / "own.bell").unlink()
    (tmp_path / "live").rmdir()
    bell.ring([READY])
    await asyncio.sleep(0.02)
    assert heard == [READY]
    await bell.close()


LOOK = """
import sys
from pathlib import Path
from callboard.dispatch.bell import Hint, News
from callboard.dispatch.fifo import FifoBell
from callboard.dispatch.in_process import InProcessBell

print("looking", flush=True)
while True:
    FifoBell(Path(sys.argv[1]), "looker", InProcessBell()).ring([Hint(News.READY, "0" * 26)])
"""


async def test_a_pipe_is_not_removed_while_its_process_is_just_opening_it(tmp_path: Path) -> None:
    """A look at the folder may fall between the making of a pipe and the opening of its reading end."""
    looker = subprocess.Popen([sys.executable, "-c", LOOK, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert looker.stdout is not None
    assert looker.stdout.readline() == "looking\n"
    try:
        for n in range(1_500):
            bell = fifo(tmp_path, f"opener-{n}")
            await bell.open()
            assert f"opener-{n}.bell" in pipes(tmp_path)
            await bell.close()
    finally:
        looker.kill()
        looker.communicate()
