from pathlib import Path
from typing import Any

import pytest

from callboard import RunStatus
from callboard.runtime import ApprovalStatus
from callboard.testing import runtime
from examples.retail import app, refund_with_approval

DEAR = {
    "order_id": "#W7841025",
    "item_ids": ["7040455469", "7040455469"],
    "payment_method_id": "paypal_4688317",
    "reason": "both stoves leak",
}
CHEAP = DEAR | {"order_id": "#W8489160", "item_ids": ["3692897483"], "payment_method_id": "credit_card_5994249"}


async def waiting(test: Any, claim: dict[str, Any]) -> tuple[Any, Any]:
    """A run that asks a person, and its question."""
    handle = await test.start(refund_with_approval, claim)
    await test.settle()
    (approval,) = await test.rt.store.approvals.find("default", run_id=handle.id, status=ApprovalStatus.OPEN)
    return handle, approval


async def test_a_cheap_refund_asks_nobody(tmp_path: Path) -> None:
    async with runtime(app, tmp_path / "callboard.db") as test:
        refund = await test.run(refund_with_approval, CHEAP)
        assert (refund.refunded, refund.amount, refund.by) == (True, 74.95, "")
        unknown = await test.run(refund_with_approval, CHEAP | {"order_id": "#W0"})
        assert not unknown.refunded and unknown.answer == "Error: order not found"


async def test_a_dear_refund_waits_for_a_person_who_may_change_it(tmp_path: Path) -> None:
    async with runtime(app, tmp_path / "callboard.db") as test:
        handle, approval = await waiting(test, DEAR)
        assert approval.proposal["amount"] == 254.3
        assert "Camp Stove, Camp Stove" in approval.proposal["assessment"]
        decide = test.rt.commands.decide

        wrong = approval.proposal | {"item_ids": ["7040455469"]}
        await decide("default", approval.id, ApprovalStatus.EDITED, value=wrong, by="mia")
        await test.settle()
        (again,) = await test.rt.store.approvals.find("default", run_id=handle.id, status=ApprovalStatus.OPEN)
        assert again.proposal["problem"] == "amount: these items cost 127.15"

        half = wrong | {"amount": 127.15}
        await decide("default", again.id, ApprovalStatus.EDITED, value=half, by="mia", note="one of them is fine")
        refund = await handle.result()
        assert (refund.refunded, refund.amount, refund.by) == (True, 127.15, "mia")
        assert '"return_items": ["7040455469"]' in refund.answer


@pytest.mark.parametrize("answered", [True, False])
async def test_no_and_silence_refund_nothing(tmp_path: Path, answered: bool) -> None:
    async with runtime(app, tmp_path / "callboard.db") as test:
        handle, approval = await waiting(test, DEAR)
        if answered:
            await test.rt.commands.decide("default", approval.id, ApprovalStatus.REJECTED, by="mia", note="worn out")
        await test.wind(days=3)
        refund = await handle.result()
        assert not refund.refunded and refund.answer == ("worn out" if answered else "nobody decided in time")
        assert (await test.rt.store.runs.get("default", handle.id)).status is RunStatus.SUCCEEDED
