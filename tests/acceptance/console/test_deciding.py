"""Questions to people in the browser: shown with what led to them, decided once, by who may."""

import asyncio

from callboard.domain.principal import Grant, Role
from tests.acceptance.console.browser import ADMIN, APPROVER, EVIL, VIEWER
from tests.acceptance.console.conftest import House


async def test_an_approver_edits_and_approves_and_the_flow_gets_it(house: House) -> None:
    browser = await house.person("ann", APPROVER)
    run, question = await house.waiting()
    inbox = await browser.text("/console/approvals")
    assert question in inbox and "amount 250" in inbox and "h" in inbox
    page = await browser.text(f"/console/approvals/{question}")
    assert EVIL not in page and "&lt;script&gt;" in page
    path = f"/console/approvals/{question}"
    part = await browser.post(
        f"{path}/difference", None, {"Callboard-Part": "difference"}, value='{"amount": 100, "to": "mia"}'
    )
    assert "<del>250</del>" in part.text and "<ins>100</ins>" in part.text and "<html" not in part.text
    wrong = await browser.post(f"{path}/decide", decision="edit", value='{"amount": ', note=EVIL)
    assert wrong.status_code == 422 and "not JSON" in wrong.text and EVIL not in wrong.text
    done = await browser.post(f"{path}/decide", decision="edit", value='{"amount": 100}', note=f"half {EVIL}")
    assert (done.status_code, done.headers["location"]) == (303, "/console/approvals")
    outcome = await asyncio.wait_for(run.result(), 60)
    assert outcome["value"] == {"amount": 100} and outcome["approved"]
    assert outcome["by"] == f"ann {EVIL}" and outcome["note"] == f"half {EVIL}"
    decided = await browser.text(path)
    assert "Changed and approved" in decided and EVIL not in decided and "<ins>100</ins>" in decided
    assert "half" in await browser.text("/console/approvals?status=all")


async def test_the_second_of_two_people_is_told_who_was_first(house: House) -> None:
    ann, ben = await house.person("ann", APPROVER), await house.person("ben", APPROVER)
    run, question = await house.waiting()
    path = f"/console/approvals/{question}"
    await ann.text(path), await ben.text(path)
    assert (await ann.post(f"{path}/decide", decision="reject", note="no")).headers["location"] == "/console/approvals"
    late = await ben.post(f"{path}/decide", decision="approve")
    assert late.headers["location"] == path
    said = await ben.text(path)
    assert "Too late: ann" in said and "rejected it already" in said
    assert not (await asyncio.wait_for(run.result(), 60))["approved"]


async def test_a_viewer_sees_the_question_and_cannot_decide(house: House) -> None:
    viewer = await house.person("vic", VIEWER)
    some = await house.person("sam", Grant(Role.APPROVER, "default", ("pays",)))
    run, question = await house.waiting()
    path = f"/console/approvals/{question}"
    page = await viewer.text(path)
    assert "roles approver, admin" in page and "/decide" not in page
    assert (await viewer.post(f"{path}/decide", decision="approve")).status_code == 403
    assert (await some.get(path)).status_code == 404, "an approver of another flow does not see it"
    assert (await some.post(f"{path}/decide", decision="approve")).status_code == 404
    assert question not in await some.text("/console/approvals")
    assert not (await run.status()).ended


async def test_another_tenants_question_is_not_there(house: House) -> None:
    browser = await house.person("ann", APPROVER)
    _, question = await house.waiting(tenant="other")
    assert (await browser.get(f"/console/approvals/{question}")).status_code == 404
    assert (await browser.post(f"/console/approvals/{question}/decide", decision="approve")).status_code == 404
    assert (await browser.client.get("/console/approvals", headers={"Callboard-Tenant": "other"})).status_code == 403


async def test_an_unknown_outcome_is_explained_and_settled(house: House) -> None:
    browser = await house.person("ann", ADMIN)
    run, question = await house.waiting("pays", "ACME")
    page = await browser.text(f"/console/approvals/{question}")
    assert "Did wire happen?" in page
    for meaning in ("It did not happen", "It happened", "Give it up"):
        assert meaning in page
    done = await browser.post(f"/console/approvals/{question}/decide", decision="edit", value='"sent"')
    assert done.status_code == 303
    assert await asyncio.wait_for(run.result(), 60) == "sent"


async def test_forms_need_the_token_of_their_own_login(house: House) -> None:
    ann, ben = await house.person("ann", APPROVER), await house.person("ben", APPROVER)
    run, question = await house.waiting()
    path = f"/console/approvals/{question}/decide"
    for token in ("", "x", await ben.token()):
        assert (await ann.post(path, token, decision="approve")).status_code == 403
    elsewhere = await ann.post(path, None, {"Origin": "https://evil.example"}, decision="approve")
    assert elsewhere.status_code == 403
    assert not (await run.status()).ended
