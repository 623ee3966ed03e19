import pytest

from callboard.apps.console.granted import expiry, grants, in_words, number
from callboard.domain.errors import InputInvalid
from callboard.domain.principal import Grant, Role


def test_a_form_grants_what_it_says() -> None:
    assert grants({"role": "viewer"}, "shop") == (Grant(Role.VIEWER, "shop"),)
    fields = {"role": "operator", "where": "every", "flows": "refund, pay*\nrefund", "actions": "runs:start"}
    (given,) = grants(fields, "shop")
    assert given == Grant(Role.OPERATOR, "*", ("refund", "pay*"), ("runs:start",))
    assert in_words([given]) == ["operator in every tenant, of refund, pay*, only runs:start"]
    for wrong in ({}, {"role": "king"}, {"role": ","}):
        with pytest.raises(InputInvalid):
            grants(wrong, "shop")


def test_times_are_days_from_now_or_never() -> None:
    assert expiry({"days": " "}, 100.0) is None
    assert expiry({"days": "1.5"}, 100.0) == 100.0 + 1.5 * 86_400
    for wrong in ("0", "-1", "99999", "nan", "inf", "x", "1e999"):
        with pytest.raises(InputInvalid):
            expiry({"days": wrong}, 100.0)
    assert number("2", "hours") == 2.0
