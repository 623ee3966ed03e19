"""`callboard up` looks at what a deployment needs before it serves, logs for machines, and leaves in order."""

import json
import re
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from typing import IO

import httpx2

from tests.acceptance.cli.desk import COMMAND, ECHO, Desk


def status(address: str, path: str) -> int:
    """What is answered; 0 for nothing."""
    try:
        return httpx2.get(f"{address}{path}", timeout=10).status_code
    except httpx2.TransportError:
        return 0


def _draining(address: str) -> bool:
    return status(address, "/readyz") == 503


def begin(desk: Desk, log: IO[str], grace: float) -> "subprocess.Popen[bytes]":
    command = [*COMMAND, "up", "desk", "--port", "0", "--grace", str(grace)]
    return subprocess.Popen(command, cwd=desk.folder, env=desk.environment, stderr=log)


def test_it_says_what_is_doubtful_shows_one_key_and_drains(desk: Desk) -> None:
    desk.app(ECHO)
    log = desk.folder / "log"
    shown = []
    for life in range(2):
        desk.environment["CALLBOARD_GATEWAY_PUBLIC_URL"] = f"{('http', 'https')[life]}://agents.example.com"
        with log.open("w") as file, begin(desk, file, (5, 0)[life]) as process:
            desk.until(lambda: re.search(r"http://127\.0\.0\.1:\d+ on ", log.read_text()))
            found = re.search(r"http://127\.0\.0\.1:\d+(?= on )", log.read_text())
            assert found is not None
            assert status(found[0], "/readyz") == 200
            assert status(found[0], "/v1/runs") == 401
            process.send_signal(signal.SIGTERM)
            if life == 0:  # the grace is long enough to be seen
                desk.until(partial(_draining, found[0]))
                assert status(found[0], "/livez") == 200
            assert process.wait(60) == 0
        shown.append(re.findall(r"^cb_\w+$", log.read_text(), re.MULTILINE))
        lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
        warnings = [line["message"] for line in lines if line["level"] == "warning"]
        assert any("is no https address" in warning for warning in warnings) == (life == 0)
        assert not any("cb_" in line["message"] for line in lines)
    assert [len(keys) for keys in shown] == [1, 0]


def test_without_what_it_needs_it_does_not_start(desk: Desk, new_database: Callable[..., str]) -> None:
    desk.app(ECHO)
    store = new_database("up")
    err = desk("up", "desk", "--store", store, "--port", "0", expect=2).stderr
    assert "CALLBOARD_GATEWAY_SECRET is not set" in err
    assert "openssl rand -hex 32" in err
