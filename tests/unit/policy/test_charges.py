from callboard.domain.budget import Charge
from callboard.policy import Rules, Scope, budget

NOW = 1_795_000_000.0  # 2026-11-18


def accounts(rules: Rules, scope: Scope, name: str) -> list[Charge]:
    return [rule.charge(name, NOW) for rule in rules.of(scope, name)]


def test_each_of_a_scope_has_a_count_of_its_own() -> None:
    rules = Rules([budget("agent", calls=3)])
    assert [c.account for c in accounts(rules, Scope.AGENT, "a")] == ["agent:a"]
    assert [c.account for c in accounts(rules, Scope.AGENT, "b")] == ["agent:b"]
    assert accounts(rules, Scope.FLOW, "a") == []


def test_a_named_budget_counts_in_place_of_each_of_the_same_period() -> None:
    rules = Rules(
        [budget("tenant", calls=3), budget("tenant", "acme", calls=30), budget("tenant", period="day", calls=1)]
    )
    assert [(c.account, c.bound.calls) for c in accounts(rules, Scope.TENANT, "acme")] == [
        ("tenant", 30),
        ("tenant@2026-11-18", 1),
    ]
    assert [c.bound.calls for c in accounts(rules, Scope.TENANT, "other")] == [3, 1]


def test_the_later_of_two_that_are_alike_counts() -> None:
    rules = Rules([budget("flow", "f", calls=1), budget("flow", "f", tokens=5)])
    (found,) = accounts(rules, Scope.FLOW, "f")
    assert (found.bound.calls, found.bound.tokens, found.budget) == (None, 5, "flow f")


def test_no_budgets_are_no_rules() -> None:
    assert not Rules([])
    assert not Rules([]).limits(Scope.RUN)
    assert Rules([budget("run", calls=1)]).limits(Scope.RUN)
