"""A saga of five effects is killed around every commit, forward and while it is undone, and cancelled at every point:
the world outside nets to zero, or has all of it, or a person was asked about what stands. Never a half."""

import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from tests.crash.saga_stage import DONE, Ending, Trial
from tests.crash.stage import Played, Point
from tests.crash.troupe import ROOT, Series

pytestmark = pytest.mark.timeout(600)
LANES = 3
CountDeaths = Callable[[int], None]
# All kill points take minutes. Each change gets a third of them, another third before the commit than after it.
strides = pytest.mark.parametrize("stride", [pytest.param(1, marks=pytest.mark.soak), 3], ids=["all", "third"])
around = pytest.mark.parametrize("point", ["before_commit", "after_commit"])


class Lane:
    """One server of plays."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.crash.saga_server"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._lock = threading.Lock()

    def play(self, trial: Trial) -> Played:
        """Plays it to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(msgspec.json.encode(trial) + b"\n")
            self._process.stdin.flush()
            return msgspec.json.decode(self._process.stdout.readline(), type=Played)

    def close(self) -> None:
        """Ends it."""
        self._process.communicate()


@pytest.fixture(scope="module")
def lanes() -> Iterator[list[Lane]]:
    """Servers of plays."""
    made = [Lane() for _ in range(LANES)]
    yield made
    for lane in made:
        lane.close()


def play(lane: Lane, folder: Path, trial: Trial) -> tuple[Played, Ending | None, list[str]]:
    """Plays a trial in a folder of its own; how it went, how the run ended, and what is wrong with it."""
    at = folder / "-".join(str(each) for each in (trial.scenario, trial.cancel, trial.point, trial.nth, trial.again))
    at.mkdir()
    tried = lane.play(msgspec.structs.replace(trial, folder=str(at)))
    if tried.trouble:
        return tried, None, [tried.trouble]
    ending = msgspec.json.decode((at / "ending.json").read_bytes(), type=Ending)
    wrong = list(halves(trial, ending, at / "world.db"))
    if not wrong:
        shutil.rmtree(at)
    return tried, ending, wrong


def halves(trial: Trial, ending: Ending, world: Path) -> Iterator[str]:
    """What is wrong with the world outside, given how the run ended; nothing if all is well."""
    db = sqlite3.connect(world)
    sql = "SELECT what, count(*) FROM done WHERE key NOT IN (SELECT of FROM undone) GROUP BY what"
    standing = dict(db.execute(sql).fetchall())
    wanted = dict.fromkeys(DONE, 1) if ending.status == "succeeded" else dict.fromkeys(ending.left, 1)
    if standing != wanted:
        yield f"{ending.status} {ending.code}: {standing} stands instead of {wanted}"
    if twice := db.execute("SELECT of FROM undone GROUP BY of HAVING count(*) > 1").fetchall():
        yield f"undone under more than one key: {twice}"
    if twice := db.execute("SELECT what FROM done GROUP BY what HAVING count(*) > 1").fetchall():
        yield f"done under more than one key: {twice}"
    once = "SELECT what FROM done WHERE what IN ('pay', 'announce') AND calls > 1"
    if twice := db.execute(once).fetchall():
        yield f"once calls that were made twice: {twice}"
    for what, stood in db.execute("SELECT * FROM asked WHERE what <> 'mended'"):
        if (what, stood) != ("undo pay", "pay"):
            yield f"a person was asked about {what} while {stood!r} stood"
    asked = db.execute("SELECT count(*) FROM asked").fetchone()[0]
    if ending.left and not asked:
        yield f"nobody was asked about {ending.left}"
    if trial.nth == 0 and ending.status != "succeeded":
        order = [path.partition(":undo ")[2] for path in ending.undone]
        wanted_order = ["pack", "reserve", "announce", "pay", "hold"]
        if trial.scenario == "stuck":
            wanted_order = ["pack", "reserve", "announce", "hold", "pay"]  # nothing else waits for the person
        if order != [each for each in wanted_order if each in order]:
            yield f"undone in the order {order}"
    db.close()


