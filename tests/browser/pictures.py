"""Makes the pictures of the documentation: `python -m tests.browser.pictures [FOLDER]`, by default into docs/pictures.

A fortnight of the retail example is played on an empty store, with a clock that is set back; then the console is served
as `callboard dev` serves it, and Ann, who works there, looks at it.
"""

import asyncio
import itertools
import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from playwright.async_api import Browser, Page, async_playwright

from tests.browser.conftest import ARGUMENTS
from tests.browser.palette import reduce
from tests.browser.served import ROOT, Served
from tests.servers.binaries import chromium_program

LOGIN, PASSWORD = "ann", "a lamp in the window"
LATENCY = "0.4"  # seconds that the scripted clerk takes for an answer
DAY, HOUR = 86_400.0, 3_600.0
REASONS = ("it never lit", "wrong colour", "arrived too late", "the handle broke off", "found one nearby")


async def main(target: Path) -> None:
    """Plays, serves, looks."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        failed = await play(f"sqlite:///{folder}/callboard.db")
        served = Served(folder, "examples.retail")
        try:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=chromium_program(), args=ARGUMENTS)
                await look(browser, served, failed, target)
                await browser.close()
        finally:
            served.close()


async def play(store: str) -> str:
    """A fortnight of runs. Returns the one that failed last."""
    os.environ["CALLBOARD_RETAIL_LATENCY"] = LATENCY
    from callboard.domain.principal import Grant, Role
    from callboard.testing import FaultKind, FaultRule
    from callboard.tools import UpstreamDown
    from examples.retail import app
    from examples.retail.scenes import BUDGETS

    # Days pass in seconds here: a breaker would take the outages of a fortnight for one.
    app.upstream("shop", retry={"attempts": 4, "first": 0.5}, breaker=None, otherwise="fail")
    slow = (
        FaultRule(kind=FaultKind.SLOW, target="scripted-assessor", seconds=0.6),
        FaultRule(kind=FaultKind.SLOW, upstream="shop", target="get_*", seconds=0.09),
    )
    outage = UpstreamDown("the shop answered 503: down for maintenance")
    silence = TimeoutError("the shop did not answer")
    chance = random.Random(7)  # how much is asked for on a day
    claims = _claims()
    async with _open(store, 20 * DAY, ()) as rt:
        desk = rt.desk(rt.access.local("ann"), source="127.0.0.1")
        await desk.credentials.add_person(LOGIN, "Ann", PASSWORD, [Grant(Role.ADMIN)])
        key = (await desk.credentials.create_key("storefront", [Grant(Role.OPERATOR)])).text
        for scope, name, _ in BUDGETS:
            await desk.budgets.set(scope, name, usd={"tenant": "0.25"}.get(scope, "0.10"), period="day", warn=[0.8])
    tasks = itertools.cycle(_tasks())
    for days in range(13, 0, -1):
        weekend = days % 7 in (2, 3)
        async with _open(store, days * DAY, slow) as rt:
            await _some(rt, key, tasks, (7 if weekend else 15) + chance.randrange(5))
            await _refund(rt, key, _small(), chance.choice(REASONS), ended=True)
        if days in (9, 5):
            async with _open(store, days * DAY - HOUR, slow) as rt:
                _break_shop("return_delivered_order_items", outage)
                await _refund(rt, key, _small(), "too small", ended=True)
    for hours, number in ((9.0, 6), (6.0, 5), (3.2, 0), (2.1, 4), (0.7, 5)):
        async with _open(store, hours * HOUR, slow) as rt:
            await _some(rt, key, tasks, number)
            if not number:
                _break_shop("get_order_details", silence)
            await _refund(rt, key, next(claims), chance.choice(REASONS), ended=not number)
    async with _open(store, 0.2 * HOUR, slow) as rt:
        _break_shop("return_delivered_order_items", outage)
        failed = await _refund(rt, key, _small(), "too small", ended=True)
    async with _open(store, 0.0, slow) as rt:
        await _some(rt, key, tasks, 4)
    return failed


async def look(browser: Browser, served: Served, failed: str, target: Path) -> None:
    """Takes the pictures."""
    light = await _enter(browser, served, "light")
    dark = await _enter(browser, served, "dark")
    run = f"/console/runs/{failed}"
    shots: tuple[tuple[str, Page, str, int], ...] = (
        ("home", light, "/console", 800),
        ("runs", light, "/console/runs?span=24h", 800),
        ("failed-run", light, run, 640),
        ("approvals", light, "/console/approvals", 560),
        ("costs", light, "/console/costs?range=30d", 800),
        ("effect-dark", dark, run, 760),
    )
    for name, page, path, height in shots:
        await page.set_viewport_size({"width": 1_280, "height": height})
        await page.goto(path)
        if name == "effect-dark":
            await page.locator(".cause dd a").first.click()
            await page.locator("#detail .attempts").wait_for()
        await page.wait_for_timeout(400)
        file = target / f"{name}.png"
        file.write_bytes(reduce(await page.screenshot(animations="disabled")))
        print(f"{file}: {file.stat().st_size:,} bytes")


async def _enter(browser: Browser, served: Served, scheme: Any) -> Page:
    context = await browser.new_context(
        base_url=served.address, viewport={"width": 1_280, "height": 800}, color_scheme=scheme
    )
    page = await context.new_page()
    await page.goto("/console/login")
    await page.get_by_label("Name").fill(LOGIN)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console")
    return page


def _open(store: str, ago: float, faults: Any) -> Any:
    import callboard
    from callboard.engine.clock import SystemClock
    from callboard.resilience.faults import Faults
    from callboard.settings import Settings
    from examples.retail import app

    class Past(SystemClock):
        """The machine's clock, set back."""

        def __init__(self) -> None:
            super().__init__()
            self._offset -= ago

    settings = msgspec.structs.replace(Settings(), store=store)
    return callboard.open(app, settings=settings, clock=Past(), faults=Faults(faults) if faults else None)


