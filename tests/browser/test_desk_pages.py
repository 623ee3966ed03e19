"""A refund that waits is changed and approved with the keyboard alone."""

import json

from playwright.async_api import Page, expect

from tests.browser.axe import faults
from tests.browser.calls import CLAIM, outcome, question, start
from tests.browser.conftest import Shot
from tests.browser.served import Served


async def test_a_refund_is_changed_and_approved_by_keyboard(page: Page, served: Served, shot: Shot) -> None:
    run_id = start(served, "refund_with_approval", CLAIM)
    asked = question(served, run_id)
    await page.goto("/console")
    await page.keyboard.press("g")
    await page.keyboard.press("a")
    await expect(page.get_by_text("amount 254.3").first).to_be_visible()
    row = page.locator(f'tr[data-href$="{asked}"]')
    for _ in range(await page.locator("tr[data-href]").count()):
        await page.keyboard.press("j")
        if "chosen" in (await row.get_attribute("class") or ""):
            break
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{served.address}/console/approvals/{asked}")
    await expect(page.get_by_role("heading", name="What led here")).to_be_visible()
    await shot(page, "question")
    await page.keyboard.press("e")
    field = page.get_by_label("The proposal, as JSON")
    await expect(field).to_be_focused()
    proposal = json.loads(await field.input_value())
    await field.fill(json.dumps(proposal | {"item_ids": CLAIM["item_ids"][:1], "amount": 127.15}))
    await expect(page.locator("#edited del").nth(1)).to_have_text("254.3")
    await expect(page.locator("#edited ins")).to_have_text("127.15")
    assert not await faults(page)
    await shot(page, "difference", whole=False)
    await page.keyboard.press("Tab")
    await page.keyboard.type("one of them is fine")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Changed and approved")
    result = outcome(served, run_id)
    assert result["output"]["refunded"] and result["output"]["amount"] == 127.15
    assert result["output"]["note"] == "one of them is fine"
    await page.goto("/console/costs")
    await expect(page.get_by_role("cell", name="refund_with_approval").first).to_be_visible()
