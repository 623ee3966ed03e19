"""What a person does to a run: signals it, forks it, requeues it; and what it cost appears among the costs."""

import asyncio
import re

from playwright.async_api import Page, Route, expect

from tests.browser.calls import api, start, until
from tests.browser.conftest import Shot
from tests.browser.lines import CLOSED, CLOSED_SAID
from tests.browser.served import Served

PARCEL = {"address": "12 Harbor Row, Seattle", "grams": 750}


async def test_a_signal_lets_a_run_go_on_and_a_fork_of_it_goes_its_own_way(
    page: Page, served: Served, shot: Shot
) -> None:
    run = start(served, "send_parcel", PARCEL)
    until(served, run, "waiting")
    await page.goto(f"/console/runs/{run}")
    await page.keyboard.press("s")
    dialog = page.get_by_role("dialog", name="Send a signal")
    await expect(dialog.get_by_label("Name")).to_have_value("delivered")
    await shot(page, "signal", whole=False)
    await dialog.get_by_label("Value, as JSON").fill('"Mia')
    await dialog.get_by_role("button", name="Send").click()
    await expect(page.locator(".flash")).to_contain_text("JSON")
    await expect(page.locator(".flash.bad")).to_be_visible()
    await page.keyboard.press("s")
    await dialog.get_by_label("Value, as JSON").fill('"Mia"')
    await dialog.get_by_role("button", name="Send").click()
    await expect(page.locator("#live h1")).to_contain_text("succeeded")
    await expect(page.locator(".answer")).to_contain_text("signed by Mia")

    await page.locator(".waterfall a.line", has_text="delivered").click()
    await page.get_by_role("button", name="Fork before this").click()
    await shot(page, "fork", whole=False)
    await page.get_by_role("dialog").get_by_role("button", name="Fork").click()
    await expect(page.locator(".flash")).to_contain_text(f"shares the history of {run}")
    await expect(page.locator("#live h1")).to_contain_text("waiting")
    await expect(page.locator(".facts")).to_contain_text("Forked from")
    fork = page.url.rpartition("/")[2]
    assert fork != run
    with api(served) as client:
        assert client.post(f"/v1/runs/{fork}/signal", json={"name": "delivered", "value": "Ben"}).is_success
    await expect(page.locator(".answer")).to_contain_text("signed by Ben")


async def test_a_failed_run_is_requeued_when_its_cause_is_mended(page: Page, served: Served, shot: Shot) -> None:
    sign = served.folder / CLOSED
    sign.touch()
    try:
        run = start(served, "send_parcel", PARCEL)
        until(served, run, "failed")
    finally:
        sign.unlink()
    await page.goto(f"/console/runs/{run}")
    await expect(page.locator(".cause")).to_contain_text(CLOSED_SAID)
    await shot(page, "failed")
    await page.keyboard.press("r")
    dialog = page.get_by_role("dialog", name="Requeue this run?")
    await dialog.get_by_label("Reason").fill("the carrier is open again")
    await dialog.get_by_role("button", name="Requeue").click()
    await expect(page.locator(".flash")).to_contain_text("ready again")
    await expect(page.locator("#live h1")).to_contain_text("waiting")
    await expect(page.locator(".cause")).to_have_count(0)
    await page.keyboard.press("c")
    await page.get_by_role("button", name="Cancel the run").click()
    await expect(page.locator("#live h1")).to_contain_text("cancelled")


async def test_a_form_that_was_opened_stays_while_news_of_the_page_arrive(page: Page, served: Served) -> None:
    run = start(served, "send_parcel", PARCEL)
    until(served, run, "waiting")
    await page.goto(f"/console/runs/{run}")
    asked, opened = asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        asked.set()
        await opened.wait()
        await route.continue_()

    await page.route(lambda url: url.endswith(run), late)
    await asyncio.wait_for(asked.wait(), 60)
    await page.keyboard.press("s")
    dialog = page.get_by_role("dialog", name="Send a signal")
    await dialog.get_by_label("Value, as JSON").fill('"Mia"')
    async with page.expect_response(lambda answer: answer.url.endswith(run)):
        opened.set()
    await page.wait_for_timeout(100)
    await expect(dialog).to_be_visible()
    await expect(dialog.get_by_label("Value, as JSON")).to_have_value('"Mia"')
    await dialog.get_by_role("button", name="Send").click()
    await expect(page.locator("#live h1")).to_contain_text("succeeded")


async def test_what_runs_cost_stands_among_the_costs(page: Page, served: Served) -> None:
    async def figures() -> tuple[float, int]:
        await page.goto("/console/costs")
        row = page.get_by_role("table", name="Costs by flow").get_by_role("row", name=re.compile(r"^moderator\b"))
        if not await row.count():
            return 0.0, 0
        runs, _, cost = (await row.locator("td.num").all_inner_texts())[:3]
        return float(cost.lstrip("$")), int(runs)

    before = await figures()
    for _ in range(2):
        until(served, start(served, "moderator", "a review"), "succeeded")
    after = await figures()
    assert after[1] == before[1] + 2
    assert after[0] > before[0]
    await page.get_by_role("link", name="model", exact=True).click()
    await expect(page.get_by_role("table", name="Costs by model")).to_contain_text("scripted")
