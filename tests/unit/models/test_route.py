"""A route is checked where it is declared."""

from typing import Any

import pytest

from callboard.domain.errors import InputInvalid
from callboard.models import Candidate, Order, Route, route


def test_names_and_candidates_may_be_mixed() -> None:
    found = route("smart", "a", Candidate(model="b", quality=0.5), order="cost")
    assert [each.model for each in found.candidates] == ["a", "b"]
    assert (found.name, found.order) == ("smart", Order.COST)


@pytest.mark.parametrize(
    "make",
    [
        lambda: route("smart"),
        lambda: route("smart", "a", order="best"),
        lambda: route("smart", "a", cheap=True),
        lambda: Route(name="smart", candidates=()),
        lambda: route("smart", "a", "b", "a"),
        lambda: route("smart", "a", max_usd="a lot"),
        lambda: route("smart", Candidate(model="a", quality=2.0)),
        lambda: route("smart", Candidate(model="a", context=0)),
        lambda: route("smart", Candidate(model="a", latency=-1.0)),
        lambda: route("smart", Candidate(model="")),
        lambda: route("smart", "a", max_latency=0.0),
        lambda: route("smart", "a", min_quality=1.5),
    ],
)
def test_what_cannot_be_a_route_is_refused(make: Any) -> None:
    with pytest.raises(InputInvalid):
        make()
