"""Answers of models that may be given again to the same question."""

from typing import Protocol

import msgspec

from callboard.domain.errors import InputInvalid

LARGEST = 1024 * 1024  # bytes of one answer
KEPT = 30 * 86_400.0  # seconds after which workers remove an answer, whoever may still want it


class Answer(msgspec.Struct, frozen=True):
    """What was put under a key, and when (epoch seconds)."""

    body: bytes
    at: float


class Answers(Protocol):
    """Keeps one answer for each tenant and key. No tenant sees another's."""

    async def get(self, tenant: str, key: bytes, since: float) -> Answer | None:
        """The answer under a key, if it is not older than `since` (epoch seconds)."""
        ...

    async def put(self, tenant: str, key: bytes, body: bytes, at: float) -> None:
        """Keeps an answer, in place of an older one. Raises InputInvalid when it is larger than `LARGEST`."""
        ...

    async def forget(self, tenant: str | None, before: float) -> int:
        """Removes answers older than that; of all tenants for None, which is for workers. Returns how many."""
        ...


def check_size(body: bytes) -> None:
    """Refuses an answer that is too large to keep. Raises InputInvalid."""
    if len(body) > LARGEST:
        raise InputInvalid(
            f"an answer of {len(body):,} bytes is too large to be kept, the limit is {LARGEST:,}",
            remedy="ask again next time",
        )
