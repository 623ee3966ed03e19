"""Patterns and grants: nothing is allowed that nobody granted, and nobody grants what they have not."""

from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard.access.granting import beyond, checked
from callboard.access.patterns import common, covers, pattern
from callboard.domain.errors import InputInvalid
from callboard.domain.principal import Grant, Kind, Principal, Role
from callboard.domain.verdict import Ruling
from callboard.policy.access import ALLOWED, UNSCOPED, Action, flows_of, permits

names = st.text("ab-", max_size=6)
patterns = st.lists(st.sampled_from(["a", "b", "-", "*"]), min_size=1, max_size=5).map(
    lambda each: pattern("".join(each))
)
tenants = st.sampled_from(["*", "north", "south"])
grants = st.builds(
    Grant,
    role=st.sampled_from(Role),
    tenant=tenants,
    flows=st.lists(patterns, min_size=1, max_size=2).map(tuple),
    actions=st.none() | st.lists(st.sampled_from(Action), max_size=3).map(lambda each: tuple(map(str, each))),
)


def somebody(*given: Grant) -> Principal:
    return Principal(kind=Kind.KEY, id="k", name="k", grants=given, tenant="north")


@given(patterns, patterns, names)
def test_what_one_covers_it_matches_and_what_two_have_in_common_both_match(a: str, b: str, name: str) -> None:
    if covers(a, b) and fnmatchcase(name, b):
        assert fnmatchcase(name, a)
    both = fnmatchcase(name, a) and fnmatchcase(name, b)
    assert both == any(fnmatchcase(name, each) for each in common([a], [b]))


def test_what_a_matcher_of_names_takes_for_more_than_it_is_covers_only_itself() -> None:
    assert not any(covers(wide, narrow) for wide, narrow in [("a?", "a*"), ("*]", "[x]"), ("[*]", "*")])
    assert covers("a?", "a?") and covers("*", "[x]")


@given(st.lists(grants, max_size=3), st.sampled_from(Action), st.sampled_from(["north", "south", "*"]), names)
def test_nothing_is_allowed_that_no_grant_gives(held: list[Grant], action: Action, tenant: str, flow: str) -> None:
    allowed = permits(somebody(*held), action, tenant, flow).ruling is Ruling.ALLOW
    wanted = any(
        action in ALLOWED[grant.role]
        and (grant.actions is None or action in grant.actions)
        and grant.tenant in ("*", tenant)
        and any(fnmatchcase(flow, each) for each in grant.flows)
        and (action not in UNSCOPED or "*" in grant.flows)
        for grant in held
    )
    assert allowed == wanted
    seen = flows_of(somebody(*held), action, tenant)
    assert allowed == (seen is None or any(fnmatchcase(flow, each) for each in seen))


@settings(max_examples=300)
@given(st.lists(grants, min_size=1, max_size=2), st.lists(grants, min_size=1, max_size=2), names)
def test_who_grants_gives_nothing_that_they_have_not(held: list[Grant], given_: list[Grant], flow: str) -> None:
    if beyond(somebody(*held), given_) is not None:
        return
    for action in Action:
        for tenant in ("north", "south", "*"):
            if permits(somebody(*given_), action, tenant, flow).ruling is Ruling.ALLOW:
                assert permits(somebody(*held), action, tenant, flow).ruling is Ruling.ALLOW


@given(st.lists(grants, max_size=2))
def test_an_admin_of_all_may_grant_anything_and_everybody_what_they_have(held: list[Grant]) -> None:
    assert beyond(somebody(Grant(Role.ADMIN)), held) is None
    assert beyond(somebody(*held), held) is None


def test_grants_that_cannot_be_are_refused() -> None:
    wrong = [
        [],
        [Grant(Role.VIEWER)] * 51,
        [Grant(Role.VIEWER, "")],
        [Grant(Role.VIEWER, "a\n")],
        [Grant(Role.VIEWER, flows=("a?",))],
        [Grant(Role.VIEWER, flows=())],
        [Grant(Role.VIEWER, flows=tuple(f"f{n}" for n in range(51)))],
        [Grant(Role.VIEWER, actions=("runs:fly",))],
        [Grant(Role.VIEWER, actions=("runs:start",))],
        [Grant(Role.ADMIN, flows=("shop",), actions=("access:manage",))],
    ]
    for each in wrong:
        with pytest.raises(InputInvalid):
            checked(each)
    assert checked([Grant(Role.VIEWER, flows=("a**", "a*"), actions=("runs:read",))]) == (
        Grant(Role.VIEWER, "*", ("a*",), ("runs:read",)),
    )
