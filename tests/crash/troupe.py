"""Plays many orders side by side, each lane with a fork server of its own."""

import itertools
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import msgspec

from tests.crash.judge import differences, report_of
from tests.crash.stage import Order, Played, Point

ROOT = Path(__file__).resolve().parents[2]
LANES = 4  # more than there are cores: most of a play is waiting


class Lane:
    """One fork server."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.crash.server"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def play(self, order: Order) -> Played:
        """Plays one order to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=Played)

    def close(self) -> None:
        """Ends the server."""
        self._process.communicate()


class Series:
    """One kill point after the other, or each so-manieth, until a process has lived past its last commit."""

    def __init__(self, least: int, begin: int = 1, stride: int = 1) -> None:
        self._points = itertools.count(begin, stride)
        self._least = least
        self._survived = False
        self._lock = threading.Lock()
        self.deaths = 0
        self.wrong: list[str] = []

    def next(self) -> int | None:
        """The next commit to die at, or None."""
        with self._lock:
            point = next(self._points)
            return None if self._survived and point > self._least else point

    def add(self, point: int, played: Played, wrong: list[str]) -> None:
        """Counts what came of it."""
        with self._lock:
            self.deaths += played.deaths
            self._survived = self._survived or not played.deaths
            self.wrong += [f"killed around commit {point}: {what}" for what in wrong]
            if self.wrong:
                self._survived, self._least = True, 0  # one failing point says enough


class Troupe:
    """All lanes, and the undisturbed plays that the others are compared with."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._calm: dict[str, Path] = {}
        self._lanes: list[Lane] = []

    def __enter__(self) -> Self:
        self._lanes = [Lane() for _ in range(LANES)]
        return self

    def __exit__(self, *exc: object) -> None:
        for lane in self._lanes:
            lane.close()

    def calm(self, scenario: str) -> Path:
        """The folder of the scenario's undisturbed play."""
        if scenario not in self._calm:
            folder = self._new(f"{scenario}-calm")
            played = self._lanes[0].play(Order(scenario, str(folder)))
            assert not played.trouble, played.trouble
            self._calm[scenario] = folder
        return self._calm[scenario]

    def kill_at_each(self, scenario: str, point: Point, *, begin: int = 1, stride: int = 1) -> Series:
        """Plays the scenario again and again, killed around its first commit, its second, and so on to its last; or
        only around each so-manieth, from one on."""
        calm = self.calm(scenario)
        series = Series(report_of(calm).commits, begin, stride)

        def work(lane: Lane) -> None:
            while (nth := series.next()) is not None:
                series.add(nth, *self._play(lane, calm, scenario=scenario, point=point, nth=nth))

        with ThreadPoolExecutor(LANES) as threads:
            list(threads.map(work, self._lanes))
        return series

    def kill_again_and_again(self, scenario: str, nth: int) -> tuple[Played, list[str]]:
        """Plays the scenario with processes that each die when they have journaled so many times, until one has no
        more that much to do."""
        return self._play(self._lanes[0], self.calm(scenario), scenario=scenario, nth=nth, again=True)

    def _play(self, lane: Lane, calm: Path, **order: Any) -> tuple[Played, list[str]]:
        folder = self._new("-".join(map(str, order.values())))
        played = lane.play(Order(folder=str(folder), **order))
        wrong = [played.trouble] if played.trouble else list(differences(calm, folder))
        if not wrong:
            shutil.rmtree(folder)  # a play that went wrong stays for who wants to look, until the session ends
        return played, wrong

    def _new(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir()
        return folder
