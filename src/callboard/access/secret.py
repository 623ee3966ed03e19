"""The secret of a deployment, and the keys that are derived from it: one for each purpose."""

import asyncio
import hmac
import os
import stat
from collections.abc import Callable
from hashlib import sha256

from callboard.domain.errors import InputInvalid, StoreUnavailable
from callboard.settings import Settings

LEAST = 32  # characters
_BYTES = 32
_VARIABLE = "CALLBOARD_GATEWAY_SECRET"


class Secret:
    """Found when it is first needed: the settings', else that of a file beside the SQLite store, which is then made.

    Args:
        settings: says whether one was given, and where the store is.
        entropy: returns so many random bytes.
    """

    def __init__(self, settings: Settings, entropy: Callable[[int], bytes]) -> None:
        self._settings = settings
        self._entropy = entropy
        self._found: bytes | None = None
        self._keys: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return "Secret(...)"

    @property
    def expected(self) -> bool:
        """Whether there is one, or will be when it is needed. Nothing is made for this answer."""
        return bool(self._settings.gateway.secret) or self._settings.store.startswith("sqlite:")

    async def key(self, purpose: str) -> bytes:
        """32 bytes for one purpose; those for another tell nothing about them.

        Raises InputInvalid where there is no secret, or a weak one; StoreUnavailable for a file that cannot be used.
        """
        known = self._keys.get(purpose)
        if known is None:
            if self._found is None:
                self._found = await self._find()
            label = f"callboard {purpose} 1".encode()
            known = self._keys[purpose] = hmac.digest(self._found, label, sha256)
        return known

    async def _find(self) -> bytes:
        given = self._settings.gateway.secret
        if given:
            if len(given) < LEAST:
                raise InputInvalid(
                    f"{_VARIABLE} has {len(given)} characters",
                    why=f"who guesses it can make keys; it takes {LEAST} at least",
                    remedy="make one with: openssl rand -hex 32",
                )
            return given.encode()
        if self._settings.file is not None:
            return await asyncio.to_thread(kept, f"{self._settings.file}-secret", self._entropy)
        if self._settings.store.startswith("sqlite:"):
            return self._entropy(_BYTES)  # it ends with the store in memory
        raise InputInvalid(
            f"{_VARIABLE} is not set",
            why=f"keys and log-ins of {self._settings.place} need a secret that all its processes share",
            remedy="make one with: openssl rand -hex 32, and give it to each gateway",
        )


def kept(path: str, entropy: Callable[[int], bytes]) -> bytes:
    """The secret in a file, made when there is none yet.

    Raises StoreUnavailable for a file that others may read, that is another user's, or that holds no secret.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        _make(path, entropy(_BYTES).hex())
    except OSError as error:
        raise _unusable(path, error.strerror or str(error), "make it readable for this user") from error
    try:
        return _read(path)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error), "make it readable for this user") from error


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise _unusable(path, "it is no file", "remove it, and one is made")
        if facts.st_mode & 0o077:
            shown = f"its permissions are {stat.S_IMODE(facts.st_mode):04o}"
            raise _unusable(path, f"{shown}: others on this machine may have read it", f"chmod 600 {path}")
        if facts.st_uid not in (os.geteuid(), 0):
            raise _unusable(path, "it belongs to another user", "run as that user")
        text = file.read(1_024).strip()
    if len(text) < LEAST:
        raise _unusable(path, "it holds no secret", "bring it back from a backup; without it, remove it: keys end")
    return text


def _make(path: str, text: str) -> None:
    """Written whole before it has its name, so that a process which comes second never reads half of it."""
    making = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
    try:
        descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(descriptor)
            os.link(making, path)
        except FileExistsError:  # another process was first: its secret counts
            pass
        finally:
            os.unlink(making)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error), f"make its folder writable, or set {_VARIABLE}") from error


def _unusable(path: str, why: str, remedy: str) -> StoreUnavailable:
    return StoreUnavailable(f"the secret {path} cannot be used", why=why, remedy=remedy)
