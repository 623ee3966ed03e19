"""Somebody comes in, starts a run with the form of the catalog, and watches it until it has ended."""

import re

from playwright.async_api import expect

from tests.browser.calls import make_key
from tests.browser.conftest import PHONE, Opening, Shot
from tests.browser.lines import SAID
from tests.browser.served import Served


async def test_a_key_opens_the_page_that_was_asked_for_and_a_wrong_one_nothing(
    opening: Opening, served: Served, shot: Shot
) -> None:
    key = make_key(served, "storefront", "viewer")
    page = await opening(size=PHONE, admitted=False)
    await page.goto("/console/catalog")
    await expect(page).to_have_url(f"{served.address}/console/login?next=%2Fconsole%2Fcatalog")
    await page.get_by_text("With a key").click()
    field = page.get_by_label("Key", exact=True)
    await field.fill(key[:-4] + "AAAA")
    await field.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("That did not let you in")
    await shot(page, "wrong")
    await expect(page.get_by_label("Key", exact=True)).to_have_value("")
    await page.get_by_label("Key", exact=True).fill(key)
    await page.get_by_role("button", name="Log in").last.click()
    await expect(page).to_have_url(f"{served.address}/console/catalog")
    # A viewer looks, and finds no lever.
    await page.goto("/console/catalog/teller")
    await expect(page.get_by_role("heading", name="teller")).to_be_visible()
    await expect(page.get_by_role("button", name="Start", exact=True)).to_have_count(0)
    await page.get_by_role("button", name="Menu").click()
    await page.get_by_role("button", name="Log out").click()
    await expect(page).to_have_url(f"{served.address}/console/login")
    await page.goto("/console/catalog")
    assert "/console/login" in page.url


async def test_the_link_of_the_first_start_is_good_once(opening: Opening, served: Served, admission: object) -> None:
    assert admission  # it was used
    page = await opening(admitted=False)
    answer = await page.goto(served.link)
    assert answer is not None and answer.status == 401
    await expect(page.get_by_role("alert")).to_contain_text("This link was used already")


async def test_a_run_is_started_by_the_form_and_watched_until_it_has_ended(
    opening: Opening, served: Served, shot: Shot
) -> None:
    for size in ((1_280, 800), PHONE):
        page = await opening(size=size)
        await page.goto("/console/catalog")
        await page.get_by_role("link", name="teller", exact=True).click()
        await page.get_by_label("Input").fill("Where is my parcel?")
        await page.get_by_role("button", name="Start", exact=True).click()
        await expect(page).to_have_url(re.compile(r"/console/runs/[0-9a-z]{26}$"))
        await page.evaluate("() => { window.same = true }")
        words = page.locator("#speech pre")
        await expect(words).to_contain_text(SAID[:12])
        first = await words.inner_text()
        assert SAID.startswith(first) and first != SAID, first
        await expect(page.locator("#live h1")).to_contain_text("running")
        await shot(page, "speaking", whole=False)
        await expect(words).to_contain_text(SAID[: len(first) + 20])
        await expect(page.locator("#live h1")).to_contain_text("succeeded")
        await expect(page.locator(".waterfall")).to_contain_text("teller")
        await expect(page.locator(".answer")).to_contain_text(SAID)
        await expect(page.locator("#speech")).to_be_hidden()
        assert await page.evaluate("() => window.same"), "the page was loaded anew"
        await shot(page, "ended")
