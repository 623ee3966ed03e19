"""What else there is to see after the demo: runs that fail, wait, are cancelled or end in the dead letters, each once.

What goes wrong here goes wrong on order: faults strike calls of the shop and of the model, as `callboard chaos` orders
them. The runs are told apart from the demo's 240 by the label `scene`.
"""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

import callboard
from callboard import RunStatus, Runtime
from callboard.domain.errors import NotFound
from callboard.resilience.faults import Faults
from callboard.settings import from_environment
from callboard.testing import FaultKind, FaultRule
from examples.retail import app, concierge, handle, refund_with_approval

BUDGETS = (("tenant", "default", "2.00"), ("agent", "clerk", "1.00"), ("agent", "assessor", "0.05"))
LABEL = "scene"
_PATIENCE = 30.0
_LARGE = {"order_id": "#W7841025", "item_ids": ["7040455469", "7040455469"], "payment_method_id": "paypal_4688317"}
_SMALL = {"order_id": "#W9709492", "item_ids": ["2411758002"], "payment_method_id": "credit_card_2420047"}
_TALK = ("Where is my order #W7841025?", "And what did I pay for it?")
_OUTAGE = FaultRule(kind=FaultKind.UNAVAILABLE, upstream="shop", target="return_delivered_order_items")
_BUSY = FaultRule(kind=FaultKind.RATE_LIMITED, target="scripted", nth=1, retry_after=0.2)
_DEADLY = FaultRule(kind=FaultKind.KILL, upstream="shop", target="get_order_details")


async def set_budgets(rt: Runtime) -> None:
    """Limits of a day, which the demo fills to a part."""
    desk = rt.desk(rt.access.local("demo"), source="demo")
    for scope, name, usd in BUDGETS:
        await desk.budgets.set(scope, name, usd=usd, period="day", warn=[0.8])


async def perform(store: str, task: dict[str, Any], log: Path) -> list[tuple[str, RunStatus, str]]:
    """Plays all scenes on a store, of which nothing else is left to do.

    Args:
        store: its URL.
        task: one of the demo's, for the run whose model is busy at first.
        log: where the process writes that is going to die.

    Returns of each its run, how that stands, and what there is to see. Raises TimeoutError when a run does not come to
    what it is meant to show.
    """
    settings = msgspec.structs.replace(from_environment(), store=store)
    async with callboard.open(app, settings=settings, worker=False) as rt:
        deadly = await _start(rt, "deadly", refund_with_approval, _SMALL | {"reason": "it leaks"})
    await asyncio.to_thread(_die, store, log)
    # One death is enough here, where three workers in a row would have to die on it.
    settings = msgspec.structs.replace(settings, engine=msgspec.structs.replace(settings.engine, max_deaths=1))
    async with callboard.open(app, settings=settings, faults=Faults((_OUTAGE, _BUSY))) as rt:
        outage = await _start(rt, "outage", refund_with_approval, _SMALL | {"reason": "too small"})
        approval = await _start(rt, "approval", refund_with_approval, _LARGE | {"reason": "it never lit"})
        withdrawn = await _start(rt, "withdrawn", refund_with_approval, _LARGE | {"reason": "found one nearby"})
        busy = await _start(rt, "busy", handle, task)
        async with asyncio.timeout(_PATIENCE):
            talk = await _talk(rt)
            await _until(rt, withdrawn, RunStatus.WAITING)
            await rt.desk(rt.access.local("demo"), source="demo").runs.cancel(withdrawn, "the customer keeps it")
            return [
                await _until(
                    rt, outage, RunStatus.FAILED, "the shop was down when it was to refund; see its four attempts"
                ),
                await _until(rt, deadly, RunStatus.DEAD, "its worker died on it; requeue it from the dead letters"),
                await _until(
                    rt, approval, RunStatus.WAITING, "a refund of 254.30 dollars; approve, change or reject it"
                ),
                await _until(rt, withdrawn, RunStatus.CANCELLED, "the same, cancelled while it waited"),
                await _until(rt, busy, RunStatus.SUCCEEDED, "its model was rate limited at first, and was asked again"),
                await _until(rt, talk, RunStatus.SUCCEEDED, "the second turn of a conversation"),
            ]


async def _start(rt: Runtime, scene: str, flow: Any, value: dict[str, Any]) -> str:
    return (await rt.start(flow, value, key=f"scene-{scene}", labels={LABEL: scene})).id


async def _talk(rt: Runtime) -> str:
    """A conversation of two turns; the second one's run."""
    session = await rt.sessions.create("default", concierge.flow, session_id="scene-talk", labels={LABEL: "talk"})
    turn = ""
    for words in _TALK:
        turn = (await rt.sessions.send("default", session.id, words, labels={LABEL: "talk"}, by="customer")).id
        await _until(rt, turn, RunStatus.SUCCEEDED)
    return turn


async def _until(rt: Runtime, run_id: str, status: RunStatus, about: str = "") -> tuple[str, RunStatus, str]:
    while True:
        try:
            run = await rt.store.runs.get("default", run_id)
        except NotFound:  # a turn's run is started a moment after its message was kept
            run = None
        if run is not None and run.status is status:
            return run_id, status, about
        await asyncio.sleep(0.02)


def _die(store: str, log: Path) -> None:
    """A worker in a process of its own, until the fault kills it."""
    with log.open("ab") as file:
        command = [sys.executable, "-m", "examples.retail.scenes", store]
        ended = subprocess.run(command, check=False, stdout=file, stderr=file, timeout=_PATIENCE)
    if ended.returncode != -signal.SIGKILL:
        raise RuntimeError(f"a worker that was to be killed ended with {ended.returncode}; see {log}")


async def _work_until_killed(store: str) -> None:
    async with callboard.open(app, store, faults=Faults((_DEADLY,))):
        await asyncio.sleep(_PATIENCE)


if __name__ == "__main__":
    asyncio.run(_work_until_killed(sys.argv[1]))
