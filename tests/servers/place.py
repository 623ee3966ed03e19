"""A folder in which one server lives, for as long as somebody holds it."""

import contextlib
import fcntl
import os
import pwd
import random
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Self

from tests.servers import keeper


class Gone(Exception):
    """The folder's last holder has let go of it: the server in it has ended or is about to."""


class Place:
    """One server's folder. Held until `close` or until this process ends, however it ends."""

    def __init__(self, folder: Path, held: IO[bytes]) -> None:
        self.folder = folder
        self._held = held
        self._keeper: subprocess.Popen[bytes] | None = None

    @classmethod
    def make(cls, kind: str) -> Self:
        """A new folder that the servers' user can enter, with a keeper who cleans up after its last holder."""
        folder = Path(tempfile.mkdtemp(prefix=f"callboard-{kind}-", dir=_reachable_folder())).resolve()
        folder.chmod(0o711)
        (folder / keeper.HELD).touch(0o600)
        made = cls.hold(folder)
        made._keeper = subprocess.Popen(
            # -P: the folder of keeper.py must not hide the library `redis` from what it imports.
            [sys.executable, "-P", keeper.__file__, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return made

    @classmethod
    def hold(cls, folder: Path) -> Self:
        """Joins the holders of a folder, or raises `Gone`."""
        try:
            held = (folder / keeper.HELD).open("rb")
        except FileNotFoundError as gone:
            raise Gone(folder) from gone
        try:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
            if not (folder / keeper.HELD).exists():  # removed between opening and locking
                raise Gone(folder)
        except (BlockingIOError, Gone) as gone:
            held.close()
            raise Gone(folder) from gone
        place = cls(folder, held)
        # A forked child shares the lock and may live longer than the tests do.
        os.register_at_fork(after_in_child=lambda: _close(held))
        return place

    def close(self, *, alone: bool) -> None:
        """Lets go. The keeper does the rest once nobody else holds it; if we were `alone`, waits for that."""
        _close(self._held)
        if self._keeper is not None:
            if alone:
                self._keeper.wait()
            else:
                self._keeper.returncode = 0  # it may outlive us: do not complain about that


def server_user() -> pwd.struct_passwd | None:
    """Whom servers run as when we are root, which PostgreSQL refuses to run as; otherwise `None`: ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError(
        "root cannot run PostgreSQL, and there is no user `postgres` or `nobody`; run the tests as a user"
    )


def spawn(command: list[str], cwd: Path, log: Path) -> subprocess.Popen[bytes]:
    """Starts a server as `server_user`, away from our terminal's signals, with its output in a file."""
    user = server_user()
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else [],
        )


def give(path: Path, mode: int) -> None:
    """Makes the server's user the owner of a file or folder."""
    path.chmod(mode)
    if (user := server_user()) is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def free_port() -> int:
    """A port that nobody listens on.

    It is below those that the kernel gives to outgoing connections, so that a stopped server finds it free again.
    """
    while True:
        port = random.randint(15_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


def last_words(log: Path) -> str:
    """The end of a server's output, for the message that says why it did not start."""
    return log.read_text(errors="replace")[-2_000:] if log.exists() else "(no output)"


def copy_from_wheel(source: Path, target: Path) -> Path:
    """A copy of a folder of an installed package, for a user who may not be able to enter the environment.

    The libraries that its programs need lie beside the package, and are looked for there: at the same distance.
    """
    package = source.parent
    libraries = package.with_name(f"{package.name}.libs")
    ignore = shutil.ignore_patterns("*.a", "include")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    return Path(shutil.copytree(source, target / package.name / source.name, symlinks=True, ignore=ignore))


def _reachable_folder() -> Path:
    """The temporary folder, or the system's if that one is closed to the server's user."""
    for folder in (Path(tempfile.gettempdir()).resolve(), Path("/tmp"), Path("/var/tmp")):
        if server_user() is None or all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents)):
            return folder
    raise RuntimeError("no temporary folder can be entered by the user that servers run as; set TMPDIR to one")


def _close(held: IO[bytes]) -> None:
    with contextlib.suppress(OSError):
        held.close()
