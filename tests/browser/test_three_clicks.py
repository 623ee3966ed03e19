"""From the first page to the cause of a failed run: three clicks at most."""

from playwright.async_api import Page, expect

from tests.browser.calls import start, until
from tests.browser.conftest import PHONE, Opening, Shot
from tests.browser.lines import CLOSED, CLOSED_SAID
from tests.browser.served import Served

COUNT = "document.addEventListener('click', (event) => { if (event.isTrusted) window.counted() }, true)"


async def test_the_cause_of_a_failure_is_three_clicks_away(opening: Opening, served: Served, shot: Shot) -> None:
    sign = served.folder / CLOSED
    sign.touch()
    try:
        run = start(served, "send_parcel", {"address": "45 Cedar Lane, Denver"}, order="W2207466")
        until(served, run, "failed")
    finally:
        sign.unlink()
    clicks: list[object] = []

    def counted(source: object) -> None:
        clicks.append(source)

    for size in ((1_280, 800), PHONE):
        page = await opening(size=size)
        clicks.clear()
        await page.context.expose_binding("counted", counted)
        await page.context.add_init_script(COUNT)
        await page.goto("/console")
        await shot(page, "1-first-page", whole=False)
        # By way of the list: what failed, which run, which effect of it.
        await page.locator(".notices a", has_text="failed").first.click()
        await expect(page.locator(f"#run-{run}")).to_contain_text(CLOSED_SAID)
        await shot(page, "2-runs", whole=False)
        await page.locator(f"#run-{run} a.name").click()
        await cause_is_told(page)
        assert len(clicks) == 2
        await shot(page, "3-cause")
        await page.locator(".cause dd a", has_text="book_pickup").click()
        await expect(page.locator("#detail")).to_contain_text("3 attempts")
        await expect(page.locator("#detail .attempts li")).to_have_count(3)
        await expect(page.locator("#detail")).to_contain_text("45 Cedar Lane, Denver")
        assert len(clicks) == 3
        await shot(page, "4-effect", whole=False)
        # The newest failures are on the first page itself.
        clicks.clear()
        await page.goto("/console")
        await page.locator(f"#f-{run} a").click()
        await cause_is_told(page)
        assert len(clicks) == 1


async def cause_is_told(page: Page) -> None:
    """Which kind of failure, where, in what words, what was done about it and what can be done now."""
    cause = page.locator(".cause").first
    await expect(cause).to_be_in_viewport()
    await expect(cause.locator(".kind")).to_contain_text("upstream down")
    await expect(cause.locator(".message")).to_contain_text(CLOSED_SAID)
    for term, told in (("Where", "book_pickup"), ("Done about it", "tried 3 times"), ("What next", "Requeue")):
        answer = cause.locator("dt", has_text=term).locator("xpath=following-sibling::dd[1]")
        await expect(answer).to_contain_text(told)
        await expect(answer).to_be_in_viewport()
