"""The browser that the stories of this folder use is a real one, is let in, and would show what is wrong."""

from collections.abc import Callable
from hashlib import sha256

from playwright.async_api import Page

from tests.browser.axe import SCRIPT, faults
from tests.browser.conftest import Opening


async def test_the_link_that_dev_prints_lets_a_browser_in_and_nobody_else(page: Page, opening: Opening) -> None:
    answer = await page.goto("/console/runs")
    assert answer is not None and answer.status == 200
    assert (await page.title()).startswith("Runs")
    stranger = await opening(admitted=False)
    await stranger.goto("/console/runs")
    assert "/console/login" in stranger.url


async def test_a_fault_on_a_page_is_found(opening: Opening, complaints: Callable[[Page], list[str]]) -> None:
    page = await opening(admitted=False)
    told = complaints(page)
    await page.goto("/console/login")
    assert not told
    await page.evaluate("() => document.body.insertAdjacentHTML('beforeend', '<img src=\"/nowhere.png\">')")
    await page.evaluate("() => { const s = document.createElement('script'); s.text = '1'; document.body.append(s) }")
    assert any("image-alt" in fault for fault in await faults(page))
    assert any("script" in line for line in told)  # the policy refused it, and the browser said so


def test_axe_is_the_file_that_its_project_published() -> None:
    known = (SCRIPT.parent / "VENDORED.md").read_text("utf-8")
    assert f"| {sha256(SCRIPT.read_bytes()).hexdigest()} |" in known
