"""Tools and steps of the scenarios. Each writes into the ledger, so that a repeated effect cannot hide."""

import asyncio

import callboard as cb
from tests.crash.ledger import Ledger

LEDGER = Ledger()
SHORT = 0.05  # seconds: the time limit of `once` calls, which a reconciliation waits for

app = cb.App("crash")
for failing in ("phone", "weather"):  # they fail again in each of hundreds of lives, all within a minute
    app.upstream(f"tool:{failing}", breaker=None)


async def double(number: int) -> int:
    """A step."""
    LEDGER.step("double", number)
    return 2 * number


def treble(number: int) -> int:
    """A step that runs in a thread."""
    LEDGER.step("treble", number)
    return 3 * number


async def note(dice: list[float | str]) -> None:
    """Writes down what chance and the clock said, for comparison with what the flow has in the end."""
    LEDGER.step("note", dice)


async def stumble(number: int) -> int:
    """A step that raises twice before it works."""
    if LEDGER.step("stumble", number) < 3:
        raise RuntimeError("not yet")
    return number


async def break_down(number: int) -> int:
    """A step that always raises."""
    LEDGER.step("break_down", number)
    raise ValueError("never")


@app.tool(effect="read")
async def look(item: str) -> str:
    """Looks an item up."""
    LEDGER.tool("look", "repeatable", "", None, item=item)
    return f"saw {item}"


@app.tool(effect="idempotent")
async def charge(order: str, *, key: cb.IdempotencyKey) -> str:
    """Charges an order."""
    return LEDGER.tool("charge", "idempotent", key, f"charged {order}", order=order)


@app.tool(effect="idempotent")
def reserve(item: str, *, key: cb.IdempotencyKey) -> str:
    """Reserves an item, in a thread."""
    return LEDGER.tool("reserve", "idempotent", key, f"reserved {item}", item=item)


@app.tool(effect="idempotent", retry=cb.Retry(attempts=3, first=0.01))
async def phone(person: str, *, key: cb.IdempotencyKey) -> str:
    """Reaches a person at the third call."""
    if LEDGER.count("dial", person=person) < 2:
        LEDGER.tool("dial", "repeatable", key, None, person=person)
        raise cb.UpstreamDown("busy", retry_after=0.01)
    return LEDGER.tool("phone", "idempotent", key, f"spoke to {person}", person=person)


@app.tool(effect="idempotent")
async def overdraw(account: str, *, key: cb.IdempotencyKey) -> str:
    """Is refused, definitely."""
    LEDGER.tool("overdraw", "repeatable", key, None, account=account)
    raise cb.UpstreamRejected("no money")


def remembered(city: str) -> str:
    """What stands in for `weather`."""
    LEDGER.tool("weather.fallback", "repeatable", "", None, city=city)
    return f"it was fine in {city}"


@app.tool(effect="read", retry=cb.Retry(attempts=2, first=0.01), fallback=remembered)
async def weather(city: str) -> str:
    """Is always down."""
    LEDGER.tool("weather", "repeatable", "", None, city=city)
    raise cb.UpstreamDown("no answer")


def look_up(key: str) -> cb.Applied | cb.NotApplied:
    """Tells from the ledger whether a call happened."""
    entry = LEDGER.found(key)
    return cb.NotApplied() if entry is None else cb.Applied(entry.result)


@app.tool(effect="once", timeout=SHORT, reconcile=look_up)
async def ship(parcel: str, *, key: cb.IdempotencyKey) -> str:
    """Sends a parcel: twice would be two parcels."""
    return LEDGER.tool("ship", "once", key, f"shipped {parcel}", parcel=parcel)


@app.tool(effect="once", timeout=SHORT, reconcile=look_up)
async def ship_slowly(parcel: str, *, key: cb.IdempotencyKey) -> str:
    """Sends a parcel, and never says so."""
    LEDGER.tool("ship_slowly", "once", key, f"shipped {parcel}", parcel=parcel)
    await asyncio.sleep(60)
    return "too late"


@app.tool(effect="once", timeout=SHORT, reconcile=look_up)
async def bribe(official: str, *, key: cb.IdempotencyKey) -> str:
    """Is refused, definitely."""
    LEDGER.tool("bribe", "repeatable", key, None, official=official)
    raise cb.UpstreamRejected("honest")


@app.tool(effect="once", timeout=5.0)
async def publish(text: str, *, key: cb.IdempotencyKey) -> str:
    """Tells the world, which cannot be asked whether it heard."""
    return LEDGER.tool("publish", "once", key, f"published {text}", text=text)
