"""A real Chromium, one in a test process, and an app for it to look at. Skipped aloud where none is installed.

All tests here are in one group, so that one process runs them, and in one event loop, so that they share the browser.

    async def test_something(page, shot):
        await page.goto("/console/runs")      # logged in, as an admin
        await shot(page, "runs")              # tests/browser/artefacts/test_something/runs-1280.png
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.browser.served import Served
from tests.servers.binaries import chromium_program

ARTEFACTS = Path(__file__).parent / "artefacts"
DESKTOP, PHONE = (1_280, 800), (390, 844)
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
_PATIENCE = 40_000  # milliseconds that a page has for what is expected of it
_HERE = Path(__file__).parent

Opening = Callable[..., Awaitable[Page]]
Shot = Callable[..., Awaitable[Path]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One loop for all that use the browser."""
    for item in items:
        if item.path.is_relative_to(_HERE) and iscoroutinefunction(getattr(item, "function", None)):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The browser of this test process."""
    program = chromium_program()
    if program is None:
        pytest.skip("NOT TESTED in a browser: no Chromium here; install one, or set CALLBOARD_TEST_CHROMIUM")
    expect.set_options(timeout=_PATIENCE)
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield found
        await found.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`callboard dev tests.browser.stage` on a store that is empty at first; one for all tests of this process."""
    found = Served(tmp_path_factory.mktemp("served"), "tests.browser.stage")
    yield found
    found.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def admission(browser: Browser, served: Served) -> Any:
    """What a browser keeps of a log-in as an admin, by the link that `served` printed."""
    return await let_in(browser, served)


async def let_in(browser: Browser, served: Served) -> Any:
    """Opens the link that it printed, which is good once; what a browser keeps of that."""
    context = await browser.new_context()
    page = await context.new_page()
    answer = await page.goto(served.link)
    assert answer is not None and answer.ok, f"{answer and answer.status} for the link to enter"
    state = await context.storage_state()
    await context.close()
    return state


@pytest_asyncio.fixture(loop_scope="session")
async def opening(browser: Browser, served: Served, admission: Any) -> AsyncIterator[Opening]:
    """Opens browsers of people: `await opening(size=PHONE, admitted=False, **options_of_new_context) -> Page`."""
    contexts: list[BrowserContext] = []

    async def open_one(size: tuple[int, int] = DESKTOP, admitted: bool = True, **options: Any) -> Page:
        context = await browser.new_context(
            base_url=served.address,
            viewport={"width": size[0], "height": size[1]},
            storage_state=admission if admitted else None,
            reduced_motion=options.pop("reduced_motion", "reduce"),
            **options,
        )
        context.set_default_timeout(_PATIENCE)
        contexts.append(context)
        return await context.new_page()

    yield open_one
    for context in contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(opening: Opening, complaints: Callable[[Page], list[str]]) -> AsyncIterator[Page]:
    """A page at a desk, logged in; the test fails if the browser complained of it."""
    made = await opening()
    told = complaints(made)
    yield made
    assert not told, "\n".join(told)


@pytest_asyncio.fixture(loop_scope="session")
async def phone(opening: Opening, complaints: Callable[[Page], list[str]]) -> AsyncIterator[Page]:
    """A page on a phone, logged in; the test fails if the browser complained of it."""
    made = await opening(size=PHONE, has_touch=True, is_mobile=True)
    told = complaints(made)
    yield made
    assert not told, "\n".join(told)


@pytest.fixture
def complaints() -> Callable[[Page], list[str]]:
    """What a browser complains of while it shows a page: errors of scripts and what the policy refused."""

    def listen(page: Page) -> list[str]:
        told: list[str] = []
        page.on("pageerror", lambda error: told.append(f"{page.url}: {error}"))
        page.on("console", lambda line: told.append(f"{page.url}: {line.text}") if _is_bad(line) else None)
        return told

    return listen


@pytest.fixture
def shot(request: pytest.FixtureRequest) -> Callable[..., Awaitable[Path]]:
    """Keeps a picture: `await shot(page, "runs")` -> tests/browser/artefacts/<test>/runs-<width>.png."""

    async def take(page: Page, name: str, *, whole: bool = True) -> Path:
        size = page.viewport_size
        folder = ARTEFACTS / re.sub(r"\W+", "-", request.node.name).strip("-")
        target = folder / f"{name}-{size['width'] if size else 'any'}.png"
        await page.screenshot(path=target, full_page=whole, animations="disabled")
        return target

    return take


def _is_bad(line: Any) -> bool:
    # An answer of 4xx is noted by the browser as well; stories that provoke one say so by themselves.
    return line.type == "error" and "Failed to load resource" not in line.text
