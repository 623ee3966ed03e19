"""Who is asked first, who last, who not at all, and what is said about it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.domain.kinds import ErrorKind
from callboard.models import Ability, Candidate, ModelInfo, Price, route
from callboard.models.routing import Need, Ranked, View, estimate, plan


def view(model: str, *, info: dict[str, Any] | None = None, stands: dict[str, Any] | None = None, **said: Any) -> View:
    """A candidate with what its route says, what is known of its model, and how it stands."""
    return View(candidate=Candidate(model=model, **said), info=ModelInfo(name=model, **(info or {})), **(stands or {}))


def order(ranked: list[Ranked]) -> list[str]:
    return [each.model for each in ranked if each.out is None]


def why(ranked: list[Ranked], model: str) -> str:
    return next(each.reason for each in ranked if each.model == model)


IMAGES = frozenset({Ability.IMAGES})
DEAR, CHEAP = Price(10_000_000, 30_000_000), Price(1_000_000, 3_000_000)


@pytest.mark.parametrize(
    ("a", "need", "reason", "kind"),
    [
        (view("a", tasks=("code",)), Need(task="chat"), "is for the tasks code", ErrorKind.INVALID_REQUEST),
        (view("a", tasks=("code",)), Need(), "is for the tasks code", ErrorKind.INVALID_REQUEST),
        (view("a", tiers=("gold",)), Need(tier="free"), "is for callers of the tiers gold", ErrorKind.INVALID_REQUEST),
        (view("a", info={"abilities": frozenset({Ability.TOOLS})}), Need(abilities=IMAGES), "lacks images",
         ErrorKind.INVALID_REQUEST),
        (view("a", info={"context": 1_000}, stands={"output": 300}), Need(tokens=800),
         "holds 1,000 tokens, about 1,100 are needed", ErrorKind.CONTEXT_TOO_LONG),
        (view("a", context=500, info={"context": 1_000}), Need(tokens=800),
         "holds 500 tokens, about 800 are needed", ErrorKind.CONTEXT_TOO_LONG),
        (view("a", stands={"barred": (ErrorKind.LIMIT, "too dear")}), Need(), "too dear", ErrorKind.LIMIT),
    ],
)  # fmt: skip
def test_who_cannot_serve_is_out_and_it_is_said_why(a: View, need: Need, reason: str, kind: ErrorKind) -> None:
    ranked = plan(route("r", "a", "b"), need, [a, view("b")])
    assert order(ranked) == ["b"]
    assert (ranked[-1].model, ranked[-1].out, ranked[-1].reason) == ("a", kind, reason)


@pytest.mark.parametrize(
    ("a", "need"),
    [
        (view("a", tasks=("code", "chat")), Need(task="chat")),
        (view("a", tiers=("gold",)), Need(tier="gold")),
        (view("a", info={"abilities": IMAGES}), Need(abilities=IMAGES)),
        (view("a"), Need(abilities=IMAGES)),
        (view("a", info={"context": 1_000}, stands={"output": 200}), Need(tokens=800)),
        (view("a"), Need(tokens=10**9)),
    ],
)
def test_who_can_serve_or_may_for_all_that_is_known_is_asked_as_listed(a: View, need: Need) -> None:
    ranked = plan(route("r", "a", "b"), need, [a, view("b")])
    assert order(ranked) == ["a", "b"]
    assert why(ranked, "a") == "comes first by listed"
    assert why(ranked, "b") == "comes later by listed"


@pytest.mark.parametrize(
    ("rules", "a", "b", "first", "reason"),
    [
        ({"order": "cost"}, {"stands": {"price": DEAR}}, {"stands": {"price": CHEAP}}, "b",
         "comes first by cost: about 0.001 dollars"),
        ({"order": "cost"}, {}, {"stands": {"price": CHEAP}}, "b", "comes first by cost: about 0.001 dollars"),
        ({"order": "latency"}, {"latency": 2.0}, {"latency": 0.5}, "b",
         "comes first by latency: 0.5 s to the first token"),
        ({"order": "latency"}, {"latency": 0.1, "stands": {"latency": 3.0}}, {"latency": 0.5}, "b",
         "comes first by latency: 0.5 s to the first token"),
        ({"order": "latency"}, {}, {"latency": 9.0}, "b", "comes first by latency: 9 s to the first token"),
        ({"order": "quality"}, {"quality": 0.5}, {"quality": 0.9}, "b", "comes first by quality: judged 0.9"),
        ({"order": "quality"}, {}, {"quality": 0.1}, "b", "comes first by quality: judged 0.1"),
        ({"order": "quality"}, {}, {}, "a", "comes first by quality"),
    ],
)  # fmt: skip
def test_the_route_s_order_decides_among_those_that_can_serve(
    rules: dict[str, Any], a: dict[str, Any], b: dict[str, Any], first: str, reason: str
) -> None:
    ranked = plan(route("r", "a", "b", **rules), Need(tokens=1_000), [view("a", **a), view("b", **b)])
    assert order(ranked)[0] == first
    assert why(ranked, first) == reason


@pytest.mark.parametrize(
    ("rules", "a", "reason"),
    [
        ({"max_usd": "0.005"}, {"stands": {"price": DEAR}},
         "would cost about 0.01 dollars, the target is 0.005"),
        ({"max_usd": "0.005"}, {}, "nobody knows its price"),
        ({"max_latency": 1.0}, {"stands": {"latency": 2.0}}, "takes 2 s to its first token, the target is 1"),
        ({"min_quality": 0.7}, {"quality": 0.5}, "is judged 0.5, the target is 0.7"),
        ({}, {"stands": {"wait": 30.0}}, "cannot be asked for another 30 s"),
        ({}, {"stands": {"failed": "overloaded"}}, "failed in this call (overloaded)"),
    ],
)  # fmt: skip
def test_who_misses_a_target_or_is_away_comes_last_but_is_there(
    rules: dict[str, Any], a: dict[str, Any], reason: str
) -> None:
    views = [view("a", **a), view("b", stands={"price": CHEAP, "latency": 0.1})]
    ranked = plan(route("r", "a", "b", **rules), Need(tokens=1_000), views)
    assert order(ranked) == ["b", "a"]
    assert why(ranked, "a") == reason
    assert order(plan(route("r", "a", **rules), Need(tokens=1_000), views[:1])) == ["a"]


def test_of_those_that_have_failed_the_one_that_may_be_asked_soonest_is_next() -> None:
    views = [
        view("a", stands={"failed": "rate_limited", "wait": 60.0}),
        view("b", stands={"failed": "upstream_down", "wait": 0.5}),
        view("c", stands={"wait": 20.0}),
    ]
    assert order(plan(route("r", "a", "b", "c"), Need(), views)) == ["b", "c", "a"]


@pytest.mark.parametrize(("window", "asked"), [(8_000, False), (32_000, False), (32_001, True), (None, False)])
def test_what_was_too_long_for_one_goes_to_larger_ones_only(window: int | None, asked: bool) -> None:
    too_long = (ErrorKind.CONTEXT_TOO_LONG, "failed in this call (context_too_long)")
    failed = view("a", info={"context": 32_000}, stands={"failed": "context_too_long", "barred": too_long})
    ranked = plan(route("r", "a", "b"), Need(tokens=10), [failed, view("b", info={"context": window})])
    assert order(ranked) == (["b"] if asked else [])
    assert {each.out for each in ranked if each.out} == {ErrorKind.CONTEXT_TOO_LONG}


def test_an_estimate_counts_what_may_be_answered() -> None:
    assert estimate(Need(tokens=1_000), view("a", stands={"price": CHEAP, "output": 1_000})) == 4_000
    assert estimate(Need(tokens=1_000), view("a")) is None


maybe = st.none() | st.integers(1, 50)
views = st.builds(
    lambda at, tasks, tiers, abilities, context, window, output, wait, failed, quality: View(
        candidate=Candidate(model=f"m{at}", tasks=tasks, tiers=tiers, context=context, quality=quality),
        info=ModelInfo(name=f"m{at}", abilities=abilities, context=window),
        output=output,
        wait=wait,
        failed=failed,
    ),
    st.integers(0, 99),
    st.sampled_from([(), ("code",), ("chat", "code")]),
    st.sampled_from([(), ("gold",), ("gold", "free")]),
    st.none() | st.frozensets(st.sampled_from(list(Ability))),
    maybe,
    maybe,
    st.integers(0, 20),
    st.sampled_from([0.0, 1.0, 30.0]),
    st.sampled_from(["", "timeout", "context_too_long"]),
    st.none() | st.floats(0, 1),
)
needs = st.builds(
    Need,
    tokens=st.integers(0, 60),
    abilities=st.frozensets(st.sampled_from(list(Ability)), max_size=2),
    task=st.sampled_from([None, "code", "chat", "other"]),
    tier=st.sampled_from([None, "gold", "free", "other"]),
)
orders = st.sampled_from(["listed", "cost", "latency", "quality"])


@given(found=st.lists(views, min_size=1, max_size=6, unique_by=lambda v: v.candidate.model), need=needs, by=orders)
def test_nobody_is_ever_asked_who_lacks_what_is_needed(found: list[View], need: Need, by: str) -> None:
    rules = route("r", *[v.candidate for v in found], order=by)
    ranked = plan(rules, need, found)
    assert sorted(each.model for each in ranked) == sorted(v.candidate.model for v in found)
    assert all(each.reason for each in ranked)
    for each in ranked:
        candidate, info, window = each.view.candidate, each.view.info, each.view.window
        fits = (
            (not candidate.tasks or need.task in candidate.tasks)
            and (not candidate.tiers or need.tier in candidate.tiers)
            and (info.abilities is None or need.abilities <= info.abilities)
            and (window is None or need.tokens + each.view.output <= window)
        )
        assert fits or each.out is not None
    outs = [each.out is not None for each in ranked]
    assert outs == sorted(outs)
    assert plan(rules, need, found) == ranked
