"""What a declared policy says about a call that goes wrong, as a table."""

import pytest

from callboard.domain.kinds import ErrorKind
from callboard.resilience.faults import FaultKind
from callboard.testing.expectations import (
    Deed,
    ModelPolicy,
    ToolPolicy,
    expected_of_compensation,
    expected_of_model,
    expected_of_tool,
)
from callboard.tools import SideEffect

READ = ToolPolicy(SideEffect.READ, attempts=3)
WRITE = ToolPolicy(SideEffect.IDEMPOTENT, attempts=3)
ONCE = ToolPolicy(SideEffect.ONCE, attempts=1)
TELLS = ToolPolicy(SideEffect.ONCE, attempts=4, reconcile=True)
FALLS = ToolPolicy(SideEffect.READ, attempts=2, fallback=True)
STRICT = ToolPolicy(SideEffect.READ, attempts=3, refuses_empty=True)
LOOSE = ToolPolicy(SideEffect.READ, attempts=3, typed=False)
PASSING = ("timeout", "429", "500", "503", "refused", "cut")


@pytest.mark.parametrize("kind", PASSING)
def test_what_may_pass_is_tried_again_as_often_as_declared_and_if_once_only_when_it_did_not_happen(kind: str) -> None:
    fault = FaultKind(kind)
    for policy in (READ, WRITE):
        assert [*expected_of_tool(policy, fault, 2).deeds] == [Deed.RETRIED]
        assert [*expected_of_tool(policy, fault, 3).deeds] == [Deed.FAILED]
    assert [*expected_of_tool(FALLS, fault, 2).deeds] == [Deed.FELL_BACK]
    assert [*expected_of_tool(ONCE, fault, 1).deeds] == [Deed.PERSON]
    assert expected_of_tool(TELLS, fault, 1).deeds == {Deed.FOUND_OUT, Deed.MADE, Deed.PERSON}
    assert Deed.MADE not in expected_of_tool(TELLS, fault, 4).deeds


@pytest.mark.parametrize(
    ("policy", "kind", "deed", "failure"),
    [
        (READ, "malformed", Deed.FAILED, ErrorKind.MALFORMED_RESULT),
        (READ, "schema", Deed.FAILED, ErrorKind.MALFORMED_RESULT),
        (FALLS, "schema", Deed.FELL_BACK, None),
        (LOOSE, "schema", Deed.ANSWERED, None),
        (ONCE, "schema", Deed.FAILED, ErrorKind.MALFORMED_RESULT),
        (ONCE, "malformed", Deed.PERSON, None),
        (READ, "empty", Deed.ANSWERED, None),
        (STRICT, "empty", Deed.FAILED, ErrorKind.INCOMPLETE),
        (READ, "slow", Deed.ANSWERED, None),
        (WRITE, "duplicate", Deed.ANSWERED, None),
        (READ, "kill", Deed.AGAIN, None),
        (WRITE, "kill", Deed.AGAIN, None),
        (ONCE, "kill", Deed.PERSON, None),
    ],
)
def test_what_will_not_pass(policy: ToolPolicy, kind: str, deed: Deed, failure: ErrorKind | None) -> None:
    expected = expected_of_tool(policy, FaultKind(kind), 1)
    assert expected.deeds == {deed}
    assert expected.kind is failure


@pytest.mark.parametrize(
    ("policy", "attempt", "deeds"),
    [
        (ModelPolicy(4), 3, {Deed.RETRIED}),
        (ModelPolicy(4), 4, {Deed.FAILED}),
        (ModelPolicy(4, candidates=2), 4, {Deed.RETRIED, Deed.FAILED}),
        (ModelPolicy(4, candidates=2), 8, {Deed.FAILED}),
    ],
)
def test_a_model_is_asked_as_often_as_its_candidates_allow(policy: ModelPolicy, attempt: int, deeds: set[Deed]) -> None:
    assert expected_of_model(policy, FaultKind.UNAVAILABLE, attempt).deeds == deeds


def test_a_compensation_is_tried_again_or_asks_and_never_just_fails() -> None:
    assert expected_of_compensation(WRITE, FaultKind.ERROR).deeds == {Deed.RETRIED, Deed.PERSON}
    assert expected_of_compensation(WRITE, FaultKind.KILL).deeds == {Deed.AGAIN}
