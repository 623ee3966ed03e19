"""Stages to play on, and at the end the number of times that a process was killed."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.troupe import Troupe

_MEMORY = Path("/dev/shm")
_PROPERTY = "processes killed"


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """Where stores and ledgers of plays are kept: in memory where there is such a place.

    SIGKILL takes nothing that the kernel has, so the disk adds time to these tests and nothing else.
    """
    made = Path(tempfile.mkdtemp(prefix="callboard-crash-", dir=_MEMORY if _MEMORY.is_dir() else None))
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="session")
def troupe(folder: Path) -> Iterator[Troupe]:
    """Plays scenarios, several at a time."""
    with Troupe(folder) as made:
        yield made


@pytest.fixture
def count_deaths(record_property: Callable[[str, object], None]) -> Callable[[int], None]:
    """Takes the number of processes that a test killed."""
    return lambda deaths: record_property(_PROPERTY, deaths)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how often processes were killed."""
    reports = [r for outcome in ("passed", "failed") for r in terminalreporter.getreports(outcome)]
    deaths = sum(value for r in reports for name, value in r.user_properties if name == _PROPERTY)
    if deaths:
        terminalreporter.write_line(f"processes killed around a commit and resumed: {deaths}")
