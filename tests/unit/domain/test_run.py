"""The states of a run and the moves between them are as the architecture page draws them."""

import re
from pathlib import Path

import pytest

from callboard.domain.event import OUTCOMES, EventKind
from callboard.domain.run import ENDED, REQUEUEABLE, TRANSITIONS, RunStatus

PAGE = Path(__file__).resolve().parents[3] / "docs" / "architecture.md"
MARK = "<!-- run-states -->"


def drawn() -> set[tuple[str, str]]:
    """The moves in the drawing: lines like `ready -> running` in the fenced block under the mark."""
    block = re.search(
        rf"^{re.escape(MARK)}\s*\n```\w*\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    if block is None:
        pytest.fail(
            f"docs/architecture.md draws no run states: put `{MARK}` on a line of its own, and under it a fenced "
            "block with one move on each line, such as `ready -> running`"
        )
    return set(re.findall(r"^\s*(\w+)\s*->\s*(\w+)", block[1], re.MULTILINE))


def test_the_moves_in_the_code_are_the_moves_in_the_drawing() -> None:
    table = {(str(a), str(b)) for a, targets in TRANSITIONS.items() for b in targets}
    page = drawn()
    assert page - table == set(), "drawn, but not in TRANSITIONS"
    assert table - page == set(), "in TRANSITIONS, but not drawn"


def test_every_state_has_its_moves_or_none() -> None:
    assert TRANSITIONS.keys() == set(RunStatus)


def test_every_state_can_be_reached_from_ready() -> None:
    reached, todo = {RunStatus.READY}, [RunStatus.READY]
    while todo:
        for state in TRANSITIONS[todo.pop()] - reached:
            reached.add(state)
            todo.append(state)
    assert reached == set(RunStatus)


def test_an_end_is_left_by_a_requeue_or_not_at_all() -> None:
    assert {s for s in RunStatus if s.ended} == ENDED
    for state in ENDED:
        assert TRANSITIONS[state] <= {RunStatus.READY}
    assert {RunStatus.BLOCKED, RunStatus.FAILED, RunStatus.DEAD} == REQUEUEABLE


def test_no_state_is_left_for_itself() -> None:
    assert not [state for state, targets in TRANSITIONS.items() if state in targets]


def test_the_numbers_of_stored_event_kinds_never_change() -> None:
    assert {kind.name: int(kind) for kind in EventKind} == {
        "STARTED": 1,
        "INTENT": 2,
        "DONE": 3,
        "FAILED": 4,
        "CANCELLED": 5,
        "ABANDONED": 6,
        "RETRY": 7,
        "PATCHED": 8,
        "REQUEUED": 9,
        "FORKED": 10,
        "CONTINUED": 11,
        "BEAT": 12,
        "RUN_SUCCEEDED": 20,
        "RUN_FAILED": 21,
        "RUN_CANCELLED": 22,
        "RUN_BLOCKED": 23,
        "RUN_DEAD": 24,
    }


def test_the_outcomes_of_an_effect_are_four() -> None:
    assert {kind.label for kind in OUTCOMES} == {"done", "failed", "cancelled", "abandoned"}
    assert EventKind.RUN_DEAD.label == "run dead"
