"""The list of runs and one run: new ones appear by themselves, keys lead through them."""

import json

from playwright.async_api import Page, expect

from tests.browser.axe import faults
from tests.browser.calls import CLAIM, start
from tests.browser.conftest import Shot
from tests.browser.served import ROOT, Served

TASK = json.loads((ROOT / "examples/retail/data/tasks.jsonl").read_text("utf-8").splitlines()[0])


async def test_runs_appear_by_themselves_and_keys_lead_into_them(page: Page, served: Served, shot: Shot) -> None:
    first = start(served, "handle", TASK, team="red")
    await page.goto("/console/runs")
    await expect(page.locator(f"#run-{first}")).to_contain_text("team=red")
    await page.evaluate("() => { window.same = document.querySelector('#runs') }")
    second = start(served, "handle", TASK, team="blue")
    row = page.locator(f"#run-{second}")
    await expect(row).to_contain_text("succeeded")
    assert await page.evaluate("() => window.same.isConnected"), "the table was put in anew, and did not only grow"
    await shot(page, "runs")

    await page.keyboard.press("j")
    await expect(row).to_have_class("fresh chosen")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{served.address}/console/runs/{second}")
    await expect(page.locator(".waterfall")).to_contain_text("clerk")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    detail = page.locator("#detail")
    await expect(detail).to_contain_text("Answer")
    await detail.get_by_text("What the model saw").click()
    await expect(detail).to_contain_text("the prompt of clerk")
    await shot(page, "effect")
    assert not await faults(page)
    await page.keyboard.press("j")
    await expect(detail).to_contain_text("Arguments")
    await page.keyboard.press("Escape")
    await expect(detail).to_be_hidden()
    await page.keyboard.press("e")
    await expect(page.get_by_role("heading", name="Events")).to_be_visible()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_contain_text("next, previous row")


async def test_a_run_that_waits_is_cancelled_and_says_so_by_itself(page: Page, served: Served, shot: Shot) -> None:
    run = start(served, "refund_with_approval", CLAIM)
    await page.goto(f"/console/runs/{run}")
    await expect(page.locator("#live h1")).to_contain_text("waiting")
    await expect(page.locator(".notice")).to_contain_text("waits for a person")
    await page.keyboard.press("c")
    await expect(page.get_by_role("dialog", name="Cancel this run?")).to_be_visible()
    await page.get_by_label("Reason").fill("the customer called")
    await page.get_by_role("button", name="Cancel the run").click()
    await expect(page.locator(".flash")).to_contain_text("was asked to end")
    await expect(page.locator("#live h1")).to_contain_text("cancelled")
    await expect(page.locator(".cause")).to_contain_text("the customer called")
    await shot(page, "cancelled")
