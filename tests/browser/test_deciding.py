"""Questions to people: one approves, one rejects, and of two at the same one the second is told."""

from playwright.async_api import Page, expect

from tests.browser.calls import CLAIM, add_person, outcome, question, start
from tests.browser.conftest import Opening, Shot
from tests.browser.served import Served

PASSWORD = "correct horse battery"


async def entered(opening: Opening, login: str, path: str) -> Page:
    """A page of somebody who logged in with name and password."""
    page = await opening(admitted=False)
    await page.goto(path)
    await page.get_by_label("Name").fill(login)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    return page


async def test_of_two_people_at_one_question_the_second_is_told(opening: Opening, served: Served, shot: Shot) -> None:
    for login, name in (("ann", "Ann"), ("ben", "Ben")):
        add_person(served, login, name, PASSWORD, "approver")
    run = start(served, "refund_with_approval", CLAIM)
    path = f"/console/approvals/{question(served, run)}"
    ann, ben = await entered(opening, "ann", path), await entered(opening, "ben", path)
    watching = await opening()
    await watching.goto(f"/console/runs/{run}")
    await expect(watching.locator(".notice")).to_contain_text("waits for a person")
    for page in (ann, ben):
        await page.get_by_role("button", name="Approve").click()
        await expect(page.get_by_role("dialog")).to_be_visible()
    await ann.get_by_role("dialog").get_by_label("Note").fill("both are back in the house")
    await ann.get_by_role("dialog").get_by_role("button", name="Approve").click()
    await expect(ann.get_by_role("status")).to_contain_text("Approved")
    await ben.get_by_role("dialog").get_by_role("button", name="Approve").click()
    await expect(ben.locator(".flash.bad")).to_contain_text("Ann")
    await expect(ben.locator(".verdict")).to_contain_text("both are back in the house")
    await shot(ben, "second")
    # Who only watched the run has seen it go on.
    await expect(watching.locator("#live h1")).to_contain_text("succeeded")
    await expect(watching.locator(".answer")).to_contain_text("254.3")
    await expect(watching.locator(".notice")).to_have_count(0)


async def test_a_refund_is_rejected_with_a_note_by_keyboard_alone(page: Page, served: Served, shot: Shot) -> None:
    run = start(served, "refund_with_approval", CLAIM)
    await page.goto(f"/console/approvals/{question(served, run)}")
    await page.keyboard.press("r")
    await expect(page.get_by_role("dialog", name="Reject")).to_be_visible()
    await shot(page, "reject", whole=False)
    note = page.get_by_role("dialog").get_by_label("Note")
    for _ in range(4):
        if await note.evaluate("node => node === document.activeElement"):
            break
        await page.keyboard.press("Tab")
    await page.keyboard.type("sent back without the burner")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("Rejected")
    came = outcome(served, run)["output"]
    assert not came["refunded"] and came["note"] == "sent back without the burner"
