"""Records the journals of this version: `python -m tests.replay.record`. A version's journals are written once."""

import asyncio
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from callboard.domain.event import EventKind
from callboard.runtime import ApprovalStatus
from callboard.store.approvals import Approval
from callboard.testing import TestRuntime, runtime
from tests.replay.flows import EXECUTED, app
from tests.replay.journal_file import FOLDER, write

# One run for each; their children are recorded with them.
INPUTS: dict[str, Any] = {
    "values": {"customer": "Łucja"},
    "parallel": None,
    "letters": None,
    "tools": None,
    "family": None,
    "cancelled": None,
    "clerk": "Is it good?",
    "tired": "Is it good?",
}
_SIGNALS = {"go": ["first", {"second": 2}]}
_TENANT = "default"


async def record(folder: Path) -> int:
    """Runs each flow to its end and writes what became of it; returns how many journals there are."""
    count = 0
    for name, value in INPUTS.items():
        EXECUTED.clear()
        async with runtime(app) as test:
            await test.start(name, value)
            await play(test)
            for child, run in enumerate(reversed(await test.rt.store.runs.find(_TENANT))):
                events = await test.rt.store.journal.read(_TENANT, run.id)
                write(folder / (f"{name}.jsonl" if child == 0 else f"{name}-{child}-{run.flow}.jsonl"), run, events)
                count += 1
    return count


async def play(test: TestRuntime) -> None:
    """Sends what is waited for, answers what is asked, and winds the clock until all runs have ended."""
    sent: set[tuple[str, str]] = set()
    while True:
        await test.settle()
        if all(run.status.ended for run in await test.rt.store.runs.find(_TENANT)):
            return
        asked = await test.rt.store.approvals.find(_TENANT, status=ApprovalStatus.OPEN)
        if [await _answer(test, each) for each in asked if each.kind == "settle" or each.proposal["answer"]]:
            continue
        if not await _send(test, sent):
            due = min(run.wake_at for run in await test.rt.store.runs.find(_TENANT) if run.wake_at is not None)
            await test.wind(max(0.0, due - test.clock.now()))


async def _send(test: TestRuntime, sent: set[tuple[str, str]]) -> bool:
    for run in await test.rt.store.runs.find(_TENANT):
        for event in await test.rt.store.journal.read(_TENANT, run.id):
            name = event.value().get("signal") if event.kind is EventKind.INTENT else None
            if name is None or name == "never" or (run.id, event.path) in sent:
                continue
            sent.add((run.id, event.path))
            handle = test.rt.handle(run.id)
            if name == "cancel me":
                await handle.cancel("nobody wants it")
            else:
                await handle.signal(name, _SIGNALS[name][len(sent) - 1])
            return True
    return False


async def _answer(test: TestRuntime, approval: Approval) -> None:
    value: object
    if approval.kind == "settle":
        status, value = ApprovalStatus.EDITED, "it was heard"
    else:
        status = {
            "approve": ApprovalStatus.APPROVED, "edit": ApprovalStatus.EDITED, "reject": ApprovalStatus.REJECTED,
        }[approval.proposal["answer"]]  # fmt: skip
        value = {"answer": "edited"}
    await test.rt.commands.decide(_TENANT, approval.id, status, value=value, by="Mia", note="as agreed")


if __name__ == "__main__":
    target = FOLDER / version("callboard")
    if target.exists():
        sys.exit(f"{target.name} is recorded already; what was released is not recorded anew")
    target.mkdir(parents=True)
    print(f"{asyncio.run(record(target))} journals of version {target.name}")
