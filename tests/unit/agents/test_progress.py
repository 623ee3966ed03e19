from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.agents.progress import Handoffs, Pattern, Progress, Stall, Watch
from callboard.domain.errors import InputInvalid
from callboard.domain.message import ToolCall, ToolResult

Step = tuple[str, int, str]  # tool, argument, result


def watch(steps: list[list[Step]], rules: Progress | None) -> list[Stall | None]:
    """What a watch says after each turn."""
    seen = Watch(rules)
    return [
        seen.turn(
            [ToolCall(f"{n}-{i}", tool, {"x": x}) for i, (tool, x, _) in enumerate(turn)],
            [ToolResult(f"{n}-{i}", tool, result) for i, (tool, _, result) in enumerate(turn)],
        )
        for n, turn in enumerate(steps)
    ]


def patterns(steps: list[list[Step]], **rules: int) -> list[str | None]:
    return [
        None if each is None else str(each.pattern) for each in watch(steps, Progress(**rules) if rules else _RULES)
    ]


_RULES = Progress(repeats=3, rounds=3, stale=4)
A, B, C = ("a", 1, "x"), ("b", 1, "y"), ("c", 1, "z")


@pytest.mark.parametrize(
    ("turns", "pattern"),
    [
        ([[A], [A], [A]], Pattern.REPEATED_CALL),
        ([[A, A], [A]], Pattern.REPEATED_CALL),  # side by side in one turn too
        ([[A], [B], [A], [B], [A], [B]], Pattern.ALTERNATING_CALLS),
        ([[A, B], [A, B], [A, B]], Pattern.ALTERNATING_CALLS),
        ([[A], [B], [C], [A], [B], [C], [A]], Pattern.NOTHING_NEW),
        ([[A], [("a", 1, "other")], [A], [("a", 1, "third")]], None),  # a poll that answers something new
        ([[("a", n, "ok")] for n in range(20)], None),  # the same answer to other questions
        ([[A], [A], [B], [A], [A], [C]], None),
        ([[A], [B], [A], [C], [A], [("b", 2, "y")]], None),
    ],
)
def test_what_counts_as_being_stuck(turns: list[list[Step]], pattern: Pattern | None) -> None:
    *before, last = watch(turns, _RULES)
    assert before == [None] * len(before)
    assert (None if last is None else last.pattern) == pattern


def test_a_failure_that_comes_again_and_again_is_a_repetition() -> None:
    seen = Watch(_RULES)
    calls, results = [ToolCall("1", "pay", {})], [ToolResult("1", "pay", "it is down", "upstream_down")]
    assert [seen.turn(calls, results) is None for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("turns", [[[A]] * 9, [[A], [B]] * 9, [[A], [B], [C]] * 9])
def test_every_rule_can_be_switched_off(turns: list[list[Step]]) -> None:
    assert patterns(turns, repeats=0, rounds=0, stale=0) == [None] * len(turns)
    assert watch(turns, None) == [None] * len(turns)


@given(st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=3), max_size=30))
def test_calls_that_always_bring_something_new_are_never_stopped(turns: list[list[int]]) -> None:
    count = iter(range(1000))
    steps = [[("a", x, f"result {next(count)}") for x in turn] for turn in turns]
    assert patterns(steps, repeats=2, rounds=2, stale=2) == [None] * len(turns)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True))
def test_every_cycle_is_noticed_in_the_end(cycle: list[int]) -> None:
    assert any(patterns([[("a", x, "same")] for x in cycle * 12]))


def test_two_agents_that_hand_the_same_things_to_each_other_are_stopped() -> None:
    handoffs = Handoffs()
    said = [handoffs.add(name, "go on", f"ask {name}", _RULES) for name in ["writer", "critic"] * 3]
    assert [each is None for each in said] == [True] * 5 + [False]
    assert said[-1] == Stall(Pattern.ALTERNATING_AGENTS, "writer and critic, 3 times each")


def test_agents_that_take_turns_with_new_drafts_go_on() -> None:
    handoffs = Handoffs()
    for n in range(20):
        assert handoffs.add("writer", f"draft {n}", f"draft {n + 1}", _RULES) is None
        assert handoffs.add("critic", f"draft {n + 1}", "not yet", _RULES) is None


@pytest.mark.parametrize("rule", ["repeats", "rounds", "stale"])
@pytest.mark.parametrize("value", [1, -1, 2.5, True, "3"])
def test_a_rule_that_cannot_be_is_refused_by_name(rule: str, value: Any) -> None:
    with pytest.raises(InputInvalid, match=rule):
        Progress(**{rule: value})
