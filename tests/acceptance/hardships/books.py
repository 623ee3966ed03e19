"""What a run cost, read from its journal by rules of our own, and held against its row and its accounts."""

from typing import Any

import msgspec

import callboard as cb
from callboard.domain.budget import Amount, Balance
from callboard.domain.event import Event, EventKind
from callboard.domain.usage import NOTHING, Usage
from callboard.models import ModelResponse
from callboard.testing import TestRuntime

MODEL = ":model"


def told(journal: list[Event]) -> Usage:
    """What the calls of models in a journal cost.

    An intent stands for its reservation until something says what became of it: an answer or a failed attempt names
    what it took; all else that ends it, and an intent anew, charges it in full.
    """
    standing: dict[str, Usage] = {}
    sums: dict[str, Usage] = {}
    for event in journal:
        path = event.path
        if not path.endswith(MODEL):
            continue
        held = standing.pop(path, NOTHING)
        charged, body = NOTHING, event.value() or {}
        match event.kind:
            case EventKind.INTENT:
                charged = held
                standing[path] = msgspec.convert(body["reserved"], Usage)
            case EventKind.RETRY:
                charged = msgspec.convert(body.get("spent", []), Usage)
            case EventKind.DONE:
                answer = msgspec.convert(body["result"], ModelResponse)
                charged = answer.usage + (held if answer.cached else NOTHING)
            case EventKind.FAILED:
                detail = body.get("detail") or {}
                if detail.get("charged"):
                    charged, sums[path] = msgspec.convert(detail["charged"], Usage), NOTHING
                elif detail.get("refused") or body["code"] == "limit_reached":
                    charged = held
            case EventKind.CANCELLED | EventKind.ABANDONED:
                charged = held
        sums[path] = sums.get(path, NOTHING) + charged
    return sum([*sums.values(), *standing.values()], NOTHING)


async def journal(test: TestRuntime, run_id: str) -> list[Event]:
    """All that is on record of a run."""
    return list(await test.rt.store.journal.read("default", run_id))


async def balance(test: TestRuntime, account: str = "tenant") -> Balance:
    """How an account stands."""
    return (await test.rt.store.budgets.balances("default", [account]))[account]


async def check(test: TestRuntime, run_ids: list[str], account: str = "tenant") -> Usage:
    """The rows of the runs, their journals and the account that they all count to say the same, and nothing is held.

    Returns what it came to.
    """
    total = NOTHING
    for run_id in run_ids:
        found, run = await journal(test, run_id), await test.rt.store.runs.get("default", run_id)
        assert [event.seq for event in found] == list(range(len(found))), "a gap in the journal"
        assert run.usage == told(found), (run.status, run.usage, told(found), lines(found))
        total += run.usage
    await test.rt.store.budgets.sweep()
    stands = await balance(test, account)
    assert stands.held == Amount(), stands
    assert (stands.used.cost, stands.used.tokens) == (total.cost, total.tokens), (stands, total)
    return total


def lines(found: list[Event]) -> list[str]:
    """A journal as texts."""
    return [f"{e.seq} {e.kind.label} {e.path} {e.body.decode(errors='replace')[:300]}" for e in found]


async def kill_and_go_on(test: TestRuntime, handle: Any) -> cb.RunHandle:
    """The process dies; the next one takes over. A handle on the same run there."""
    await test.kill()
    await test.restart()
    return test.rt.handle(handle.id)
