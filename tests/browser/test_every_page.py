"""Every page of the console, with all that can be opened on it: people can use it without eyes, mouse or a large
screen, nothing that somebody stored in it runs, and it asks nobody but its own server."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Page, expect

from tests.browser.axe import faults
from tests.browser.conftest import PHONE, Opening, Shot
from tests.browser.gallery import ELSE, PAGES, routes, things
from tests.browser.lines import MARK
from tests.browser.served import Served

WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
OPEN_ALL = "() => document.querySelectorAll('main details').forEach((each) => { each.open = true })"
# What a page holds that it does not write itself.
STRANGE = """() => [...document.querySelectorAll('script:not([src^="/console/static/"]), [onerror], img')]
    .map((each) => each.outerHTML)"""
PARTS = ("/effects/1", "/seen")  # of a page, which has the frame
OF_DOCUMENTS = ("document-title", "html-has-lang")
STATUS = {
    "/console/enter?token=used": 401,
    "/console/login/oidc": 404,
    "/console/login/callback?code=x&state=y": 404,
    "/console/runs/00000000000000000000000000": 404,
}


@pytest.fixture(scope="module")
def made(served: Served) -> dict[str, str]:
    """What is there to see."""
    return things(served)


def addresses(made: dict[str, str]) -> Iterator[str]:
    for each in PAGES.values():
        for address in each:
            yield address.format(**made)


class Watched:
    """A page, and all that it did beside showing something."""

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self._origin = f"{origin}/"
        self.told: list[str] = []
        page.on("pageerror", lambda error: self.told.append(f"error: {error}"))
        page.on("console", lambda line: self.told.append(f"console: {line.text}") if _is_said(line) else None)
        page.on("request", lambda request: self._asked(request.url))
        page.on("dialog", lambda dialog: self.told.append(f"dialog: {dialog.message}"))

    def _asked(self, url: str) -> None:
        if not url.startswith(("data:", self._origin)):
            self.told.append(f"asked for {url}")

    async def go(self, address: str) -> None:
        """Opens a page and everything on it that unfolds."""
        answer = await self.page.goto(address)
        assert answer is not None and answer.status == STATUS.get(address, 200), (address, answer and answer.status)
        await self.page.evaluate(OPEN_ALL)
        assert await self.page.title() != "taken", address
        assert not (strange := await self.page.evaluate(STRANGE)), (address, strange)

    def still(self, address: str) -> None:
        """Nothing was complained of, and nobody else was asked."""
        assert not self.told, (address, self.told)


def test_no_page_is_left_out() -> None:
    assert routes() == set(PAGES) | ELSE


async def test_a_page_can_be_used_without_eyes_or_mouse_in_light_and_dark(
    opening: Opening, served: Served, made: dict[str, str], shot: Shot
) -> None:
    known: set[str] = set()

    async def look(page: Watched, share: list[str]) -> list[str]:
        found = []
        for address in share:
            await page.go(address)
            wrong = await faults(page.page)
            if address.endswith(PARTS):
                wrong = [each for each in wrong if not any(rule in each for rule in OF_DOCUMENTS)]
            await page.page.emulate_media(color_scheme="dark")
            wrong += [f"dark: {each}" for each in await faults(page.page, colours=True)]
            await shot(page.page, f"{_name(address, made)}-dark")
            async for title in dialogs(page.page, known):
                wrong += [f"{title}, dark: {each}" for each in await faults(page.page, "dialog[open]", colours=True)]
                await page.page.emulate_media(color_scheme="light")
                wrong += [f"{title}: {each}" for each in await faults(page.page, "dialog[open]")]
                await shot(page.page, f"dialog-{title}", whole=False)
                await page.page.emulate_media(color_scheme="dark")
            await page.page.emulate_media(color_scheme="light")
            found += [f"{address}: {each}" for each in wrong]
            page.still(address)
        return found

    outside = [each for each in addresses(made) if "/login" in each or "/enter" in each]
    inside = [each for each in addresses(made) if each not in outside]
    people = [Watched(await opening(admitted=False), served.address)]
    people += [Watched(await opening(), served.address) for _ in range(2)]
    shares = (outside, inside[::2], inside[1::2])
    found = await asyncio.gather(*(look(page, share) for page, share in zip(people, shares, strict=True)))
    assert not any(found), "\n".join(line for part in found for line in part)
    assert len(known) > 15, known  # there is something to open


async def test_a_page_fits_a_phone_and_asks_nobody_else(
    opening: Opening, served: Served, made: dict[str, str], shot: Shot
) -> None:
    phone = Watched(await opening(size=PHONE, has_touch=True, is_mobile=True), served.address)
    for address in addresses(made):
        await phone.go(address)
        wide = await phone.page.evaluate(WIDER)
        assert wide <= 0, f"{address} is {wide} px too wide"
        await shot(phone.page, _name(address, made))
        phone.still(address)


async def test_what_somebody_stored_is_shown_and_never_run(
    opening: Opening, served: Served, made: dict[str, str]
) -> None:
    # Without the policy that would stop it: escaping has to do by itself.
    page = Watched(await opening(bypass_csp=True), served.address)
    for address, times in (
        ("/console", 1),
        (f"/console/runs?label=review%3D{MARK.replace('=', '%3D')}", 1),
        (f"/console/runs/{made['hostile']}", 3),  # why it failed, its label, its input
        (f"/console/runs/{made['hostile']}/events", 1),
        (f"/console/runs/{made['hostile']}/effects/{made['hostile_model']}/seen", 2),
        (f"/console/approvals/{made['question']}", 3),  # what is proposed, what led here, the form to change it
        (f"/console/approvals/{made['decided']}", 1),  # the note
        ("/console/audit", 1),
        ("/console/access", 2),  # a key's name, a person's
        ("/console/catalog/moderator", 1),
        ("/console/health", 1),
    ):
        await page.go(address)
        shown = (await page.page.content()).count("&lt;img src=x onerror=")
        assert shown >= times, (address, shown)
        page.still(address)


async def test_what_one_may_not_see_is_refused_in_words(
    opening: Opening, served: Served, shot: Shot, made: object
) -> None:
    page = await opening(admitted=False)
    await page.goto("/console/access")
    await page.get_by_label("Name").fill("ann")
    await page.get_by_label("Password").fill("correct horse battery")
    await page.keyboard.press("Enter")
    await expect(page.locator(".failure")).to_contain_text("You may not do this")
    await expect(page.locator(".failure .code")).to_have_text("403")
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        assert not await faults(page)
    await shot(page, "403")


async def dialogs(page: Page, known: set[str]) -> AsyncIterator[str]:
    """Opens each dialog of a page that was not seen on one before, and says its title."""
    for number in range(await page.locator("[data-dialog]").count()):
        button = page.locator("[data-dialog]").nth(number)
        kind = re.sub(r"\W?(\d+|[0-9a-z]{12,})", "", await button.get_attribute("data-dialog") or "")
        if kind in known or not await button.is_visible():
            continue
        known.add(kind)
        await button.dispatch_event("click")  # what is open at the side may lie above it
        await expect(page.locator("dialog[open]")).to_be_visible()
        yield kind
        await page.keyboard.press("Escape")
        await expect(page.locator("dialog[open]")).to_have_count(0)
    if "keys" not in known and await page.locator("[data-help]").count():
        known.add("keys")
        await page.locator("[data-help]").first.click()
        yield "keys"
        await page.keyboard.press("Escape")


def _name(address: str, made: dict[str, str]) -> str:
    for name, value in made.items():
        if len(value) > 5:
            address = address.replace(value, name)
    return re.sub(r"\W+", "-", address.removeprefix("/console")).strip("-")[:60] or "home"


def _is_said(line: object) -> bool:
    text = getattr(line, "text", "")
    return getattr(line, "type", "") in ("error", "warning") and "Failed to load resource" not in text
