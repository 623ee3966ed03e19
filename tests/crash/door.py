"""The people outside: they send the signals that a run waits for and answer its questions, each once.

They live in a process of their own, which is not killed, and so they may speak while no worker lives.
"""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import callboard as cb
from callboard.domain.event import EventKind
from callboard.runtime import ApprovalStatus, Runtime, build
from callboard.store.approvals import Approval
from tests.crash.scenario import EARLY, SIGNALS
from tests.crash.shop import LEDGER, app
from tests.crash.stage import settings

_LOOK = 0.01  # seconds between looks at the store


class Door:
    """Looks at the store again and again, and does what is wanted of people."""

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt
        self._tenant = rt.settings.tenant
        self._seen: dict[str, int] = {}
        self._sent: dict[tuple[str, str], int] = {}
        self._answered: set[str] = set()

    async def attend(self) -> None:
        """Never returns."""
        while True:
            with contextlib.suppress(cb.CallboardError):  # the run may have ended meanwhile
                for run in await self._rt.store.runs.find(self._tenant):
                    await self._read(run.id)
            for approval in await self._rt.store.approvals.find(self._tenant, status=ApprovalStatus.OPEN):
                if approval.id not in self._answered:
                    self._answered.add(approval.id)
                    await self._answer(approval)
            await asyncio.sleep(_LOOK)

    async def _read(self, run_id: str) -> None:
        handle = self._rt.handle(run_id)
        if run_id not in self._seen:
            self._seen[run_id] = -1
            await handle.signal(*EARLY)
        for event in await self._rt.store.journal.read(self._tenant, run_id, after=self._seen[run_id]):
            self._seen[run_id] = event.seq
            name = event.value().get("signal") if event.kind is EventKind.INTENT else None
            if name in SIGNALS:
                place = (run_id, name)
                sent = self._sent.get(place, 0)
                self._sent[place] = sent + 1
                await handle.signal(name, SIGNALS[name][sent])

    async def _answer(self, approval: Approval) -> None:
        status, value = _settlement(approval) if approval.kind == "settle" else _decision(approval.proposal)
        if status is not None:
            await self._rt.commands.decide(self._tenant, approval.id, status, value=value, by="Mia")


def attend(folder: Path) -> None:
    """Opens the store and attends until the process is ended."""

    async def main() -> None:
        LEDGER.open(folder / "ledger", 0)
        rt = build(app, settings(folder), worker=False)
        await rt.open()
        await Door(rt).attend()

    asyncio.run(main())


def _decision(proposal: dict[str, Any]) -> tuple[ApprovalStatus | None, Any]:
    match proposal["answer"]:
        case "approve":
            return ApprovalStatus.APPROVED, None
        case "edit":
            return ApprovalStatus.EDITED, {"answer": "edited"}
        case "reject":
            return ApprovalStatus.REJECTED, None
        case _:
            return None, None


def _settlement(approval: Approval) -> tuple[ApprovalStatus, Any]:
    """A person looks outside: what happened is entered, what did not is to be done."""
    entry = LEDGER.found(approval.proposal["key"])
    return (ApprovalStatus.APPROVED, None) if entry is None else (ApprovalStatus.EDITED, entry.result)