async def _some(rt: Any, key: str, tasks: Iterator[Any], number: int) -> None:
    """So many tasks of customers, until each has ended."""
    desk = rt.desk(await rt.access.authenticate_key(key), source="10.0.0.12")
    handles = []
    for task in itertools.islice(tasks, number):
        channel = ("web", "app", "mail")[len(task["instruction"]) % 3]
        handles.append(await desk.runs.start("handle", task, labels={"channel": channel}))
        await asyncio.sleep(0.11)
    for handle in handles:
        await handle.outcome()


async def _refund(rt: Any, key: str, claim: dict[str, Any], reason: str, *, ended: bool = False) -> str:
    """A claim, until it waits for a person; or until it has ended."""
    desk = rt.desk(await rt.access.authenticate_key(key), source="10.0.0.12")
    handle = await desk.runs.start("refund_with_approval", claim | {"reason": reason}, labels={"channel": "web"})
    person = rt.desk(rt.access.local("ann"), source="127.0.0.1")
    async with asyncio.timeout(60):
        while not (await handle.run()).status.ended if ended else not await person.approvals.find(run_id=handle.id):
            await asyncio.sleep(0.05)
    return str(handle.id)


def _break_shop(tool: str, error: Exception) -> None:
    """Until the next runtime is opened, the shop answers this call with an error."""
    from examples.retail.tools import Counter

    shop = Counter.shop
    apply, read = shop.apply, shop.read

    def applied(run_id: str, key: str, name: str, arguments: Mapping[str, Any]) -> str:
        if name == tool:
            raise error
        return apply(run_id, key, name, arguments)

    def answered(run_id: str, name: str, arguments: Mapping[str, Any]) -> str:
        if name == tool:
            raise error
        return read(run_id, name, arguments)

    vars(shop).update(apply=applied, read=answered)


def _tasks() -> list[Any]:
    text = (ROOT / "examples/retail/data/tasks.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def _small() -> dict[str, Any]:
    return {"order_id": "#W9709492", "item_ids": ["2411758002"], "payment_method_id": "credit_card_2420047"}


def _claims() -> Iterator[dict[str, Any]]:
    """Claims that a person has to decide about."""
    orders = json.loads((ROOT / "examples/retail/data/orders.json").read_text("utf-8"))
    for order in orders.values():
        if order["status"] == "delivered" and sum(item["price"] for item in order["items"]) > 100:
            yield {
                "order_id": order["order_id"],
                "item_ids": [item["item_id"] for item in order["items"]],
                "payment_method_id": order["payment_history"][0]["payment_method_id"],
            }


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures"))
