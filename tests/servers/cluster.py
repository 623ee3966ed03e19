"""A PostgreSQL of our own: made, started and stopped; no client's business."""

import contextlib
import secrets
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from tests.servers import keeper
from tests.servers.binaries import system_postgres, wheel_postgres
from tests.servers.card import Card, DidNotStart
from tests.servers.place import Place, copy_from_wheel, free_port, give, last_words, server_user, spawn

How = Literal["fast", "immediate", "kill"]

_START = 60.0  # seconds until a server must be ready, also after a crash
_STOP = 30.0
_PORTS = 5  # tries, if somebody else takes the port between our look and the start
_FAST = {"fsync": "off", "full_page_writes": "off"}
_SIGNALS: Mapping[How, signal.Signals] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class Cluster:
    """One PostgreSQL in a place of its own. Its name and password are random: no other server has them."""

    def __init__(self, place: Place, *, durable: bool, settings: Mapping[str, str]) -> None:
        self._place = place
        self._process: subprocess.Popen[bytes] | None = None
        self._log = place.folder / "log"
        self._data = place.folder / "data"
        self._started = place.folder / "started"
        self._settings = {**({} if durable else _FAST), **settings}
        self._bin = self._programs()
        self.card = Card(str(place.folder), free_port(), f"callboard-{secrets.token_hex(8)}", secrets.token_hex(16))
        self._make()

    def start(self) -> None:
        """Starts it and waits until it takes connections. Only the first start may choose another port."""
        for _ in range(_PORTS):
            said = self._log.stat().st_size if self._log.exists() else 0
            self._process = spawn(self._command(), self._data, self._log)
            try:
                return self._wait_until_ready()
            except DidNotStart:
                self._kill_all()
                words = self._log.read_bytes()[said:]
                if b"could not bind" not in words or self._started.exists():
                    raise
                self.card = msgspec.structs.replace(self.card, port=free_port())
        raise DidNotStart(f"PostgreSQL found no free port in {_PORTS} tries")

    def stop(self, how: How) -> None:
        """Stops it and waits until all of its processes are gone."""
        if self._process is None:
            return
        if how == "kill":
            self._kill_all()
        else:
            self._process.send_signal(_SIGNALS[how])
            self.signal_all(signal.SIGCONT)
            self._process.wait(_STOP)
            if not keeper.wait_until_empty(self._place.folder, _STOP):
                self._kill_all()
        self._process = None

    def signal_all(self, number: signal.Signals) -> None:
        """Sends a signal to the server and to every process that serves a client."""
        for process in keeper.living_in(self._place.folder):
            keeper.send(process, number)

    def _programs(self) -> Path:
        if (found := system_postgres()) is not None:
            return found
        wheel = wheel_postgres()
        if server_user() is None:
            return wheel / "bin"
        # The environment may lie in a home folder that the server's user cannot enter.
        return copy_from_wheel(wheel, self._place.folder / "wheel") / "bin"

    def _make(self) -> None:
        self._data.mkdir()
        give(self._data, 0o700)
        secret = self._place.folder / "secret"
        secret.touch(0o600)
        give(secret, 0o600)
        secret.write_text(self.card.password)
        initdb = [str(self._bin / "initdb"), "--pgdata", str(self._data), "--username", "callboard", "--no-sync"]
        initdb += ["--auth", "scram-sha-256", "--pwfile", str(secret), "--no-locale", "--encoding", "UTF8"]
        try:
            failed = spawn(initdb, self._place.folder, self._log).wait(_START) != 0
        finally:
            secret.unlink()
        if failed:
            raise DidNotStart(f"initdb failed:\n{last_words(self._log)}")

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.card.port),
            "unix_socket_directories": "",
            "cluster_name": self.card.name,
            # In the folder, so that a killed server leaves nothing in the machine's shared memory.
            "dynamic_shared_memory_type": "mmap",
            "ssl": "off",
            **self._settings,
        }
        command = [str(self._bin / "postgres"), "-D", str(self._data)]
        return command + [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        end = time.monotonic() + _START
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            if self._says_ready(self._process.pid):
                self._started.touch()
                return
            time.sleep(0.02)
        raise DidNotStart(f"PostgreSQL did not start:\n{last_words(self._log)}")

    def _says_ready(self, pid: int) -> bool:
        """Whether the server's own note names our child, and says that it is ready: lines 1 and 8 of postmaster.pid."""
        try:
            note = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(note) >= 8 and note[0] == str(pid) and note[7].strip() == "ready"

    def _kill_all(self) -> None:
        self.signal_all(signal.SIGKILL)
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait(_STOP)
        keeper.wait_until_empty(self._place.folder, _STOP)
