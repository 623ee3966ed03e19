"""Makes commits slow for who waits for them, so that something else comes in between."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from callboard.domain.event import Event, EventKind
from callboard.store.claims import Claim
from callboard.store.journal import Extras
from callboard.testing import TestRuntime


def hold_intents(
    test: TestRuntime,
    patch: pytest.MonkeyPatch,
    name: str,
    hold: Callable[[], Awaitable[object]] | None = None,
    *,
    times: int = 1_000,
) -> None:
    """Lets whoever journals an intent of that effect wait after its commit, the first so many times: for
    `hold`, or for a moment."""
    journal: Any = test.rt.store.journal
    append = journal.append
    left = times

    async def late(written: Awaitable[None]) -> None:
        await written
        await (asyncio.sleep(0.05) if hold is None else hold())

    def held(claim: Claim, events: Sequence[Event], extras: Extras | None = None) -> Awaitable[None]:
        nonlocal left
        written: Awaitable[None] = append(claim, events, extras)
        if left and events[0].kind is EventKind.INTENT and events[0].path.endswith(f":{name}"):
            left -= 1
            return late(written)
        return written

    patch.setattr(journal, "append", held)
