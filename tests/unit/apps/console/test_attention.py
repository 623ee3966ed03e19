from types import SimpleNamespace
from typing import Any

from callboard.apps.console.attention import (
    Fleet,
    fleet_of,
    of_approvals,
    of_budgets,
    of_controls,
    of_failures,
    of_fleet,
    of_stuck,
    of_upstreams,
    worst_first,
)
from callboard.apps.console.costs import measured
from callboard.apps.console.inbox import by_deadline, summary, waiting
from callboard.apps.console.sparkline import sparkline
from callboard.runtime import Approval, ApprovalStatus, Control, Scope

NOW = 1_000_000.0


def question(deadline: float | None, status: str = "open", decided_at: float | None = None) -> Approval:
    return Approval(
        id="q",
        run_id="r",
        path="1:ask",
        kind="ask",
        status=ApprovalStatus(status),
        proposal={},
        opened_at=NOW - 60,
        deadline=deadline,
        decided_at=decided_at,
    )


def worker(alive: bool = True, beat_age: float = 0.5) -> SimpleNamespace:
    return SimpleNamespace(alive=alive, beat_age=beat_age)


def upstream(phase: str) -> SimpleNamespace:
    return SimpleNamespace(name="bank", state={"phase": phase, "why": "503"})


def test_the_nearest_deadline_comes_first_and_what_is_decided_last() -> None:
    found = [question(None), question(NOW + 500), question(NOW + 50), question(NOW, "approved", decided_at=NOW)]
    assert [each.deadline for each in by_deadline(found)] == [NOW + 50, NOW + 500, None, NOW]
    tones = [waiting(question(at), "f", NOW, True).tone for at in (NOW - 1, NOW + 100, NOW + 3_000, NOW + 9_000, None)]
    assert tones == ["bad", "bad", "warn", "", ""]
    assert waiting(question(NOW, "expired"), "f", NOW, True).tone == ""


def test_a_proposal_is_told_on_one_line() -> None:
    assert summary({"amount": 5, "items": [1, 2], "why": "x" * 90}).startswith("amount 5 · 2 items · why xxx")
    assert len(summary({str(n): "y" * 500 for n in range(50)})) < 400
    assert summary(["a"]) == '["a"]'


def test_everything_that_needs_somebody_is_named_worst_first() -> None:
    rows = [waiting(question(NOW + 60), "f", NOW, True)]
    standings: list[dict[str, Any]] = [
        {
            "budget": "tenant a per day",
            "account": "",
            "by": "the app",
            "warn": [0.8],
            "measures": {"usd": {"limit": 10.0, "used": 9.0, "held": 0.0, "left": 1.0, "share": 0.9}},
        },
        {
            "budget": "flow x ever",
            "account": "",
            "by": "mia",
            "warn": [],
            "measures": {"calls": {"limit": 0.0, "used": 0.0, "held": 0.0, "left": 0.0, "share": None}},
        },
    ]
    notices = worst_first(
        [
            *of_controls([Control(scope=Scope.FLOW, name="x", paused=True, by="mia")]),
            *of_stuck(1, 2),
            *of_budgets(measured(standings)),
            *of_upstreams([upstream("open"), upstream("half_open"), upstream("closed")]),
            *of_fleet(fleet_of([worker(False)], SimpleNamespace(ready=3, oldest=NOW - 90), 10.0, NOW)),
            *of_approvals(rows),
            *of_failures([("budget", 2), ("bug", 1)], "/console/runs"),
        ]
    )
    assert [each.tone for each in notices] == ["bad"] * 5 + ["warn"] * 5 + ["quiet"]
    titles = " | ".join(each.title for each in notices)
    for said in ("3 runs failed", "1 question waits", "No worker is alive", "bank is left alone", "nearly used up"):
        assert said in titles
    assert "flow x ever has nothing left" in titles and "2 runs in the dead letters" in titles


def test_nothing_is_said_where_all_is_well() -> None:
    fleet = fleet_of([worker()], SimpleNamespace(ready=0, oldest=None), 10.0, NOW)
    assert fleet == Fleet(alive=1, stalled=0, gone=0, ready=0, oldest=None)
    assert [*of_fleet(fleet), *of_failures([], ""), *of_approvals([]), *of_stuck(0, 0)] == []
    assert fleet_of([worker(beat_age=11)], SimpleNamespace(ready=0, oldest=None), 10.0, NOW).stalled == 1


def test_a_sparkline_says_what_it_shows_and_hides_nothing_small() -> None:
    picture = sparkline([0, 1, 1_000], 'a "label" <b>')
    assert picture.count("<rect") == 3 and "<b>" not in picture and "style" not in picture
    assert 'height="2.00"' in picture and 'class="spark-none"' in picture
    assert "<svg" in sparkline([], "none")
