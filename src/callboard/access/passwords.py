"""Passwords: hashed slowly, in a thread, a few at a time."""

import asyncio
from typing import TYPE_CHECKING, Any

from callboard.domain.errors import InputInvalid

if TYPE_CHECKING:
    from argon2 import PasswordHasher

_LEAST, _MOST = 12, 1_024  # characters
_AT_ONCE = 2  # each takes 64 MiB and some 50 ms of a core
_NOBODY = "nobody has this password"


class Passwords:
    """Argon2id with the parameters that RFC 9106 recommends where memory is short; `hasher` stands in for them."""

    def __init__(self, hasher: "PasswordHasher | None" = None) -> None:
        self._hasher = hasher
        self._nobody: str | None = None
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def hashed(self, password: str) -> str:
        """What is stored of a password. Raises InputInvalid for one that is too short or too long."""
        if not _LEAST <= len(password) <= _MOST:
            raise InputInvalid(
                f"the password has {len(password)} characters", remedy=f"choose one of {_LEAST} to {_MOST:,}"
            )
        return str(await self._in_turn(self._known().hash, password))

    async def fits(self, password: str, stored: str | None) -> bool:
        """Whether it is the password. It takes as long where there is none."""
        from argon2.exceptions import InvalidHashError, VerificationError

        hasher = self._known()
        if self._nobody is None:
            self._nobody = await self._in_turn(hasher.hash, _NOBODY)
        tried = self._nobody if stored is None else stored
        try:
            await self._in_turn(hasher.verify, tried, password[:_MOST])
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None and len(password) <= _MOST

    def aged(self, stored: str) -> bool:
        """Whether it was hashed with other parameters than are used now."""
        return self._known().check_needs_rehash(stored)

    async def _in_turn(self, work: Any, *values: str) -> Any:
        async with self._turns:
            return await asyncio.to_thread(work, *values)

    def _known(self) -> "PasswordHasher":
        if self._hasher is None:
            try:
                from argon2 import PasswordHasher
                from argon2.profiles import RFC_9106_LOW_MEMORY
            except ModuleNotFoundError as error:
                raise InputInvalid(
                    f"people need a library that is not installed: {error.name}",
                    remedy='pip install "callboard[gateway]"',
                ) from error
            self._hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        return self._hasher
