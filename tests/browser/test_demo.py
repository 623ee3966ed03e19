"""What the demo leaves behind, in a browser: from the first page to what ails a run in three clicks at most."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from callboard import RunStatus
from examples.retail.catalog import data_folder
from examples.retail.scenes import perform
from tests.browser.conftest import let_in
from tests.browser.served import Served

Scenes = list[tuple[str, RunStatus, str]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scenes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Path, Scenes]]:
    """The demo's runs that do not just succeed, and the folder of their store."""
    folder = tmp_path_factory.mktemp("demo")
    task = json.loads((data_folder() / "tasks.jsonl").read_text("utf-8").splitlines()[0])
    yield folder, await perform(f"sqlite:///{folder}/callboard.db", task, folder / "log")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(scenes: tuple[Path, Scenes]) -> AsyncIterator[Served]:
    """`callboard dev` on what the demo left, as the demo itself ends."""
    found = Served(scenes[0])
    yield found
    found.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def admission(browser: Browser, served: Served) -> Any:
    """What a browser keeps of a log-in there."""
    return await let_in(browser, served)


async def test_the_cause_of_a_failed_run_is_three_clicks_away(
    page: Page, scenes: tuple[Path, Scenes], shot: Callable[..., Awaitable[Path]]
) -> None:
    ids = {status: run_id for run_id, status, _ in scenes[1]}
    await page.goto("/console")
    await expect(page.get_by_text("1 run in the dead letters")).to_be_visible()
    await expect(page.get_by_text("1 question waits for a person")).to_be_visible()
    await shot(page, "home")
    await page.locator(".notice-row", has_text="failed in 24 h").click()  # 1
    await page.locator(f"a[href*='{ids[RunStatus.FAILED]}']").first.click()  # 2
    why = page.get_by_label("Why", exact=True)
    await expect(why).to_contain_text("upstream down")
    await expect(why).to_contain_text("503 Service Unavailable")
    await why.get_by_role("link", name="return_delivered_order_items").click()  # 3
    await expect(page.get_by_text("attempt").first).to_be_visible()
    await shot(page, "failed-run")


async def test_a_dead_letter_is_requeued_and_succeeds(page: Page, scenes: tuple[Path, Scenes]) -> None:
    """Its worker died on it because of a fault on order; here there is none."""
    dead = next(run_id for run_id, status, _ in scenes[1] if status is RunStatus.DEAD)
    await page.goto(f"/console/runs/{dead}")
    await page.get_by_role("button", name="Requeue").first.click()
    await page.get_by_role("dialog").get_by_role("button", name="Requeue").click()
    await expect(page.locator("main").get_by_text("succeeded").first).to_be_visible()
