"""The browser is installed where that is possible, once, and its absence stops nothing."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.servers import browser


@pytest.mark.parametrize(
    ("root", "codes", "brings", "commands", "said"),
    [
        (True, [0, 0], True, ["update", "install"], "installed Chromium"),
        (True, [100, 0], True, ["update", "install"], "installed Chromium"),  # lists of before are good enough
        (True, [0, 100], False, ["update", "install"], "ended with 100"),
        (True, [0, 0], False, ["update", "install"], "brought none"),
        (False, [], False, [], "are skipped"),
    ],
)
def test_it_is_installed_where_that_can_be(
    monkeypatch: pytest.MonkeyPatch, root: bool, codes: list[int], brings: bool, commands: list[str], said: str
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    ran: list[str] = []

    def run(command: Sequence[str], seconds: float) -> int:
        assert 0 < seconds <= 300
        ran.append(next(word for word in command if word in ("update", "install")))
        return codes[len(ran) - 1]

    def found() -> Path | None:
        return Path("/usr/bin/chromium") if brings and "install" in ran else None

    assert said in browser.ensure(found, run, root)
    assert ran == commands


def test_nothing_is_done_where_there_is_one() -> None:
    assert browser.ensure(lambda: Path("/usr/bin/chromium"), lambda *_: 1, True) == ""