def kill_at_each(
    lanes: list[Lane], folder: Path, scenario: str, point: Point, stride: int, *, cancel: bool = False
) -> Series:
    """Plays it again and again, killed around its first commit, its second, and so on to its last."""
    _, ending, wrong = play(lanes[0], folder, Trial(scenario, "", point, cancel=cancel))
    assert not wrong, wrong
    assert ending is not None
    series = Series(ending.commits, 1 if point == "before_commit" else stride, stride)

    def work(lane: Lane) -> None:
        while (nth := series.next()) is not None:
            tried, _, wrong = play(lane, folder, Trial(scenario, "", point, nth, cancel))
            series.add(nth, tried, wrong)

    with ThreadPoolExecutor(len(lanes)) as threads:
        list(threads.map(work, lanes))
    return series


@pytest.mark.parametrize(
    ("scenario", "status", "code", "undone"),
    [
        ("well", "succeeded", "", 0),
        ("fails", "failed", "tool_failed", 5),
        ("stumbling", "failed", "tool_failed", 4),
        ("stuck", "failed", "tool_failed", 5),
        ("given_up", "failed", "compensation_failed", 4),
    ],
)
def test_an_undisturbed_play_ends_as_it_should(
    lanes: list[Lane], tmp_path: Path, scenario: str, status: str, code: str, undone: int
) -> None:
    _, ending, wrong = play(lanes[0], tmp_path, Trial(scenario, ""))
    assert not wrong
    assert ending is not None
    assert (ending.status, ending.code, len(ending.undone)) == (status, code, undone)


@strides
@around
@pytest.mark.parametrize("scenario", ["well", "fails", "stumbling", "stuck", "given_up"])
def test_killed_at_every_commit_it_is_never_a_half(
    lanes: list[Lane], folder: Path, count_deaths: CountDeaths, scenario: str, point: Point, stride: int
) -> None:
    series = kill_at_each(lanes, folder, scenario, point, stride)
    count_deaths(series.deaths)
    assert not series.wrong
    assert series.deaths > 24 // stride // 3  # kill points


@strides
@around
@pytest.mark.parametrize("scenario", ["waits", "fails", "stuck"])
def test_cancelled_at_every_commit_it_is_never_a_half(
    lanes: list[Lane], folder: Path, count_deaths: CountDeaths, scenario: str, point: Point, stride: int
) -> None:
    series = kill_at_each(lanes, folder, scenario, point, stride, cancel=True)
    count_deaths(series.deaths)
    assert not series.wrong
    assert series.deaths > 24 // stride // 3  # kill points


def test_on_postgres_it_is_never_a_half_either(
    lanes: list[Lane], tmp_path: Path, count_deaths: CountDeaths, new_database: Callable[..., str]
) -> None:
    store = new_database("saga")
    _, calm, wrong = play(lanes[0], tmp_path, Trial("stuck", "", store=store))
    assert not wrong
    assert calm is not None
    deaths = 0
    for nth in range(2, calm.commits, 5):  # each fifth kill point: another worker takes over only after the lease
        tried, _, wrong = play(lanes[0], tmp_path, Trial("stuck", "", "after_commit", nth, store=store))
        deaths += tried.deaths
        assert not wrong, f"killed after commit {nth}: {wrong}"
    count_deaths(deaths)
    assert deaths > 3


@pytest.mark.parametrize("scenario", ["fails", "stumbling", "stuck", "given_up"])
@pytest.mark.parametrize("nth", [3, 5])
def test_a_saga_whose_every_worker_dies_is_undone_all_the_same(
    lanes: list[Lane], folder: Path, count_deaths: CountDeaths, scenario: str, nth: int
) -> None:
    tried, _, wrong = play(lanes[0], folder, Trial(scenario, "", "after_commit", nth, again=True))
    count_deaths(tried.deaths)
    assert tried.deaths
    assert not wrong
