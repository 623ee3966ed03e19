"""Somebody logs in at their company's identity provider, and out again: here, and there."""

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.browser.axe import faults
from tests.browser.conftest import DESKTOP, PHONE, Shot
from tests.browser.served import Served
from tests.browser.test_every_page import WIDER
from tests.unit.access.identity import CLIENT, SECRET, IdentityProvider


@pytest.fixture
def there() -> Iterator[IdentityProvider]:
    provider = IdentityProvider()
    yield provider
    provider.server.shutdown()
    provider.server.server_close()


@pytest.fixture
def here(there: IdentityProvider, tmp_path: Path) -> Iterator[Served]:
    """A gateway that the provider knows by its address: so that has to be known before it starts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    there.back.add(f"{address}/console/login/callback")
    there.after.add(f"{address}/console/login")
    settings = {
        "public_url": address,
        "oidc_issuer": there.url,
        "oidc_client": CLIENT,
        "oidc_client_secret": SECRET,
        "oidc_name": "Acme",
    }
    known = {f"CALLBOARD_GATEWAY_{name.upper()}": value for name, value in settings.items()}
    found = Served(tmp_path, "tests.browser.stage", "--port", str(port), environment=known)
    yield found
    found.close()


async def test_somebody_logs_in_with_their_company_and_out_again(
    browser: Browser, here: Served, there: IdentityProvider, shot: Shot, complaints: Callable[[Page], list[str]]
) -> None:
    for size in (DESKTOP, PHONE):
        page = await browser.new_page(
            base_url=here.address, viewport=ViewportSize(width=size[0], height=size[1]), reduced_motion="reduce"
        )
        told = complaints(page)

        async def look(name: str, page: Page = page, size: tuple[int, int] = size) -> None:
            await shot(page, name)
            assert await page.evaluate(WIDER) <= 0, name
            if size == DESKTOP:
                wrong = await faults(page)
                await page.emulate_media(color_scheme="dark")
                await shot(page, f"{name}-dark")
                wrong += await faults(page, colours=True)
                await page.emulate_media(color_scheme="light")
                assert not wrong, name

        await page.goto(f"{here.address}/console/runs?span=all")
        button = page.get_by_role("link", name="Log in with Acme")
        await expect(button).to_be_visible()
        await look("1-log-in")
        await button.click()
        await expect(page.get_by_role("heading")).to_have_text(f"{CLIENT} wants to know who you are")
        assert page.url.startswith(there.url)
        await page.get_by_role("button", name="Deny").click()
        await expect(page.get_by_role("alert")).to_contain_text("Acme did not let you in")
        await look("2-denied")
        await button.click()
        await page.get_by_role("button", name="Approve").click()
        await expect(page).to_have_url(f"{here.address}/console/runs?span=all")
        await expect(page.locator("#content h1")).to_contain_text("Runs")
        if size == PHONE:
            await page.locator("[data-menu]").click()
        await expect(page.locator(".who .name")).to_contain_text("Mia <b>")
        await shot(page, "3-in", whole=False)
        await page.get_by_role("button", name="Log out").click()
        await expect(page.get_by_role("status")).to_contain_text("You are logged out here")
        await look("4-out")
        assert there.inside
        await page.get_by_role("link", name="Log out at Acme").click()
        await page.get_by_role("button", name="Yes").click()
        await expect(page).to_have_url(re.compile(r"/console/login$"))
        assert not there.inside
        await page.goto(f"{here.address}/console/runs")
        await expect(button).to_be_visible()  # nobody is in
        assert not told, told
        await page.close()
    assert not [word for word in (SECRET, *there.given) if word in here.said]
