"""A program that pays and may die in the middle of it: `python -m tests.faults.till STORE LEDGER [before|after]`."""

import asyncio
import sys
from pathlib import Path

import callboard as cb
from callboard.resilience.faults import Faults
from callboard.settings import EngineSettings, Settings
from callboard.testing import FaultRule

app = cb.App("till")
LEDGER = Path(sys.argv[2]) if len(sys.argv) > 2 else Path()


def paid() -> list[str]:
    """The keys under which was paid, in order."""
    return LEDGER.read_text().split() if LEDGER.exists() else []


async def happened(key: str) -> cb.Applied | cb.NotApplied:
    """Asks the ledger."""
    return cb.Applied("paid") if key in paid() else cb.NotApplied()


@app.tool(effect="once", reconcile=happened, timeout=0.5)
async def pay(cents: int, key: cb.IdempotencyKey) -> str:
    """Pays, and writes so into the ledger: a second time too, if it is asked to."""
    with LEDGER.open("a") as ledger:
        ledger.write(f"{key}\n")
    return "paid"


@app.flow
async def settle(ctx: cb.Context, cents: int) -> str:
    """Pays once."""
    return str(await pay.call(ctx, cents=cents))


async def main(store: str, death: str) -> None:
    """Settles a bill; where it is to die, in the call of the tool."""
    rules = [FaultRule(kind="kill", target="pay", nth=1, after=int(death == "after"))] if death else []  # type: ignore[arg-type]
    engine = EngineSettings(lease=1.0, beat=0.2, window=0.5, sweep=0.1)
    async with cb.open(app, settings=Settings(store=store, engine=engine), faults=Faults(rules)) as rt:
        print(await rt.run(settle, 5, key="bill"))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], "".join(sys.argv[3:])))
