import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from callboard.domain.budget import Bound
from callboard.domain.errors import InputInvalid
from callboard.policy import Budget, Period, Scope, budget
from callboard.policy.budget import allowing, over, parted, written


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_a_limit_is_exact_in_the_units_of_accounts() -> None:
    found = budget("tenant", "acme", usd="0.1", tokens=7, calls=3, seconds=1.5)
    assert found.bound == Bound(100_000, 7, 3, 1_500)
    assert budget("run", calls=0).bound == Bound(calls=0)


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        ({}, "limits nothing"),
        ({"usd": 0.1}, "usd"),
        ({"usd": "0.0000001"}, "0.0000001"),
        ({"tokens": -1}, "tokens"),
        ({"calls": 1.5}, "calls"),
        ({"seconds": float("nan")}, "seconds"),
        ({"seconds": float("inf")}, "seconds"),
        ({"calls": 1, "period": "week"}, "week"),
        ({"calls": 1, "per": "day"}, "per"),
        ({"calls": 1, "warn": (1.2,)}, "warn"),
        ({"calls": 1, "warn": (0,)}, "warn"),
        ({"calls": 1, "name": ""}, "name"),
    ],
)
def test_what_cannot_be_a_budget_is_refused_by_name(limits: dict, named: str) -> None:
    with pytest.raises(InputInvalid, match=named):
        budget("tenant", **limits)


def test_an_unknown_scope_is_refused() -> None:
    with pytest.raises(InputInvalid, match="team"):
        budget("team", calls=1)


@pytest.mark.parametrize(
    ("scope", "period", "account"),
    [
        ("tenant", "ever", "tenant"),
        ("tenant", "day", "tenant@2026-11-21"),
        ("flow", "month", "flow:support@2026-11"),
        ("session", "ever", "session:support"),
    ],
)
def test_an_account_says_what_it_counts_and_when(scope: str, period: str, account: str) -> None:
    found = budget(scope, period=period, calls=1)
    assert found.account("support", at("2026-11-21 23:59:59.9")) == account


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own day begins nine hours earlier."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_east")
def test_days_and_months_begin_in_utc() -> None:
    day, month = (Budget(scope=Scope.TENANT, period=period, calls=1) for period in (Period.DAY, Period.MONTH))
    late, early = at("2026-12-31 23:59:59.999"), at("2027-01-01 00:00:00")
    assert [day.account("", late), day.account("", early)] == ["tenant@2026-12-31", "tenant@2027-01-01"]
    assert [month.account("", late), month.account("", early)] == ["tenant@2026-12", "tenant@2027-01"]


def names() -> Iterator[str]:
    yield from ("a", "a@2026-11-21", "a%402026-11-21", "a@", "a%40", "%", "@", "x" * 200, "x" * 201, "x" * 202)


def test_no_name_reaches_into_the_account_of_another() -> None:
    found = {
        budget("session", period=period, calls=1).account(name, at("2026-11-21"))
        for name in names()
        for period in ("ever", "day")
    }
    assert len(found) == 2 * len(list(names()))
    assert all(len(account) < 800 for account in found)


@pytest.mark.parametrize(
    ("account", "parts", "ends"),
    [
        ("tenant", ("tenant", "", ""), ""),
        ("tenant@2026-12-31", ("tenant", "", "2026-12-31"), "2027-01-01 00:00 UTC"),
        ("flow:support@2026-02", ("flow", "support", "2026-02"), "2026-03-01 00:00 UTC"),
        ("agent:a:b@2026-12", ("agent", "a:b", "2026-12"), "2027-01-01 00:00 UTC"),
        (f"session:{written('x@y')}", ("session", "x%40y", ""), ""),
    ],
)
def test_an_account_is_read_back(account: str, parts: tuple, ends: str) -> None:
    assert parted(account) == parts
    assert over(account) == ends


def test_what_is_stored_of_a_budget_makes_it_again() -> None:
    known = budget("agent", "clerk", period="day", usd="1.50", tokens=9, calls=2, seconds=0.25, warn=(0.5, 1.0))
    assert allowing("agent", "clerk", "day", known.bound, known.warn) == known
