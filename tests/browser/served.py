"""An app served as `callboard dev` serves it, in processes of its own, for a browser to look at."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_START, _STOP = 60.0, 30.0
_LINK = re.compile(r"(http://\S+?)/console/enter\?token=\S+")
_KEY = re.compile(r"with the key (cb_\S+)")


class Served:
    """A gateway, a console and a worker on one SQLite file.

    Attributes:
        address: such as `http://127.0.0.1:41234`, without a slash at the end.
        link: lets in who opens it first; good once.
        key: an admin's key for the API; empty if the store had one before.
        store: the store's URL.
        folder: where the store and the log are.
    """

    def __init__(
        self,
        folder: Path,
        target: str = "examples.retail",
        *options: str,
        reload: bool = False,
        home: Path = ROOT,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.store = f"sqlite:///{folder}/callboard.db"
        self._log = folder / "dev.log"
        known = {name: value for name, value in os.environ.items() if not name.startswith("CALLBOARD_")}
        command = [sys.executable, "-m", "callboard.apps.cli", "dev", target, "--store", self.store, "--port", "0"]
        command.append("--reload" if reload else "--no-reload")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, *options],
                cwd=home,
                env=known | (environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            said = self.wait_for("API: ")
            link = _LINK.search(said)
            assert link is not None, said
            self.link, self.address = link[0], link[1]
            self.key = key[1] if (key := _KEY.search(said)) else ""
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The process that was started: the supervisor of the one that serves."""
        return self._process.pid

    @property
    def said(self) -> str:
        """All that it printed."""
        return self._log.read_text("utf-8")

    def wait_for(self, text: str, after: int = 0) -> str:
        """Waits until it has printed this, beyond so many characters; returns all that it printed."""
        end = time.monotonic() + _START
        while text not in (said := self.said)[after:]:
            assert self._process.poll() is None, f"it ended:\n{said}"
            assert time.monotonic() < end, f"it never said {text!r}:\n{said}"
            time.sleep(0.05)
        return said

    def close(self, how: signal.Signals = signal.SIGINT) -> int:
        """Ends it and returns its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            return self._process.wait(_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_STOP)
            raise
